// The exchange types a client may declare, by name.
#pragma once
#include <span>
#include <string_view>

#include "broker/exchange/exchange_type.h"

namespace quorate::exchange {

/// Sorted by name.
std::span<const ExchangeType> exchange_types();

/// Null for a name that is no type: the session answers "unknown exchange type 'X'" (features.md P080).
const ExchangeType* find_exchange_type(std::string_view name);

}  // namespace quorate::exchange

#include "broker/exchange/exchange_types.h"

#include <algorithm>
#include <array>

namespace quorate::exchange {

namespace {

constexpr std::array<ExchangeType, 4> kExchangeTypes = {{
    {"direct", &make_direct, &accept_any_binding},
    {"fanout", &make_fanout, &accept_any_binding},
    {"headers", &make_headers, &validate_headers_binding},
    {"topic", &make_topic, &validate_topic_binding},
}};
static_assert(std::ranges::is_sorted(kExchangeTypes, std::ranges::less{}, &ExchangeType::name));

}  // namespace

std::span<const ExchangeType> exchange_types() { return kExchangeTypes; }

const ExchangeType* find_exchange_type(std::string_view name) {
  const auto* type = std::ranges::find(kExchangeTypes, name, &ExchangeType::name);
  return type == kExchangeTypes.end() ? nullptr : type;
}

}  // namespace quorate::exchange

// What clients and scripts may take this broker for.
#pragma once
#include <string_view>

namespace quorate {

/// A version of RabbitMQ; some parse it to decide what they may ask for.
inline constexpr std::string_view kCompatibleVersion = "4.1.0";

}  // namespace quorate

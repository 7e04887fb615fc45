// The property `expiration`: how many milliseconds a message may wait, as digits (features.md P134).
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace quorate::amqp {

/// The milliseconds, or what is wrong with the text as RabbitMQ prints it.
std::expected<std::uint64_t, std::string> parse_expiration(std::string_view text);

}  // namespace quorate::amqp

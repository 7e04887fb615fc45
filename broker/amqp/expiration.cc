#include "broker/amqp/expiration.h"

#include <charconv>
#include <system_error>

#include "base/limits.h"

namespace quorate::amqp {

std::expected<std::uint64_t, std::string> parse_expiration(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  const std::string_view digits = text.substr(is_negative || text.starts_with('+') ? 1 : 0);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value);
  if (end == digits.begin()) return std::unexpected("{error,no_integer}");
  if (end != digits.end()) return std::unexpected("{leftover_string,\"" + std::string(end, digits.end()) + "\"}");
  const bool is_below_zero = is_negative && (value > 0 || error != std::errc{});
  if (is_below_zero) return std::unexpected("{value_negative," + std::string(text) + "}");
  const bool is_too_large = error != std::errc{} || value > limits::kTtlMaxMs;
  if (is_too_large) return std::unexpected("{value_too_large," + std::string(digits) + "}");
  return value;
}

}  // namespace quorate::amqp

#include "broker/alarms/limits.h"

#include <fmt/format.h>

#include <limits>

namespace quorate::alarms {
namespace {

std::optional<std::uint64_t> share(double of_one, std::optional<std::uint64_t> whole) {
  if (!whole) return std::nullopt;
  const double bytes = of_one * static_cast<double>(*whole);
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  return bytes >= static_cast<double>(kMost) ? kMost : static_cast<std::uint64_t>(bytes);
}

}  // namespace

std::optional<std::uint64_t> memory_limit_bytes(const Limits& limits, std::optional<std::uint64_t> available_bytes) {
  if (limits.memory_absolute) return limits.memory_absolute;
  return share(limits.memory_relative, available_bytes);
}

std::string describe_memory_limit(const Limits& limits) {
  if (limits.memory_absolute) return fmt::format("{} bytes", *limits.memory_absolute);
  return fmt::format("{} of available memory", limits.memory_relative);
}

std::optional<std::uint64_t> disk_limit_bytes(const Limits& limits, std::optional<std::uint64_t> available_bytes) {
  if (limits.disk_absolute) return limits.disk_absolute;
  if (limits.disk_relative) return share(*limits.disk_relative, available_bytes);
  return kDiskFreeDefaultBytes;
}

}  // namespace quorate::alarms

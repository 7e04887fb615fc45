// When a node is short of memory or disk (features.md O030, O031): what an operator may decide, and the bounds in bytes
// that follow. A value.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace quorate::alarms {

/// Where an absolute and a relative limit are both set, the absolute one holds, as in RabbitMQ.
struct Limits {
  double memory_relative = 0.6;                  // of the memory available
  std::optional<std::uint64_t> memory_absolute;  // bytes
  std::optional<double> disk_relative;           // of the memory available
  std::optional<std::uint64_t> disk_absolute;    // bytes; without either kDiskFreeDefaultBytes
  std::optional<std::uint64_t> total_memory;     // bytes, in place of what the machine and the cgroup say
  bool operator==(const Limits&) const = default;
};

inline constexpr std::uint64_t kDiskFreeDefaultBytes = 50'000'000;

/// Above this much in use the memory alarm is on; none while a share of an unknown whole is asked for.
std::optional<std::uint64_t> memory_limit_bytes(const Limits& limits, std::optional<std::uint64_t> available_bytes);
/// What was decided: "0.6 of available memory", "2000000000 bytes".
std::string describe_memory_limit(const Limits& limits);
/// Below this much free space the disk alarm is on.
std::optional<std::uint64_t> disk_limit_bytes(const Limits& limits, std::optional<std::uint64_t> available_bytes);

}  // namespace quorate::alarms

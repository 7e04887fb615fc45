// The few files in which Linux says how much memory a process uses and may use, as text. A file that is cut, or
// anything else, is no answer: every reader wants whole lines with their line feed, and nothing it reads can make it
// fail.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace quorate::alarms {

/// What "max" means in a limit.
inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// /proc/self/statm: what is resident, without the pages of files, which the kernel takes back when it needs them.
std::optional<std::uint64_t> parse_statm(std::string_view text, std::uint64_t page_bytes);

/// /proc/meminfo: the bytes of its line MemTotal.
std::optional<std::uint64_t> parse_mem_total(std::string_view text);

/// memory.max of cgroup v2 or memory.limit_in_bytes of v1: bytes, or kNoLimit.
std::optional<std::uint64_t> parse_cgroup_limit(std::string_view text);

/// /proc/self/cgroup: where the process stands. Each begins with '/'; none when that hierarchy is not there or the
/// path leads out of what we can see.
struct CgroupPaths {
  std::optional<std::string> unified;    // cgroup v2
  std::optional<std::string> v1_memory;  // the memory controller of cgroup v1
};
CgroupPaths parse_cgroup_paths(std::string_view text);

}  // namespace quorate::alarms

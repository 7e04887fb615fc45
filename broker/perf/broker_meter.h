// What the broker's processes cost while they were measured, read from /proc: CPU time, memory, bytes to disk.
// Owned by the main thread. A process that cannot be read (it is gone, or another user's) leaves its figure out.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace quorate::perf {

/// Sums over all processes.
struct BrokerUsage {
  Duration cpu{0};                             // user and system time, to 10 ms
  std::uint64_t peak_rss_bytes = 0;            // largest resident memory seen
  std::optional<std::uint64_t> written_bytes;  // caused to be written to disk; nothing when not permitted
};

class BrokerMeter {
 public:
  explicit BrokerMeter(std::vector<int> pids) : pids_(std::move(pids)) {}

  bool is_used() const { return !pids_.empty(); }
  /// Measuring begins.
  void begin();
  /// Looks at the memory, between begin and end.
  void look();
  /// What was used since begin.
  BrokerUsage end();
  /// Resident memory now.
  std::uint64_t resident_bytes() const;

 private:
  struct Reading {
    std::uint64_t cpu_ticks = 0;
    std::uint64_t high_water_bytes = 0;
    std::optional<std::uint64_t> written_bytes;
  };
  Reading read() const;

  std::vector<int> pids_;
  Reading first_;
  std::uint64_t peak_seen_ = 0;
};

/// utime and stime, in clock ticks, of the text of /proc/PID/stat; 0 when it is no such text.
std::uint64_t cpu_ticks_of_stat(std::string_view text);
/// The number behind `name:` in the text of /proc/PID/status or /proc/PID/io.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name);

}  // namespace quorate::perf

// StallWatch: what keeps a node that runs from keeping its promises in time: a disk that does not answer, a shard that
// does not come to its turns. The other nodes learn it from the heartbeats and elect other leaders; here it becomes
// words for the operator, once when it begins and once when it is over. A machine: findings and time in, lines out.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace quorate {

class StallWatch {
 public:
  /// A write that takes longer means a disk that hangs: others should lead meanwhile.
  static constexpr Duration kDiskStallMax = std::chrono::seconds(2);
  /// When a disk hangs, or a shard stands still, for so long, clients should rather go elsewhere, too.
  static constexpr Duration kBearableMax = std::chrono::seconds(5);

  /// At one beat of the cluster watch.
  struct Findings {
    Duration disk_busy{};            // with the write that is under way now
    std::uint64_t stuck_shards = 0;  // bit i: shard i has not finished a turn lately
  };
  struct Line {
    bool is_over = false;
    std::string text;
  };
  using Lines = std::vector<Line>;

  void on_beat(const Findings& findings, Instant now, Lines& out);
  /// Why clients should rather go to another node; empty: no reason.
  const std::string& reason() const { return reason_; }

 private:
  void judge_disk(Duration busy, Instant now, Lines& out);
  void judge_shards(std::uint64_t stuck, Instant now, Lines& out);

  std::optional<Instant> disk_stalled_since_;
  std::map<std::uint32_t, Instant> stuck_since_;  // by shard
  std::optional<Instant> last_beat_;
  std::string reason_;
};

}  // namespace quorate

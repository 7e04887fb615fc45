#include "broker/node/stall_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cluster/node_liveness.h"

namespace quorate {
namespace {

constexpr std::uint32_t kShardOfBeats = 0;

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

void StallWatch::on_beat(const Findings& findings, Instant now, Lines& out) {
  // Shard 0 gives the beats, so its own standing still is known only afterwards, and so is that of the whole process.
  const Instant before = std::exchange(last_beat_, now).value_or(now);
  if (now - before >= cluster::NodeLiveness::kSilenceMax) {
    out.push_back({.is_over = true,
                   .text = fmt::format("shard.moves shard={} after={:.1f}s reason=\"this shard, or the whole process, "
                                       "stood still\"",
                                       kShardOfBeats, seconds(now - before))});
  }
  judge_disk(findings.disk_busy, now, out);
  judge_shards(findings.stuck_shards, now, out);
  const bool is_shard_stuck =
      std::ranges::any_of(stuck_since_, [&](const auto& stuck) { return now - stuck.second >= kBearableMax; });
  reason_ = findings.disk_busy >= kBearableMax ? "the disk of this node does not answer"
            : is_shard_stuck                   ? "a part of this node stands still"
                                               : "";
}

void StallWatch::judge_disk(Duration busy, Instant now, Lines& out) {
  const bool is_stalled = busy >= kDiskStallMax;
  if (is_stalled == disk_stalled_since_.has_value()) return;
  if (is_stalled) {
    disk_stalled_since_ = now - busy;
    out.push_back({.text = fmt::format("disk.stalls busy={:.1f}s effect=\"other nodes lead meanwhile; what only this "
                                       "node can confirm waits\" do=\"look at the volume of the data directory\"",
                                       seconds(busy))});
    return;
  }
  out.push_back(
      {.is_over = true, .text = fmt::format("disk.answers after={:.1f}s", seconds(now - *disk_stalled_since_))});
  disk_stalled_since_.reset();
}

void StallWatch::judge_shards(std::uint64_t stuck, Instant now, Lines& out) {
  for (std::uint32_t shard = 0; shard < cluster::NodeLiveness::kShardsMax; ++shard) {
    const bool is_stuck = (stuck >> shard & 1) != 0;
    const auto since = stuck_since_.find(shard);
    if (is_stuck == (since != stuck_since_.end())) continue;
    if (is_stuck) {
      stuck_since_.emplace(shard, now);
      out.push_back({.text = fmt::format("shard.stuck shard={} effect=\"other nodes lead meanwhile\"", shard)});
    } else {
      out.push_back({.is_over = true,
                     .text = fmt::format("shard.moves shard={} after={:.1f}s", shard, seconds(now - since->second))});
      stuck_since_.erase(since);
    }
  }
}

}  // namespace quorate

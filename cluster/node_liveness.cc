#include "cluster/node_liveness.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::cluster {

NodeLiveness::NodeLiveness(Epoch epoch, std::size_t shards, OnChange on_change)
    : epoch_(epoch), on_change_(std::move(on_change)), progress_at_(shards) {
  CHECK_LE(shards, kShardsMax);
}

void NodeLiveness::set_peers(const std::vector<NodeId>& peers) {
  for (const NodeId node : peers) peers_.try_emplace(node);
  std::vector<Change> changes;
  for (auto at = peers_.begin(); at != peers_.end();) {
    if (std::ranges::find(peers, at->first) == peers.end()) {
      note(at->first, at->second, 0, changes);
      at = peers_.erase(at);
    } else {
      ++at;
    }
  }
  tell(changes);
}

std::uint64_t NodeLiveness::moving_shards(Instant now) const {
  std::uint64_t moving = 0;
  for (std::size_t shard = 0; shard < progress_at_.size(); ++shard) {
    if (now - progress_at_[shard] < kShardStallMax) moving |= std::uint64_t{1} << shard;
  }
  return moving;
}

Heartbeat NodeLiveness::beat(Instant now) {
  return {.epoch = epoch_, .sequence = ++sequence_, .shards = disk_ok_ ? moving_shards(now) : 0};
}

void NodeLiveness::receive(NodeId from, const Heartbeat& heartbeat, Instant now) {
  const auto at = peers_.find(from);
  if (at == peers_.end()) return;
  Peer& peer = at->second;
  const bool is_old = heartbeat.epoch < peer.last.epoch ||
                      (heartbeat.epoch == peer.last.epoch && heartbeat.sequence <= peer.last.sequence);
  if (is_old) return;
  std::vector<Change> changes;
  if (heartbeat.epoch != peer.last.epoch) note(from, peer, 0, changes);  // it was down in between
  peer.last = heartbeat;
  peer.heard_at = now;
  peer.broken = false;
  note(from, peer, heartbeat.shards, changes);
  tell(changes);
}

void NodeLiveness::on_broken(NodeId node) {
  if (const auto at = peers_.find(node); at != peers_.end()) at->second.broken = true;
}

void NodeLiveness::on_time(Instant now) {
  std::vector<Change> changes;
  for (auto& [node, peer] : peers_) {
    const Duration patience = peer.broken ? kBrokenSilenceMax : kSilenceMax;
    if (peer.live_shards != 0 && now - peer.heard_at >= patience) note(node, peer, 0, changes);
  }
  tell(changes);
}

bool NodeLiveness::is_live(NodeId node, ShardId shard) const {
  const auto at = peers_.find(node);
  return at != peers_.end() && (at->second.live_shards >> shard.value() & 1) != 0;
}

void NodeLiveness::note(NodeId node, Peer& peer, std::uint64_t live_shards, std::vector<Change>& changes) {
  const std::uint64_t changed = std::exchange(peer.live_shards, live_shards) ^ live_shards;
  for (std::uint32_t shard = 0; shard < kShardsMax; ++shard) {
    if ((changed >> shard & 1) == 0) continue;
    changes.push_back({.node = node, .shard = ShardId(shard), .live = (live_shards >> shard & 1) != 0});
  }
}

/// Last of all: whoever hears of it may change the peers.
void NodeLiveness::tell(const std::vector<Change>& changes) {
  for (const Change& change : changes) on_change_(change.node, change.shard, change.live);
}

}  // namespace quorate::cluster

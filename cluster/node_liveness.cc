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
  std::vector<NodeId> gone;
  for (auto& [node, peer] : peers_) {
    if (std::ranges::find(peers, node) == peers.end()) gone.push_back(node);
  }
  for (const NodeId node : gone) {
    tell(node, peers_[node], 0);
    peers_.erase(node);
  }
}

Heartbeat NodeLiveness::beat(Instant now) {
  Heartbeat heartbeat{.epoch = epoch_, .sequence = ++sequence_};
  for (std::size_t shard = 0; disk_ok_ && shard < progress_at_.size(); ++shard) {
    if (now - progress_at_[shard] < kShardStallMax) heartbeat.shards |= std::uint64_t{1} << shard;
  }
  return heartbeat;
}

void NodeLiveness::receive(NodeId from, const Heartbeat& heartbeat, Instant now) {
  const auto at = peers_.find(from);
  if (at == peers_.end()) return;
  Peer& peer = at->second;
  const bool is_old = heartbeat.epoch < peer.last.epoch ||
                      (heartbeat.epoch == peer.last.epoch && heartbeat.sequence <= peer.last.sequence);
  if (is_old) return;
  if (heartbeat.epoch != peer.last.epoch) tell(from, peer, 0);  // it was down in between
  peer.last = heartbeat;
  peer.heard_at = now;
  tell(from, peer, heartbeat.shards);
}

void NodeLiveness::on_time(Instant now) {
  for (auto& [node, peer] : peers_) {
    if (peer.live_shards != 0 && now - peer.heard_at >= kSilenceMax) tell(node, peer, 0);
  }
}

bool NodeLiveness::is_live(NodeId node, ShardId shard) const {
  const auto at = peers_.find(node);
  return at != peers_.end() && (at->second.live_shards >> shard.value() & 1) != 0;
}

void NodeLiveness::tell(NodeId node, Peer& peer, std::uint64_t live_shards) {
  const std::uint64_t changed = std::exchange(peer.live_shards, live_shards) ^ live_shards;
  for (std::uint32_t shard = 0; shard < kShardsMax; ++shard) {
    if ((changed >> shard & 1) != 0) on_change_(node, ShardId(shard), (live_shards >> shard & 1) != 0);
  }
}

}  // namespace quorate::cluster

#include "cluster/cluster_watch.h"

#include <algorithm>
#include <utility>

namespace quorate::cluster {

ClusterWatch::ClusterWatch(Shard& shard, Epoch epoch, Surroundings surroundings)
    : shard_(shard),
      surroundings_(std::move(surroundings)),
      liveness_(epoch, shard.shard_count(), [this](NodeId node, ShardId of, bool live) { on_change(node, of, live); }),
      timer_(shard.io()) {}

void ClusterWatch::start() {
  for (std::uint32_t i = 0; i < shard_.shard_count(); ++i) liveness_.on_progress(ShardId(i), shard_.now());
  tick();
}

void ClusterWatch::stop() {
  stopped_ = true;
  timer_.cancel();
}

void ClusterWatch::set_others(const std::vector<NodeId>& others) {
  for (const NodeId node : others) nodes_.try_emplace(node, Node{.silent_since = shard_.now()});
  liveness_.set_peers(others);  // tells the end of those that are gone
  std::erase_if(nodes_, [&](const auto& entry) { return std::ranges::find(others, entry.first) == others.end(); });
  count_majority();
}

void ClusterWatch::receive(NodeId from, const Heartbeat& heartbeat) {
  liveness_.receive(from, heartbeat, shard_.now());
  count_majority();
  consider_known();
}

void ClusterWatch::tick() {
  if (stopped_) return;
  beat();
  timer_.expires_after(NodeLiveness::kInterval);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) tick();
  });
}

void ClusterWatch::beat() {
  const Instant now = shard_.now();
  for (std::uint32_t i = 0; i < shard_.shard_count(); ++i) {
    const ShardId id(i);
    shard_.post(id, [this, id, &home = shard_] {
      // Back by the way that does not need the other shard's own posting.
      home.post_from_outside([this, id] { liveness_.on_progress(id, shard_.now()); });
    });
  }
  liveness_.set_disk_ok(surroundings_.is_disk_well());
  Heartbeat heartbeat = liveness_.beat(now);
  // Shards that this node does not have are as well as can be: nodes may differ in their number.
  const std::size_t shards = shard_.shard_count();
  const std::uint64_t absent_shards = shards < NodeLiveness::kShardsMax ? ~std::uint64_t{0} << shards : 0;
  surroundings_.on_beat(~(liveness_.moving_shards(now) | absent_shards));
  heartbeat.shards |= absent_shards;
  for (const auto& [node, state] : nodes_) surroundings_.send(node, heartbeat);
  liveness_.on_time(now);
  for (auto& [id, node] : nodes_) {
    node.known = node.known || now - node.silent_since >= NodeLiveness::kSilenceMax;
    if (node.live || node.given_up || now - node.silent_since < kGiveUp) continue;
    node.given_up = true;
    surroundings_.on_given_up(id);
  }
  count_majority();
  consider_known();
}

void ClusterWatch::on_change(NodeId id, ShardId shard, bool live) {
  const auto at = nodes_.find(id);
  if (at == nodes_.end()) return;
  const std::uint64_t bit = std::uint64_t{1} << shard.value();
  at->second.live_shards = live ? at->second.live_shards | bit : at->second.live_shards & ~bit;
  settle(id, at->second);
}

/// A node is as well as its worst shard: any of them may lead what others wait for.
void ClusterWatch::settle(NodeId id, Node& node) {
  const bool live = node.live_shards == ~std::uint64_t{0};
  if (live == node.live) return;
  node.live = live;
  node.known = true;
  node.given_up = false;
  node.silent_since = shard_.now();
  surroundings_.on_node_live(id, live);
}

void ClusterWatch::count_majority() {
  const auto live = std::ranges::count_if(nodes_, [](const auto& entry) { return entry.second.live; });
  const bool has_majority = (static_cast<std::size_t>(live) + 1) * 2 > nodes_.size() + 1;
  if (has_majority == has_majority_) return;
  has_majority_ = has_majority;
  without_majority_since_ = has_majority ? std::nullopt : std::optional(shard_.now());
  surroundings_.on_majority(has_majority);
}

void ClusterWatch::when_known(std::function<void()> then) {
  when_known_ = std::move(then);
  consider_known();
}

void ClusterWatch::consider_known() {
  const bool is_known = std::ranges::all_of(nodes_, [](const auto& entry) { return entry.second.known; });
  if (!is_known || !when_known_) return;
  std::exchange(when_known_, nullptr)();
}

}  // namespace quorate::cluster

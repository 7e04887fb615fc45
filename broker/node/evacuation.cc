#include "broker/node/evacuation.h"

#include <algorithm>
#include <vector>

#include "broker/node/node_shard.h"

namespace quorate {

Evacuation::Evacuation(NodeShard& shard) : shard_(shard), timer_(shard.shard().io()) {}

Duration Evacuation::look() {
  if (is_drained()) {
    move_leaders();
    return kInterval;
  }
  return kIdleInterval;
}

void Evacuation::tick() {
  timer_.expires_after(look());
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) tick();
  });
}

bool Evacuation::is_drained() const {
  const cluster::ClusterNode* row = shard_.topology()->find_node(shard_.node());
  return row != nullptr && row->drained;
}

void Evacuation::move_leaders() {
  const Instant now = shard_.shard().now();
  std::erase_if(moving_, [&](const auto& entry) {
    const cluster::Replica* replica = shard_.groups().replica(entry.first);
    return replica == nullptr || !replica->is_leading() || now - entry.second > kTransferMax;
  });
  const std::size_t share = std::max<std::size_t>(1, kTransfersMax / shard_.shard().shard_count());
  std::vector<GroupId> led;
  if (shard_.shard().id() == ShardId(0)) led.push_back(kMetadataGroup);
  shard_.queues().for_each([&](const queue::Queue& queue) {
    const bool can_move = queue.is_ready() && queue.definition().members.size() > 1;
    if (can_move) led.push_back(queue.definition().id);
  });
  for (const GroupId group : led) {
    if (moving_.size() >= share) return;
    if (!moving_.contains(group) && move_leader(group)) moving_.emplace(group, now);
  }
}

bool Evacuation::move_leader(GroupId group) {
  const cluster::Replica* replica = shard_.groups().replica(group);
  if (replica == nullptr || !replica->is_leading()) return false;
  const auto heir = choose_heir(replica->core().configuration());
  return heir && shard_.groups().transfer(group, *heir) == raft::Refusal::none;
}

/// By chance, so that the leaders of a drained node spread over the others.
std::optional<raft::ReplicaId> Evacuation::choose_heir(const raft::Configuration& configuration) const {
  std::vector<raft::ReplicaId> heirs;
  for (const raft::ReplicaId voter : configuration.voters) {
    const NodeId node = raft::node_of(voter);
    const cluster::ClusterNode* row = shard_.topology()->find_node(node);
    const bool is_fit = node != shard_.node() && shard_.is_live(node) && row != nullptr && !row->drained;
    if (is_fit) heirs.push_back(voter);
  }
  if (heirs.empty()) return std::nullopt;
  return heirs[shard_.random().below(heirs.size())];
}

}  // namespace quorate

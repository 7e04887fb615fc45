#include "broker/node/evacuation.h"

#include <algorithm>

#include "broker/node/node_shard.h"

namespace quorate {

Evacuation::Evacuation(NodeShard& shard) : shard_(shard), timer_(shard.shard().io()) {}

Duration Evacuation::look() {
  if (leaving_ || is_drained()) {
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
  for (const GroupId group : left()) {
    if (moving_.size() >= share) return;
    if (!moving_.contains(group) && move_leader(group)) moving_.emplace(group, now);
  }
}

void Evacuation::begin_to_leave() {
  leaving_ = true;
  tick();
}

std::vector<GroupId> Evacuation::left() const {
  std::vector<GroupId> groups;
  if (shard_.shard().id() == ShardId(0)) groups.push_back(kMetadataGroup);
  shard_.queues().for_each([&](const queue::Queue& queue) {
    const bool can_move = queue.is_ready() && queue.definition().members.size() > 1;
    if (can_move) groups.push_back(queue.definition().id);
  });
  std::erase_if(groups, [this](GroupId group) { return heirs(group).empty(); });
  return groups;
}

/// By chance, so that the leaders of a drained node spread over the others.
bool Evacuation::move_leader(GroupId group) {
  const std::vector<raft::ReplicaId> heirs = this->heirs(group);
  const raft::ReplicaId heir = heirs[shard_.random().below(heirs.size())];
  return shard_.groups().transfer(group, heir) == raft::Refusal::none;
}

/// None if somebody else leads.
std::vector<raft::ReplicaId> Evacuation::heirs(GroupId group) const {
  const cluster::Replica* replica = shard_.groups().replica(group);
  if (replica == nullptr || !replica->is_leading()) return {};
  std::vector<raft::ReplicaId> heirs = replica->core().configuration().voters;
  std::erase_if(heirs, [this](raft::ReplicaId voter) {
    const NodeId node = raft::node_of(voter);
    const cluster::ClusterNode* row = shard_.topology()->find_node(node);
    return node == shard_.node() || !shard_.is_live(node) || row == nullptr || row->drained;
  });
  return heirs;
}

}  // namespace quorate

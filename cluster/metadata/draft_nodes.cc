// What commands do to nodes, and to what lives on them.
#include "cluster/metadata/draft.h"

#include <algorithm>
#include <utility>

namespace quorate::cluster {

/// Whatever lived in the memory of that node only is gone: exclusive and transient queues, transient exchanges.
Outcome Draft::on(const NodeStarted& command) {
  remove_queues(queues_in_memory(next_, command.node, command.epoch));
  if (const ClusterNode* node = next_.find_node(command.node); node != nullptr) {
    ClusterNode started = *node;
    if (started.epoch <= command.epoch) started.zone = command.zone;
    started.epoch = std::max(started.epoch, command.epoch);
    put(std::move(started));
  }
  // Transient exchanges live as long as any node does.
  if (next_.nodes.size() > 1) return Outcome::done;
  std::vector<ExchangePtr> exchanges;
  next_.exchanges_by_id.for_each([&](std::uint64_t, const ExchangePtr& exchange) {
    if (!exchange->durable) exchanges.push_back(exchange);
  });
  std::ranges::sort(exchanges, {}, [](const ExchangePtr& exchange) { return exchange->id; });
  for (const ExchangePtr& exchange : exchanges) {
    const Exchange* still = next_.find_exchange(exchange->vhost, exchange->name);
    if (still != nullptr && still->id == exchange->id) remove_exchange(*still);
  }
  return Outcome::done;
}

Outcome Draft::on(const PutNode& command) {
  ClusterNode node = command.node;
  if (const ClusterNode* before = next_.find_node(node.id); before != nullptr) {
    node.epoch = std::max(node.epoch, before->epoch);
    node.drained = before->drained;
    node.zone = before->zone;
    node.replica = before->replica;
  } else {
    if (node.id.value() == 0) node.id = NodeId(next_.highest_node.value() + 1);
    if (node.replica == raft::kNoReplica) node.replica = raft::replica_on(node.id, next_.version);
    if (is_name_taken(node.name)) return Outcome::exists;
  }
  next_.highest_node = std::max(next_.highest_node, node.id);
  put(std::move(node));
  return Outcome::done;
}

/// Queues that had no member elsewhere, or an owner there, go with it; the others lose that member.
Outcome Draft::on(const ForgetNode& command) {
  if (next_.find_node(command.id) == nullptr) return Outcome::not_found;
  next_.nodes = next_.nodes.without(std::uint64_t{command.id.value()});
  std::vector<QueuePtr> lost;
  std::vector<QueuePtr> shrunk;
  next_.queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) {
    const auto is_elsewhere = [&](raft::ReplicaId replica) { return raft::node_of(replica) != command.id; };
    const bool survives = std::ranges::any_of(queue->members, is_elsewhere);
    const bool is_orphan = queue->owner && queue->owner->node == command.id;
    if (is_orphan || (queue->members.empty() ? queue->node == command.id : !survives)) {
      lost.push_back(queue);
    } else if (queue->has_member_on(command.id)) {
      shrunk.push_back(queue);
    }
  });
  remove_queues(std::move(lost));
  std::ranges::sort(shrunk, {}, [](const QueuePtr& queue) { return queue->id; });
  for (const QueuePtr& queue : shrunk) {
    const auto is_there = [&](raft::ReplicaId replica) { return raft::node_of(replica) == command.id; };
    Queue changed = *queue;
    std::erase_if(changed.target, is_there);
    if (changed.target.empty()) {  // it was to be there alone, or nothing was to change
      changed.target = changed.members;
      std::erase_if(changed.target, is_there);
    }
    move_queue(std::move(changed));
  }
  return Outcome::done;
}

Outcome Draft::on(const PlaceQueue& command) {
  const QueuePtr* found = next_.queues_by_id.find(command.id.value());
  if (found == nullptr) return Outcome::not_found;
  if (command.nodes.empty()) return Outcome::refused;
  Queue changed = **found;
  if (!changed.target.empty()) return Outcome::in_use;
  changed.target = place(command.nodes, changed.members);
  if (changed.target.empty()) return Outcome::refused;
  if (changed.target == changed.members) return Outcome::done;
  if (!may_be_quorum(changed)) return Outcome::refused;
  changed.type = QueueType::quorum;
  move_queue(std::move(changed));
  return Outcome::done;
}

Outcome Draft::on(const QueuePlaced& command) {
  const QueuePtr* found = next_.queues_by_id.find(command.id.value());
  if (found == nullptr) return Outcome::not_found;
  Queue changed = **found;
  if (changed.target != command.members) return Outcome::refused;  // overtaken by another change
  changed.members = std::exchange(changed.target, {});
  move_queue(std::move(changed));
  return Outcome::done;
}

Outcome Draft::on(const SetQueueType& command) {
  const QueuePtr* found = next_.queues_by_id.find(command.id.value());
  if (found == nullptr) return Outcome::not_found;
  Queue changed = **found;
  if (changed.type == command.type) return Outcome::done;
  if (!changed.target.empty()) return Outcome::in_use;
  const bool is_classic = command.type == QueueType::classic;
  if (is_classic ? changed.members.size() != 1 : !may_be_quorum(changed)) return Outcome::refused;
  changed.type = command.type;
  if (is_classic) {
    changed.was_quorum = true;
    changed.node = raft::node_of(changed.members.front());
  }
  move_queue(std::move(changed));
  return Outcome::done;
}

Outcome Draft::on(const DrainNode& command) {
  const ClusterNode* found = next_.find_node(command.id);
  if (found == nullptr) return Outcome::not_found;
  ClusterNode node = *found;
  node.drained = command.drained;
  put(std::move(node));
  return Outcome::done;
}

Outcome Draft::on(const SetClusterName& command) {
  if (command.name.empty() || command.name.size() > kClusterNameMaxBytes) return Outcome::refused;
  if (command.unless_set && !next_.cluster_name.empty()) return Outcome::exists;
  next_.cluster_name = command.name;
  return Outcome::done;
}

/// As the start of its next epoch would do it. If that has come already, everything is done.
Outcome Draft::on(const GiveUpNode& command) {
  const ClusterNode* node = next_.find_node(command.id);
  if (node == nullptr) return Outcome::not_found;
  if (node->epoch != command.epoch) return Outcome::refused;
  remove_queues(queues_in_memory(next_, command.id, Epoch(command.epoch.value() + 1)));
  return Outcome::done;
}

bool Draft::admit(const Origin& origin) {
  const Origin* last = next_.origins.find(std::uint64_t{origin.node.value()});
  const Origin before = last != nullptr ? *last : Origin{.node = origin.node};
  if (origin.epoch < before.epoch) return false;
  const std::uint64_t applied = origin.epoch > before.epoch ? 0 : before.number;
  if (origin.number != applied + 1) return false;
  next_.origins = next_.origins.with(std::uint64_t{origin.node.value()}, origin);
  return true;
}

std::vector<raft::ReplicaId> Draft::place(const std::vector<NodeId>& nodes,
                                          const std::vector<raft::ReplicaId>& present) const {
  std::vector<raft::ReplicaId> members;
  for (const NodeId node : nodes) {
    if (is_gone(node)) continue;
    const auto at = std::ranges::find(present, node, raft::node_of);
    members.push_back(at != present.end() ? *at : raft::replica_on(node, next_.version));
  }
  std::ranges::sort(members);
  members.erase(std::ranges::unique(members).begin(), members.end());
  return members;
}

bool Draft::is_gone(NodeId node) const { return !next_.nodes.empty() && next_.find_node(node) == nullptr; }

bool Draft::is_name_taken(const std::string& name) const {
  bool taken = false;
  next_.nodes.for_each([&](std::uint64_t, const ClusterNode& node) { taken = taken || node.name == name; });
  return taken;
}

}  // namespace quorate::cluster

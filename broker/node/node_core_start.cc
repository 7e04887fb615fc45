// How a node starts: it gets the metadata, introduces itself, and then recovers its queues.
#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "broker/auth/password.h"
#include "broker/node/node_core.h"

namespace quorate {

void NodeCore::begin() {
  watch_->set_others(others(record_.nodes));
  if (auto started = metadata_->start(birth_of_metadata()); !started) return owner_.fail(started.error());
  announce_start();
}

/// A founder is born among the founders. Whoever joins begins outside: the leader takes it in.
cluster::Birth NodeCore::birth_of_metadata() const {
  cluster::Birth birth{.self = record_.replica, .configuration = {.voters = record_.founders}};
  birth.campaign = record_.founders.front() == record_.replica;
  return birth;
}

/// Leftovers of this node's earlier epochs go. Whatever the answer contains, this node knows now.
void NodeCore::announce_start() {
  submit_all({cluster::NodeStarted{.node = self(), .epoch = options_.epoch, .zone = here_.zone}}, metadata_->topology(),
             [this](const cluster::TopologyPtr& topology) { introduce_nodes(topology); });
}

/// The first nodes of a cluster tell the metadata of each other, and a node that has moved where it is now.
void NodeCore::introduce_nodes(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  const cluster::ClusterNode* row = topology->find_node(self());
  const bool was_never_known = self() > topology->highest_node;  // as are all of those that found a cluster
  if (row == nullptr && was_never_known) {
    for (const cluster::ClusterNode& node : record_.nodes) commands.emplace_back(cluster::PutNode{.node = node});
    commands.emplace_back(cluster::NodeStarted{.node = self(), .epoch = options_.epoch, .zone = here_.zone});
    commands.emplace_back(cluster::SetClusterName{.name = record_.nodes.front().name, .unless_set = true});
  } else if (row == nullptr) {
    return owner_.fail({.code = ErrorCode::unavailable,
                        .text = "this node was taken out of its cluster (forget_cluster_node): empty its data "
                                "directory to join again"});
  } else if (row->host != here_.host || row->port != here_.port) {
    commands.emplace_back(cluster::PutNode{.node = here_});
  }
  if (!options_.cluster_name.empty() && options_.cluster_name != topology->cluster_name) {
    commands.emplace_back(cluster::SetClusterName{.name = options_.cluster_name});
  }
  // Whoever drains a node stops it, as a rule; its next start ends that.
  if (row != nullptr && row->drained) commands.emplace_back(cluster::DrainNode{.id = self(), .drained = false});
  if (options_.on_others_left) {
    leave_others_behind(*topology, commands);
    return submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { settle_queues(now); });
  }
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { create_defaults(now); });
}

// --- a node that goes on alone (decision 21) ---

/// Whoever knows a queue here only from the metadata would begin it anew, as one member of several.
bool NodeCore::has_remains_here(const cluster::Queue& queue, const std::set<GroupId>& on_disk) const {
  const bool is_here_alone = queue.members.size() == 1 && raft::node_of(queue.members.front()) == self();
  return is_here_alone || (queue.has_member_on(self()) && on_disk.contains(queue.id));
}

/// Queues of which nothing lies here go with the nodes.
void NodeCore::leave_others_behind(const cluster::Topology& topology, std::vector<cluster::MetadataCommand>& commands) {
  const std::set<GroupId> on_disk = owner_.groups_on_disk();
  topology.queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (queue->members.empty() || has_remains_here(*queue, on_disk)) return;
    log::warn(log::Category::queue, "queue.lost queue=\"{}\" vhost=\"{}\" reason=\"nothing of it is on this node\"",
              queue->name, queue->vhost);
    commands.emplace_back(cluster::DeleteQueue{.id = queue->id});
  });
  topology.nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
    if (node.id != self()) commands.emplace_back(cluster::ForgetNode{.id = node.id});
  });
}

/// A queue that was just leaving this node may still be wanted on one that has been forgotten.
void NodeCore::settle_queues(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  topology->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    const auto is_gone = [&](raft::ReplicaId replica) {
      return topology->find_node(raft::node_of(replica)) == nullptr;
    };
    if (std::ranges::none_of(queue->target, is_gone)) return;
    commands.emplace_back(cluster::QueuePlaced{.id = queue->id, .members = queue->target});
    commands.emplace_back(cluster::PlaceQueue{.id = queue->id, .nodes = {self()}});
  });
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) {
    options_.on_others_left();
    create_defaults(now);
  });
}

// --- as any other node ---

/// An empty cluster gets its default vhost and user. Several nodes may ask; the first is heard.
void NodeCore::create_defaults(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  if (topology->vhosts.empty() && topology->users.empty()) {
    const Defaults& defaults = options_.defaults;
    auth::Salt salt;
    for (std::byte& octet : salt) octet = static_cast<std::byte>(options_.random.next());
    commands.emplace_back(
        cluster::CreateDefaults{.vhost = {.name = defaults.vhost},
                                .user = {.name = defaults.user,
                                         .password_hash = auth::hash_password(defaults.password, salt),
                                         .tags = defaults.tags},
                                .patterns = defaults.permissions});
  }
  // Whoever serves sooner tells its first clients that the nodes it has not heard of yet are down.
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr&) {
    watch_->when_known([this] { begin_to_serve(metadata_->published()); });
  });
}

void NodeCore::begin_to_serve(const cluster::TopologyPtr& topology) {
  drop_orphans(*topology);
  metadata_->set_publish([this](const auto&... change) { publish(change...); });
  follow_nodes(topology);
  on_every_shard(
      [this, topology](NodeShard& shard) { shard.recover(topology, [this] { owner_.on_shard_recovered(); }); });
}

/// `then` gets the version in which all of them have been carried out; with nothing to do that is `before`.
void NodeCore::submit_all(std::vector<cluster::MetadataCommand> commands, const cluster::TopologyPtr& before,
                          Then then) {
  if (commands.empty()) return then(before);
  const auto left = std::make_shared<std::size_t>(commands.size());
  for (cluster::MetadataCommand& command : commands) {
    metadata_->submit(std::move(command), [left, then](cluster::Outcome, const cluster::TopologyPtr& topology) {
      if (--*left == 0) then(topology);
    });
  }
}

/// A group that was declared within the history we know and is not in the topology was deleted: its log may go.
void NodeCore::drop_orphans(const cluster::Topology& topology) {
  for (const GroupId group : owner_.groups_on_disk()) {
    const GroupId owner = storage::is_staging(group) ? storage::owner_of_staging(group) : group;
    const bool is_deleted = owner != kMetadataGroup && cluster::declared_at(owner) <= topology.version &&
                            topology.find_queue(owner) == nullptr;
    if (is_deleted) node_shards_.front()->groups().drop(group);
  }
}

}  // namespace quorate

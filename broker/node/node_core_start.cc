// How a node starts: it gets the metadata, introduces itself, and then recovers its queues.
#include <memory>
#include <utility>

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
  } else if (row == nullptr) {
    return owner_.fail({.code = ErrorCode::unavailable,
                        .text = "this node was taken out of its cluster (forget_cluster_node): empty its data "
                                "directory to join again"});
  } else if (row->host != here_.host || row->port != here_.port) {
    commands.emplace_back(cluster::PutNode{.node = here_});
  }
  // Whoever drains a node stops it, as a rule; its next start ends that.
  if (row != nullptr && row->drained) commands.emplace_back(cluster::DrainNode{.id = self(), .drained = false});
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { create_defaults(now); });
}

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
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { begin_to_serve(now); });
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

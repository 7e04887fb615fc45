// How a node starts: it meets the others, gets the metadata, introduces itself, and then recovers its queues.
#include <set>
#include <utility>

#include "base/random.h"
#include "broker/auth/password.h"
#include "broker/node/node.h"
#include "broker/node/startup.h"

namespace quorate {

/// The others, if there are to be any: who this node is follows from the cluster it belongs to.
Result<void> Node::meet_others() {
  link_ = std::make_unique<ClusterLink>(config_, clock_, storage_.snapshots());
  early_ =
      std::make_unique<EarlyDoors>(EarlyView::Parts{.config = config_,
                                                    .clock = clock_,
                                                    .orders = orders_,
                                                    .outlook = [this] { return link_->outlook(); },
                                                    .situation = [this] { return early_situation(link_->outlook()); }},
                                   link_.get());
  if (auto opened = early_->open(); !opened) return opened;
  auto record = link_->form(stop_.get_token());
  if (!record) return std::unexpected(record.error());
  record_ = std::move(*record);
  return {};
}

/// Metadata first; what it knows tells which queues there are.
Result<void> Node::recover() {
  startup_ = std::make_shared<Startup>(shards_.size());
  running_ = true;
  for (auto& shard : shards_) shard->start();
  first_shard().post_from_outside([this] { doors_->start(); });
  first_shard().post_from_outside([this] {
    watch_->start();
    watch_->set_others(others(record_.nodes));
    if (auto started = metadata_->start(birth_of_metadata()); !started) return fail(started.error());
    announce_start();
  });
  link_->open(record_, epoch());
  const std::stop_callback on_stop(stop_.get_token(), [startup = startup_] {
    startup->report(failure(ErrorCode::unavailable, "stopped before a majority of the cluster was there"));
  });
  return startup_->wait();
}

/// A founder is born among the founders. Whoever joins begins outside: the leader takes it in.
cluster::Birth Node::birth_of_metadata() const {
  cluster::Birth birth{.self = record_.replica, .configuration = {.voters = record_.founders}};
  birth.campaign = record_.founders.front() == record_.replica;
  return birth;
}

/// Leftovers of this node's earlier epochs go. Whatever the answer contains, this node knows now.
void Node::announce_start() {
  submit_all({cluster::NodeStarted{.node = self(), .epoch = epoch()}}, metadata_->topology(),
             [this](const cluster::TopologyPtr& topology) { introduce_nodes(topology); });
}

/// The first nodes of a cluster tell the metadata of each other, and a node that has moved where it is now.
void Node::introduce_nodes(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  const cluster::ClusterNode* row = topology->find_node(self());
  const cluster::ClusterNode here = link_->here(record_);
  if (row == nullptr && topology->nodes.empty()) {
    for (const cluster::ClusterNode& node : record_.nodes) commands.emplace_back(cluster::PutNode{.node = node});
    commands.emplace_back(cluster::NodeStarted{.node = self(), .epoch = epoch()});
  } else if (row == nullptr) {
    return fail({.code = ErrorCode::unavailable,
                 .text = "the cluster has forgotten this node: to join again it needs an empty data directory"});
  } else if (row->host != here.host || row->port != here.port) {
    commands.emplace_back(cluster::PutNode{.node = here});
  }
  // Whoever drains a node stops it, as a rule; its next start ends that.
  if (row != nullptr && row->drained) commands.emplace_back(cluster::DrainNode{.id = self(), .drained = false});
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { create_defaults(now); });
}

/// An empty cluster gets its default vhost and user.
void Node::create_defaults(const cluster::TopologyPtr& topology) {
  std::vector<cluster::MetadataCommand> commands;
  if (topology->vhosts.empty()) {
    commands.emplace_back(cluster::PutVhost{.name = config_.default_vhost});
    Random random = Random::from_system();
    auth::Salt salt;
    for (std::byte& octet : salt) octet = static_cast<std::byte>(random.next());
    commands.emplace_back(cluster::PutUser{.name = config_.default_user,
                                           .password_hash = auth::hash_password(config_.default_pass, salt),
                                           .tags = config_.default_user_tags});
    commands.emplace_back(cluster::SetPermissions{.user = config_.default_user,
                                                  .vhost = config_.default_vhost,
                                                  .patterns = {.configure = config_.default_permission_configure,
                                                               .write = config_.default_permission_write,
                                                               .read = config_.default_permission_read}});
  }
  submit_all(std::move(commands), topology, [this](const cluster::TopologyPtr& now) { begin_to_serve(now); });
}

void Node::begin_to_serve(const cluster::TopologyPtr& topology) {
  drop_orphans(*topology);
  metadata_->set_publish([this](const auto&... change) { publish(change...); });
  follow_nodes(topology);
  recover_queues(topology);
}

/// `then` gets the version in which all of them have been carried out; with nothing to do that is `before`.
void Node::submit_all(std::vector<cluster::MetadataCommand> commands, const cluster::TopologyPtr& before, Then then) {
  if (commands.empty()) return then(before);
  const auto left = std::make_shared<std::size_t>(commands.size());
  for (cluster::MetadataCommand& command : commands) {
    metadata_->submit(std::move(command), [left, then](cluster::Outcome, const cluster::TopologyPtr& topology) {
      if (--*left == 0) then(topology);
    });
  }
}

/// A group that was declared within the history we know and is not in the topology was deleted: its log may go.
void Node::drop_orphans(const cluster::Topology& topology) {
  std::set<GroupId> found;
  for (const GroupId group : storage_.log().groups()) found.insert(group);
  for (const GroupId group : storage_.snapshots().groups()) found.insert(group);
  for (const GroupId group : found) {
    const GroupId owner = storage::is_staging(group) ? storage::owner_of_staging(group) : group;
    const bool is_deleted = owner != kMetadataGroup && cluster::declared_at(owner) <= topology.version &&
                            topology.find_queue(owner) == nullptr;
    if (is_deleted) node_shards_.front()->groups().drop(group);
  }
}

void Node::recover_queues(const cluster::TopologyPtr& topology) {
  for (auto& node_shard : node_shards_) {
    first_shard().post(node_shard->shard().id(), [shard = node_shard.get(), topology, startup = startup_] {
      shard->recover(topology, [startup] { startup->shard_recovered(); });
    });
  }
}

}  // namespace quorate

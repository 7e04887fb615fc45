#include "broker/node/node_core.h"

#include <utility>

#include "broker/exchange/exchange_types.h"

namespace quorate {
namespace {

cluster::RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

}  // namespace

NodeCore::NodeCore(NodeCoreOwner& owner, const Clock& clock, storage::GroupStorage& disk,
                   cluster::FormationRecord record, cluster::ClusterNode here, Options options)
    : owner_(owner), record_(std::move(record)), here_(std::move(here)), options_(std::move(options)) {
  build_shards(options_.shards, clock, disk);
  build_metadata();
  build_watch();
}

// --- the parts, in the order in which they need each other ---

void NodeCore::build_shards(std::size_t count, const Clock& clock, storage::GroupStorage& disk) {
  std::vector<cluster::Shard*> shards;
  for (std::size_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<cluster::Shard>(ShardId(static_cast<std::uint32_t>(i)), clock));
    shards.push_back(shards_.back().get());
  }
  for (std::size_t i = 0; i < count; ++i) {
    shards[i]->connect(shards);
    auto post = owner_.make_post(*shards[i], [this, i](NodeId to) { node_shards_[i]->on_node_unreachable(to); });
    node_shards_.push_back(build_node_shard(*shards[i], disk, post.get()));
    shard_views_.push_back(node_shards_.back().get());
    if (post) posts_.push_back(std::move(post));
  }
}

std::unique_ptr<NodeShard> NodeCore::build_node_shard(cluster::Shard& shard, storage::GroupStorage& disk,
                                                      ShardPost* post) {
  NodeShard::Options options{.node = self(),
                             .epoch = options_.epoch,
                             .after_crash = options_.after_crash,
                             .seed = options_.random.next(),
                             .wakes_itself = options_.wakes_itself,
                             .initial_quorum_size = options_.initial_quorum_size,
                             .groups = options_.groups,
                             .counters = counters_,
                             .transport = post,
                             .remote = post,
                             .on_taken_over = [this](NodeId from) { owner_.on_taken_over(from); },
                             .on_failure = [this](const Error& error) { owner_.fail(error); }};
  return std::make_unique<NodeShard>(shard, disk, options_.sessions, std::move(options));
}

void NodeCore::build_metadata() {
  metadata_ = std::make_unique<cluster::MetadataHost>(
      first_shard(), node_shards_.front()->groups(),
      cluster::MetadataHost::Options{
          .node = self(),
          .epoch = options_.epoch,
          .make_index = &make_index,
          .forward = [this](NodeId to, const Bytes& entry) { posts_.front()->send_metadata(to, entry); }});
  first_shard().add_hook(*metadata_);
  for (NodeShard* shard : shard_views_) shard->connect(shard_views_, *metadata_);
  // Last of a turn: what it made for other nodes leaves.
  for (std::size_t i = 0; i < posts_.size(); ++i) shards_[i]->add_hook(posts_[i]->outgoing());
}

void NodeCore::build_watch() {
  watch_ = std::make_unique<cluster::ClusterWatch>(
      first_shard(), options_.epoch,
      cluster::ClusterWatch::Surroundings{
          .send =
              [this](NodeId to, const cluster::Heartbeat& beat) {
                posts_.front()->send(to, beat);
                owner_.on_beat(to, *posts_.front());
              },
          .on_node_live =
              [this](NodeId node, bool live) {
                owner_.on_node_live(node, live);
                given_up_.remove(node);
                const auto health = live ? queue::NodeHealth::live : queue::NodeHealth::silent;
                on_every_shard([node, health](NodeShard& shard) { shard.on_node_health(node, health); });
              },
          .on_given_up =
              [this](NodeId node) {
                given_up_.add(node, *metadata_->topology());
                on_every_shard([node](NodeShard& shard) { shard.on_node_health(node, queue::NodeHealth::given_up); });
              },
          .on_majority =
              [this](bool has_majority) {
                has_majority_ = has_majority;
                pause_or_resume();
              },
          .is_disk_well = [this] { return owner_.is_disk_well(); },
          .on_beat =
              [this](std::uint64_t stuck_shards) {
                look_at_itself(stuck_shards);
                end_what_was_given_up();
              }});
}

/// Followers go on with a leader whose words still come, so one whose disk hangs, or whose neighbour stands still, sees
/// to its successor itself.
void NodeCore::look_at_itself(std::uint64_t stuck_shards) {
  owner_.on_stuck_shards(stuck_shards);
  if (owner_.is_disk_well() && stuck_shards == 0) return;
  on_every_shard([stuck_shards](NodeShard& shard) {
    const bool was_stuck = (stuck_shards >> shard.shard().id().value() & 1) != 0;  // old news when it moves again
    if (!was_stuck) shard.hand_over_leaders();
  });
}

/// The leader's business, and only at once: an order that came late could strike a node that is back.
void NodeCore::end_what_was_given_up() {
  if (!metadata_->is_leading() || !has_majority_) return;
  for (const cluster::GiveUpNode& command : given_up_.look(*metadata_->topology())) metadata_->propose_once(command);
}

// --- at work ---

void NodeCore::publish(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes) {
  if (!topology->nodes.is_same(followed_->nodes)) follow_nodes(topology);
  on_every_shard([topology, changes](NodeShard& shard) { shard.on_topology(topology, changes); });
}

std::vector<NodeId> NodeCore::others(const std::vector<cluster::ClusterNode>& nodes) const {
  std::vector<NodeId> others;
  for (const cluster::ClusterNode& node : nodes) {
    if (node.id != self()) others.push_back(node.id);
  }
  return others;
}

/// Everybody who deals with other nodes hears who they are.
void NodeCore::follow_nodes(const cluster::TopologyPtr& topology) {
  followed_ = topology;
  std::vector<cluster::ClusterNode> nodes;
  topology->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) { nodes.push_back(node); });
  watch_->set_others(others(nodes));
  owner_.on_nodes(topology);
  pause_or_resume();
}

void NodeCore::serve() {
  recovered_ = true;
  pause_or_resume();
}

void NodeCore::refuse_clients() {
  stopping_ = true;
  watch_->stop();
}

/// A node that is cut off from the majority can keep no promise to its clients, and one that is drained should not.
void NodeCore::pause_or_resume() {
  const cluster::ClusterNode* row = followed_ ? followed_->find_node(self()) : nullptr;
  const bool is_drained = row != nullptr && row->drained;
  const bool is_paused = !has_majority_ && options_.pauses_in_minority;
  if (!recovered_) return;
  const bool wanted = !stopping_ && !is_drained && !is_paused;
  const Readiness readiness = wanted ? Readiness::serving : is_drained ? Readiness::drained : Readiness::minority;
  owner_.show(readiness);
  if (wanted == serving_) return;
  serving_ = wanted;
  if (wanted) {
    on_every_shard([](NodeShard& shard) { shard.resume_clients(); });
    return owner_.welcome_clients();
  }
  const std::string reason =
      is_drained ? "Node was put into maintenance mode" : "broker forced connection closure with reason 'minority'";
  owner_.pause_clients(readiness, reason);
  on_every_shard([reason](NodeShard& shard) { shard.pause_clients(reason); });
}

}  // namespace quorate

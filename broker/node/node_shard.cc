#include "broker/node/node_shard.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "broker/amqp/table_codec.h"
#include "broker/queue/arguments.h"

namespace quorate {
namespace {
constexpr ShardId kMetadataShard{0};

queue::Configure settings_of(const cluster::Queue& queue, const policy::PolicyBook& policies) {
  const auto declared = amqp::decode_table(as_bytes(queue.arguments));
  CHECK(declared.has_value());
  const cluster::QueueType type = queue::queue_type(*declared);
  const Table arguments = policy::effective_arguments(*declared, policies.of(queue).definition(), type);
  queue::Configure settings = queue::settings_from(arguments, type == cluster::QueueType::quorum);
  settings.holds_all = queue.type == cluster::QueueType::quorum;
  return settings;
}

cluster::HostOptions host_options(const NodeShard::Options& options) {
  cluster::HostOptions host = options.groups;
  host.node = options.node;
  host.epoch = options.epoch;
  host.seed = options.seed;
  return host;
}

}  // namespace

NodeShard::NodeShard(cluster::Shard& shard, storage::GroupStorage& storage, const amqp::SessionOptions& sessions,
                     Options options)
    : shard_(shard),
      options_(std::move(options)),
      random_(options_.seed),
      switchboard_(shard, options_.node, options_.remote),
      courier_(shard, {.switchboard = switchboard_,
                       .topology = [this]() -> const cluster::TopologyPtr& { return view_; },
                       .ask_here = [this](GroupId queue) { ask_here(queue); },
                       .is_live = [this](NodeId node) { return is_live(node); },
                       .is_alive = [this](const queue::SessionId& id) { return sessions_.contains(id.serial); },
                       .deliver = [this](queue::SessionMail mail) { give_to_session(std::move(mail)); }}),
      groups_(shard, storage, options_.transport, host_options(options_), options_.on_failure),
      host_timer_(shard, groups_, [this] { return queues_.next_deadline(); }),
      queues_(shard,
              {.switchboard = switchboard_,
               .groups = groups_,
               .cache_budget = cache_budget_,
               .transient_bodies = transient_bodies_,
               .node = options_.node,
               .epoch = options_.epoch,
               .after_crash = options_.after_crash,
               .health_of = [this](NodeId node) { return health_of(node); },
               .settings_of = [this](const cluster::Queue& queue) { return settings_of(queue, policies_); },
               .topology = [this]() -> const cluster::Topology& { return *view_; },
               .announce = [this](const queue::Leadership& news, bool everywhere) { announce(news, everywhere); },
               .on_taken_over = [this](const cluster::Queue& queue,
                                       std::optional<NodeId> before) { on_taken_over(queue, before); },
               .report_placed = [this](GroupId id,
                                       std::vector<raft::ReplicaId> members) { report_placed(id, std::move(members)); },
               .adopt = [this](ShardId shard, GroupId id,
                               std::vector<queue::Adopted> consumers) { adopt(shard, id, std::move(consumers)); },
               .request_delete = [this](GroupId id) { request_delete(id); },
               .on_failure = options_.on_failure}),
      connections_(shard, *this, sessions),
      recovery_(*this),
      evacuation_(*this) {
  // The order of a round: what clients are owed leaves first; then mail goes out, queues pack it into entries, groups
  // apply them and hand them to the log. What comes of that reaches the clients with the next round.
  shard_.add_hook(connections_);
  shard_.add_hook(courier_);
  shard_.add_hook(switchboard_);
  shard_.add_hook(queues_);
  shard_.add_hook(groups_);
  if (options_.wakes_itself) shard_.add_hook(host_timer_);
  shard_.add_hook(recovery_);
}

NodeShard::~NodeShard() = default;

void NodeShard::connect(const std::vector<NodeShard*>& shards, cluster::MetadataHost& metadata) {
  metadata_ = &metadata;
  shards_ = shards;
  switchboard_.connect({shards.begin(), shards.end()});
}

void NodeShard::recover(const cluster::TopologyPtr& topology, std::function<void()> on_recovered) {
  follow(topology);
  placement_.count(topology);
  if (auto recovered = queues_.recover(topology); !recovered) {
    options_.on_failure(recovered.error());
    return;
  }
  recovery_.on_recovered = std::move(on_recovered);
  if (options_.wakes_itself) evacuation_.start();
}

bool NodeShard::RecoveryWatch::on_turn_end() {
  if (on_recovered && owner_.queues_.is_recovered()) std::exchange(on_recovered, nullptr)();
  return false;
}

void NodeShard::on_topology(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes) {
  follow(topology);
  placement_.count(topology, changes);
  courier_.on_topology(changes);
  queues_.on_topology(topology, changes);
  for (const cluster::QueuePtr& queue : changes.moved) {
    const bool is_here = queue->has_member_on(options_.node) && queue::is_tracked(*queue, options_.node);
    if (is_here) switchboard_.send({.queue = queue->id, .shard = shard_.id(), .version = topology->version});
  }
}

void NodeShard::adopt(ShardId shard, GroupId queue, std::vector<queue::Adopted> consumers) {
  NodeShard* there = shards_.at(shard.value());
  if (there == this) return courier_.adopt(queue, consumers);
  shard_.post(shard, [there, queue, consumers = std::move(consumers)] { there->courier_.adopt(queue, consumers); });
}

std::vector<NodeId> NodeShard::place(std::size_t count) {
  std::vector<Placement::Candidate> others;
  view_->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
    if (node.id != options_.node) others.push_back({.node = node.id, .fitness = fitness_of(node.id)});
  });
  return placement_.choose(options_.node, others, count, random_);
}

NodeId NodeShard::choose_leader(cluster::QueueType type, const std::vector<NodeId>& members) {
  std::vector<NodeId> fit = members;
  std::erase_if(fit, [this](NodeId node) { return fitness_of(node) != Placement::Fitness::fit; });
  return fit.empty() ? options_.node : placement_.choose_leader(type, fit, random_);
}

bool NodeShard::has_lost_majority(const cluster::Queue& queue) const {
  if (queue.type != cluster::QueueType::quorum) return false;
  std::size_t live_nodes = 0;
  view_->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) { live_nodes += is_live(node.id); });
  const auto live =
      std::ranges::count_if(queue.members, [this](auto member) { return is_live(raft::node_of(member)); });
  return live_nodes * 2 > view_->nodes.size() && static_cast<std::size_t>(live) * 2 <= queue.members.size();
}

bool NodeShard::has_ended(const queue::SessionId& session) const {
  if (session.node != options_.node) return !is_live(session.node);
  if (session.epoch != options_.epoch) return true;
  return queue::shard_of(session) == shard_.id() && !sessions_.contains(session.serial);
}

Placement::Fitness NodeShard::fitness_of(NodeId node) const {
  if (!is_live(node)) return Placement::Fitness::silent;
  const cluster::ClusterNode* row = view_->find_node(node);
  return row != nullptr && row->drained ? Placement::Fitness::drained : Placement::Fitness::fit;
}

void NodeShard::on_node_health(NodeId node, queue::NodeHealth health) {
  health_[node] = health;
  const bool is_known_silent = health == queue::NodeHealth::given_up;
  if (!is_known_silent) groups_.on_node_live(node, health == queue::NodeHealth::live);
  queues_.on_node_health(node);
}

queue::NodeHealth NodeShard::health_of(NodeId node) const {
  if (node == options_.node) return queue::NodeHealth::live;
  const auto at = health_.find(node);
  return at != health_.end() ? at->second : queue::NodeHealth::silent;
}

void NodeShard::on_node_unreachable(NodeId node) {
  groups_.on_node_unreachable(node);
  courier_.on_node_unreachable(node);
  queues_.on_node_unreachable(node);
}

void NodeShard::announce(const queue::Leadership& leadership, bool everywhere) {
  for (NodeShard* shard : shards_) {
    shard_.post(shard->shard_.id(), [shard, leadership] { shard->courier_.on_leadership(leadership); });
  }
  if (!everywhere || options_.remote == nullptr) return;
  view_->nodes.for_each([&](std::uint64_t, const cluster::ClusterNode& node) {
    if (node.id != options_.node) options_.remote->send(node.id, leadership);
  });
}

void NodeShard::on_taken_over(const cluster::Queue& queue, std::optional<NodeId> before) {
  log::debug(log::Category::queue, "queue.leads queue=\"{}\" vhost=\"{}\" before={}", queue.name, queue.vhost,
             before ? std::to_string(before->value()) : "-");
  if (before) shard_.post(kMetadataShard, [this, from = *before] { options_.on_taken_over(from); });
}

void NodeShard::on_remote(NodeId from, const queue::WhoLeads& question) {
  const auto known = queues_.leadership(question.queue);
  if (known && options_.remote != nullptr) options_.remote->send(from, *known);
}

/// There and back, to the shard where a replica of the queue may live.
void NodeShard::ask_here(GroupId queue) {
  NodeShard* home = shards_.at(queue::shard_of(queue, shards_.size()).value());
  shard_.post(home->shard_.id(), [this, home, queue] {
    const auto known = home->queues_.leadership(queue);
    if (!known) return;
    home->shard_.post(shard_.id(), [this, known] { courier_.on_leadership(*known); });
  });
}

/// Versions reach a shard by more than one way; the newest counts.
void NodeShard::follow(const cluster::TopologyPtr& topology) {
  if (topology->version <= view_->version) return;
  const bool has_departed = topology->departed > view_->departed;
  view_ = topology;
  policies_.follow(*topology);
  // Not at once: a session may be in the middle of something.
  if (has_departed) shard_.post(shard_.id(), [this] { end_departed(); });
}

/// The connections of users, and in virtual hosts, that are there no more.
void NodeShard::end_departed() {
  std::vector<amqp::Session*> sessions;
  for (const auto& [serial, session] : sessions_) sessions.push_back(session);  // one that ends leaves sessions_
  for (amqp::Session* session : sessions) {
    if (session->end_if_departed(shard_.now())) connections_.mark_dirty(*session);
  }
}

void NodeShard::on_mail(queue::SessionMail mail) {
  const bool is_for_now = mail.to.node == options_.node && mail.to.epoch == options_.epoch;
  if (!is_for_now) return;
  if (mail.tracked) return courier_.on_mail(std::move(mail));
  give_to_session(std::move(mail));
}

void NodeShard::give_to_session(queue::SessionMail mail) {
  const auto at = sessions_.find(mail.to.serial);
  if (at == sessions_.end()) {
    if (auto question = questions_.extract(mail.to.serial)) {
      courier_.end(mail.to);
      question.mapped()(std::move(mail));
    }
    return;
  }
  if (const auto* deleted = std::get_if<queue::Deleted>(&mail.what); deleted != nullptr && deleted->topology) {
    follow(deleted->topology);
  }
  connections_.mark_dirty(*at->second);
  at->second->on_mail(std::move(mail));
}

void NodeShard::end(const queue::SessionId& id) {
  sessions_.erase(id.serial);
  courier_.end(id);
}

queue::SessionId NodeShard::begin(amqp::Session& session) {
  const std::uint64_t serial = queue::make_serial(shard_.id(), ++last_serial_);
  sessions_.emplace(serial, &session);
  return {.node = options_.node, .epoch = options_.epoch, .serial = serial};
}

queue::SessionId NodeShard::await_answer(std::move_only_function<void(queue::SessionMail)> answer) {
  const std::uint64_t serial = queue::make_serial(shard_.id(), ++last_serial_);
  questions_.emplace(serial, std::move(answer));
  return {.node = options_.node, .epoch = options_.epoch, .serial = serial};
}

void NodeShard::submit(const queue::SessionId& from, cluster::MetadataCommand command) {
  using Patience = cluster::MetadataHost::Patience;
  const bool is_last = std::holds_alternative<cluster::ConnectionClosed>(command);  // nobody waits, and it must be done
  submit_command(
      std::move(command),
      [this, from](cluster::Outcome outcome, const cluster::TopologyPtr& topology) {
        on_metadata(from, {.outcome = outcome, .topology = topology ? topology : view_, .timed_out = !topology});
      },
      is_last ? Patience::endless : Patience::limited);
}

bool NodeShard::admit(Counted what, std::uint32_t limit) {
  if (++counter(what) <= limit) return true;
  --counter(what);
  return false;
}

void NodeShard::remark(std::string text) { log::warn(log::Category::queue, "{}", text); }

void NodeShard::request_delete(GroupId queue) {
  if (stopping_) return;  // an auto-delete queue does not lose its last consumer because the node stops
  submit_command(
      cluster::DeleteQueue{.id = queue},
      [this, queue](cluster::Outcome, const cluster::TopologyPtr& topology) {
        if (!topology) queues_.on_delete_timed_out(queue);
      },
      cluster::MetadataHost::Patience::limited);
}

void NodeShard::report_placed(GroupId queue, std::vector<raft::ReplicaId> members) {
  submit_command(cluster::QueuePlaced{.id = queue, .members = std::move(members)},
                 [](cluster::Outcome, const cluster::TopologyPtr&) {});
}

/// There and back: the command goes to the shard of the metadata, and `done` is called here.
void NodeShard::submit_command(cluster::MetadataCommand command, cluster::MetadataHost::Done done,
                               cluster::MetadataHost::Patience patience) {
  shard_.post(kMetadataShard, [this, command = std::move(command), done = std::move(done), patience]() mutable {
    cluster::Shard& metadata_shard = metadata_->shard();
    metadata_->submit(
        std::move(command),
        [this, &metadata_shard, done = std::move(done)](cluster::Outcome outcome,
                                                        const cluster::TopologyPtr& topology) mutable {
          metadata_shard.post(shard_.id(),
                              [done = std::move(done), outcome, topology]() mutable { done(outcome, topology); });
        },
        patience);
  });
}

void NodeShard::fence(const queue::SessionId& from) {
  shard_.post(kMetadataShard, [this, from] {
    cluster::Shard& metadata_shard = metadata_->shard();
    metadata_->fence([this, from, &metadata_shard](const cluster::TopologyPtr& topology) {
      metadata_shard.post(shard_.id(), [this, from, topology] {
        on_metadata(from, {.topology = topology ? topology : view_, .timed_out = !topology});
      });
    });
  });
}

void NodeShard::on_metadata(const queue::SessionId& to, const amqp::MetadataReply& reply) {
  follow(reply.topology);
  const auto at = sessions_.find(to.serial);
  if (at == sessions_.end()) return;
  connections_.mark_dirty(*at->second);
  at->second->on_metadata(to, reply);
}

}  // namespace quorate

#include "broker/node/node_view.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <utility>

#include "base/log.h"
#include "broker/amqp/channel.h"
#include "broker/amqp/session.h"
#include "broker/message/compatible_version.h"
#include "broker/node/listener_probe.h"
#include "broker/node/process_facts.h"

namespace quorate {
namespace {

std::string id_of(const queue::ConsumerKey& key) {
  return std::to_string(key.session.node.value()) + "." + std::to_string(key.session.epoch.value()) + "." +
         std::to_string(key.session.serial) + "." + std::to_string(key.link);
}

http::ConsumerRow consumer_row(const amqp::Channel& channel, const amqp::Channel::Consumer& consumer) {
  return {.id = id_of({.session = channel.session_id(), .link = consumer.link}),
          .tag = consumer.tag,
          .queue = consumer.queue_name,
          .ack_required = !consumer.no_ack,
          .timeout_ms = std::chrono::duration_cast<std::chrono::milliseconds>(consumer.timeout).count(),
          .exclusive = consumer.exclusive,
          .prefetch = consumer.prefetch,
          .arguments = consumer.arguments};
}

http::ChannelRow channel_row(const amqp::Channel& channel) {
  http::ChannelRow row{.number = channel.id().value(),
                       .transactional = channel.is_transactional(),
                       .confirm = channel.has_confirms(),
                       .prefetch = channel.consumer_prefetch(),
                       .global_prefetch = channel.global_prefetch(),
                       .unacknowledged = channel.unacked_count(),
                       .unconfirmed = channel.has_confirms() ? channel.unconfirmed_count() : 0,
                       .uncommitted = channel.uncommitted_publications(),
                       .acks_uncommitted = channel.uncommitted_settlements(),
                       .consumers = {}};
  channel.for_each_consumer(
      [&](const amqp::Channel::Consumer& consumer) { row.consumers.push_back(consumer_row(channel, consumer)); });
  return row;
}

http::ConnectionRow connection_row(const amqp::Session& session, const std::string& node) {
  const bool is_running = session.state() == amqp::Session::State::running;
  http::ConnectionRow row{.name = session.peer().name,
                          .node = node,
                          .user = session.user(),
                          .vhost = session.vhost(),
                          .client_name = session.client_name(),
                          .state = !is_running            ? "closing"
                                   : session.is_blocked() ? "blocked"
                                                          : "running",
                          .mechanism = session.mechanism(),
                          .client_properties = session.client_properties(),
                          .is_tls = session.peer().is_tls,
                          .heartbeat = std::chrono::duration_cast<std::chrono::seconds>(session.heartbeat()),
                          .frame_max = session.frame_max(),
                          .channel_max = session.channel_max(),
                          .connected_at = session.peer().connected_at,
                          .received_bytes = session.received_bytes(),
                          .sent_bytes = session.sent_bytes(),
                          .waiting_bytes = session.waiting_bytes(),
                          .channels = {}};
  session.for_each_channel([&](const amqp::Channel& channel) { row.channels.push_back(channel_row(channel)); });
  return row;
}

std::string_view state_of(const raft::Core& core) {
  if (core.is_recovering()) return "recovering";
  switch (core.role()) {
    case raft::Role::follower:
      return "follower";
    case raft::Role::pre_candidate:
      return "pre_vote";
    case raft::Role::candidate:
      return "candidate";
    case raft::Role::leader:
      return "leader";
  }
  return "unknown";
}

/// In RabbitMQ's words.
std::string_view membership_of(const raft::Core& core) {
  const raft::Configuration& now = core.configuration();
  if (now.is_voter(core.self())) return "voter";
  return std::ranges::binary_search(now.joining, core.self()) ? "promotable" : "non_voter";
}

/// Clients that have not opened a vhost are nobody's business yet, and those that have said goodbye none any more.
bool is_listed(const amqp::Session& session) {
  return session.state() == amqp::Session::State::running || session.state() == amqp::Session::State::closing;
}

http::QueueAnswer no_answer_of(const queue::SessionMail& mail) {
  const auto* gone = std::get_if<queue::Gone>(&mail.what);
  const bool is_there = gone != nullptr && gone->unreachable;
  return {.outcome = is_there ? http::QueueOutcome::unreachable : http::QueueOutcome::not_found};
}

}  // namespace

NodeView::NodeView(Parts parts)
    : parts_(std::move(parts)), config_(parts_.config), shards_(parts_.shards), started_(SystemClock().now()) {}

std::string_view NodeView::rabbitmq_version() const { return kCompatibleVersion; }

void NodeView::probe_listeners(Done<std::vector<http::ListenerRow>> done) {
  auto probe = std::make_shared<ListenerProbe>(home().shard().io(), open_listeners(), std::move(done));
  probe->start();
}

std::vector<http::ListenerRow> NodeView::open_listeners() const {
  std::vector<http::ListenerRow> open = listeners_;
  if (state_ == http::ServiceState::serving) return open;
  std::erase_if(open, [](const http::ListenerRow& row) { return row.protocol.starts_with("amqp"); });
  return open;
}

bool NodeView::is_loopback_user(std::string_view name) const {
  return std::ranges::find(config_.loopback_users, name) != config_.loopback_users.end();
}

http::NodeRow NodeView::this_node() const {
  const auto uptime = std::chrono::duration_cast<std::chrono::milliseconds>(home().shard().now() - started_);
  const cluster::ClusterNode* row = topology()->find_node(self());
  const alarms::Alarms& alarms = parts_.alarms.alarms();
  const alarms::Shortage shortage = parts_.alarms.own();
  http::NodeRow node = describe_process(config_);
  node.being_drained = row != nullptr && row->drained;
  node.uptime = std::max(uptime, std::chrono::milliseconds(0));
  node.processors = static_cast<std::uint32_t>(shards_.size());
  node.memory_limit_setting = alarms::describe_memory_limit(alarms.limits());
  node.memory_limit = alarms.memory_limit().value_or(0);
  node.memory_alarm = shortage.memory;
  node.disk_free = alarms.sample().disk_free_bytes.value_or(node.disk_free);
  node.disk_free_limit = alarms.disk_limit().value_or(0);
  node.disk_alarm = shortage.disk;
  node.listeners = open_listeners();
  return node;
}

std::vector<http::AlarmRow> NodeView::alarms() const {
  std::vector<http::AlarmRow> rows;
  for (const alarms::Alarm& alarm : parts_.alarms.in_force()) {
    rows.push_back({.node = alarm.node_name, .resource = std::string(alarms::name_of(alarm.resource))});
  }
  return rows;
}

// --- what the shards know ---

std::optional<NodeView::SeenQueue> NodeView::see(const NodeShard& shard, GroupId id) {
  const queue::Queue* queue = shard.queues().find(id);
  if (queue == nullptr) return std::nullopt;
  SeenQueue seen{.leader = queue->leadership().leader, .counts = {.id = id}};
  seen.leads = queue->is_ready() && seen.leader == shard.node();
  if (!seen.leads) return seen;
  const queue::QueueMachine& machine = queue->machine();
  seen.counts.ready = machine.ready_count();
  seen.counts.unacknowledged = machine.unsettled_count();
  seen.counts.delayed = machine.delayed_count();
  seen.counts.message_bytes = machine.message_bytes();
  seen.counts.consumers = machine.consumer_count();
  seen.counts.has_single_active_consumer = machine.settings().single_active_consumer;
  if (machine.active_consumer()) seen.counts.active_consumer = id_of(*machine.active_consumer());
  return seen;
}

void NodeView::see_queues(Done<std::vector<SeenQueue>> done) {
  const auto seen_by = [](NodeShard& shard) {
    std::vector<SeenQueue> seen;
    shard.queues().for_each([&](const queue::Queue& queue) { seen.push_back(*see(shard, queue.definition().id)); });
    return seen;
  };
  gather<SeenQueue>(seen_by, std::move(done));
}

void NodeView::see_queue(GroupId id, Done<std::optional<SeenQueue>> done) {
  gather_one<std::optional<SeenQueue>>(id, [id](NodeShard& shard) { return see(shard, id); }, std::move(done));
}

std::optional<http::ReplicaRow> NodeView::replica_row(const NodeShard& shard, GroupId id) const {
  const cluster::Replica* replica = shard.groups().replica(id);
  if (replica == nullptr || !replica->is_open()) return std::nullopt;
  const raft::Core& core = replica->core();
  return http::ReplicaRow{.node = config_.node_name,
                          .state = std::string(state_of(core)),
                          .membership = std::string(membership_of(core)),
                          .last_index = core.last_index().value(),
                          .last_written = core.durable_index().value(),
                          .last_applied = replica->applied().value(),
                          .commit_index = core.commit_index().value(),
                          .snapshot_index = core.log().base().index.value(),
                          .term = core.term().value(),
                          .machine_version = core.configuration().machine_version};
}

void NodeView::see_replica(GroupId id, Done<std::optional<http::ReplicaRow>> done) {
  gather_one<std::optional<http::ReplicaRow>>(
      id, [this, id](NodeShard& shard) { return replica_row(shard, id); }, std::move(done));
}

void NodeView::see_connections(Done<std::vector<http::ConnectionRow>> done) {
  const auto rows_of = [this](NodeShard& shard) {
    std::vector<http::ConnectionRow> rows;
    shard.connections().for_each_session([&](const amqp::Session& session) {
      if (is_listed(session)) rows.push_back(connection_row(session, config_.node_name));
    });
    return rows;
  };
  gather<http::ConnectionRow>(rows_of, std::move(done));
}

void NodeView::submit(cluster::MetadataCommand command, Done<cluster::Outcome> done) {
  home().submit_command(
      std::move(command),
      [done = std::move(done)](cluster::Outcome outcome, const cluster::TopologyPtr&) mutable { done(outcome); });
}

/// The metadata alone decides: its members stop and drop what they have when they hear of it, whenever they are back.
void NodeView::delete_unasked(const cluster::Queue& queue, Done<http::QueueAnswer> done) {
  if (!has_majority()) return done({.outcome = http::QueueOutcome::unreachable});
  log::warn(log::Category::queue,
            "queue.deleted_unasked queue=\"{}\" vhost=\"{}\" consequence=\"its members were not heard\"", queue.name,
            queue.vhost);
  submit(cluster::DeleteQueue{.id = queue.id}, [done = std::move(done)](cluster::Outcome outcome) mutable {
    using Outcome = http::QueueOutcome;
    const bool was_gone = outcome == cluster::Outcome::not_found;
    done({.outcome = was_gone ? Outcome::not_found : Outcome::done, .is_counted = false});
  });
}

/// Whether it is empty or unused only its leader can say.
void NodeView::delete_queue(GroupId queue, http::DeleteQueueOptions options, Done<http::QueueAnswer> done) {
  const cluster::Queue* definition = topology()->find_queue(queue);
  const bool is_lost = definition != nullptr && home().has_lost_majority(*definition);
  const bool has_condition = options.if_unused || options.if_empty;
  if (is_lost && has_condition) return done({.outcome = http::QueueOutcome::unreachable});
  if (is_lost || (options.force && definition != nullptr)) return delete_unasked(*definition, std::move(done));
  auto on_answer = [done = std::move(done)](const queue::SessionMail& mail) mutable {
    using Outcome = http::QueueOutcome;
    const auto* deleted = std::get_if<queue::Deleted>(&mail.what);
    if (deleted == nullptr) return done(no_answer_of(mail));
    switch (deleted->outcome) {
      case queue::DeleteOutcome::deleted:
        return done({.outcome = Outcome::done, .messages = deleted->count});
      case queue::DeleteOutcome::in_use:
        return done({.outcome = Outcome::in_use});
      case queue::DeleteOutcome::not_empty:
        return done({.outcome = Outcome::not_empty});
    }
  };
  const queue::SessionId from = home().await_answer(std::move(on_answer));
  home().send(
      {.queue = queue, .from = from, .what = queue::DeleteIf{.unused = options.if_unused, .empty = options.if_empty}});
}

void NodeView::purge_queue(GroupId queue, Done<http::QueueAnswer> done) {
  const queue::SessionId from = home().await_answer([done = std::move(done)](const queue::SessionMail& mail) mutable {
    const auto* purged = std::get_if<queue::Purged>(&mail.what);
    done(purged != nullptr ? http::QueueAnswer{.messages = purged->count} : no_answer_of(mail));
  });
  home().send({.queue = queue, .from = from, .what = queue::Purge{.session = from}});
}

std::size_t NodeView::close_here(NodeShard& shard, const std::string& name, const std::string& reason) {
  std::size_t count = 0;
  shard.connections().for_each_session([&](amqp::Session& session) {
    if (!is_listed(session) || session.peer().name != name) return;
    session.on_shutdown(reason, shard.shard().now());
    shard.connections().mark_dirty(session);
    ++count;
  });
  return count;
}

void NodeView::close_here(const std::string& name, const std::string& reason, Done<std::size_t> done) {
  const auto close = [name, reason](NodeShard& shard) { return std::vector{close_here(shard, name, reason)}; };
  gather<std::size_t>(close, [done = std::move(done)](const std::vector<std::size_t>& closed) mutable {
    done(std::accumulate(closed.begin(), closed.end(), std::size_t{0}));
  });
}

}  // namespace quorate

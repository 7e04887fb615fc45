#include "broker/node/node_view.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "broker/amqp/channel.h"
#include "broker/amqp/names.h"
#include "broker/amqp/session.h"
#include "broker/node/listener_probe.h"
#include "broker/node/process_facts.h"

namespace quorate {
namespace {

http::ConsumerRow row_of(const amqp::Channel::Consumer& consumer) {
  return {.tag = consumer.tag,
          .queue = consumer.queue_name,
          .ack_required = !consumer.no_ack,
          .exclusive = consumer.exclusive,
          .prefetch = consumer.prefetch,
          .arguments = consumer.arguments};
}

http::ChannelRow row_of(const amqp::Channel& channel) {
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
      [&](const amqp::Channel::Consumer& consumer) { row.consumers.push_back(row_of(consumer)); });
  return row;
}

http::ConnectionRow row_of(const amqp::Session& session, const std::string& node) {
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
  session.for_each_channel([&](const amqp::Channel& channel) { row.channels.push_back(row_of(channel)); });
  return row;
}

/// Clients that have not opened a vhost are nobody's business yet, and those that have said goodbye none any more.
bool is_listed(const amqp::Session& session) {
  return session.state() == amqp::Session::State::running || session.state() == amqp::Session::State::closing;
}

}  // namespace

NodeView::NodeView(const Config& config, std::vector<NodeShard*> shards)
    : config_(config), shards_(std::move(shards)), started_(SystemClock().now()) {}

template <class Row>
void NodeView::gather(std::function<std::vector<Row>(NodeShard&)> make, Done<std::vector<Row>> done) {
  struct Gathering {
    std::vector<Row> rows;
    std::size_t waiting = 0;
    Done<std::vector<Row>> done;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->waiting = shards_.size();
  gathering->done = std::move(done);
  const ShardId here = home().shard().id();
  for (NodeShard* shard : shards_) {
    home().shard().post(shard->shard().id(), [shard, here, make, gathering] {
      shard->shard().post(here, [gathering, rows = make(*shard)]() mutable {
        std::ranges::move(rows, std::back_inserter(gathering->rows));
        if (--gathering->waiting == 0) gathering->done(std::move(gathering->rows));
      });
    });
  }
}

std::string_view NodeView::rabbitmq_version() const { return amqp::kCompatibleVersion; }

void NodeView::set_service_state(http::ServiceState state) {
  state_ = state;
  if (state != http::ServiceState::serving) return;
  for (auto& done : std::exchange(waiting_for_service_, {})) done();
}

void NodeView::when_serving(Done<> done) {
  if (state_ == http::ServiceState::serving) return done();
  waiting_for_service_.push_back(std::move(done));
}

void NodeView::probe_listeners(Done<std::vector<http::ListenerRow>> done) {
  auto probe = std::make_shared<ListenerProbe>(home().shard().io(), listeners_, std::move(done));
  probe->start();
}

bool NodeView::is_loopback_user(std::string_view name) const {
  return std::ranges::find(config_.loopback_users, name) != config_.loopback_users.end();
}

http::NodeRow NodeView::this_node() const {
  const OpenFiles files = open_files();
  const auto uptime = std::chrono::duration_cast<std::chrono::milliseconds>(home().shard().now() - started_);
  return {.name = config_.node_name,
          .running = true,
          .being_drained = state_ == http::ServiceState::draining,
          .os_pid = process_id(),
          .uptime = std::max(uptime, std::chrono::milliseconds(0)),
          .processors = static_cast<std::uint32_t>(shards_.size()),
          .files_open = files.all,
          .files_max = open_files_max(),
          .sockets_open = files.sockets,
          .memory_used = resident_memory_bytes(),
          .disk_free = disk_free_bytes(config_.data_dir),
          .data_dir = config_.data_dir,
          .log_files = config_.log.file.empty() ? std::vector<std::string>{} : std::vector{config_.log.file},
          .config_files = {},
          .listeners = listeners_};
}

void NodeView::collect_nodes(Done<std::vector<http::NodeRow>> done) { done({this_node()}); }

http::QueueRow NodeView::queue_row(const cluster::QueuePtr& definition, const NodeShard& shard) const {
  http::QueueRow row{.definition = definition, .node = config_.node_name, .state = "down"};
  const queue::Queue* queue = shard.queues().find(definition->id);
  if (queue == nullptr) return row;
  const queue::QueueMachine& machine = queue->machine();
  row.state = queue->is_ready() ? "running" : "down";
  row.ready = machine.ready_count();
  row.unacknowledged = machine.unsettled_count();
  row.message_bytes = machine.message_bytes();
  row.consumers = machine.consumer_count();
  return row;
}

void NodeView::collect_queues(Done<std::vector<http::QueueRow>> done) {
  const auto rows_of = [this](NodeShard& shard) {
    std::vector<http::QueueRow> rows;
    shard.topology()->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& definition) {
      const bool is_here = queue::shard_of(definition->id, shards_.size()) == shard.shard().id();
      if (is_here) rows.push_back(queue_row(definition, shard));
    });
    return rows;
  };
  gather<http::QueueRow>(rows_of, std::move(done));
}

void NodeView::collect_queue(GroupId id, Done<std::optional<http::QueueRow>> done) {
  const ShardId here = home().shard().id();
  NodeShard* shard = shards_[queue::shard_of(id, shards_.size()).value()];
  home().shard().post(shard->shard().id(), [this, id, here, shard, done = std::move(done)]() mutable {
    const cluster::QueuePtr* definition = shard->topology()->queues_by_id.find(id.value());
    std::optional<http::QueueRow> row;
    if (definition != nullptr) row = queue_row(*definition, *shard);
    shard->shard().post(here, [row = std::move(row), done = std::move(done)]() mutable { done(std::move(row)); });
  });
}

void NodeView::collect_connections(Done<std::vector<http::ConnectionRow>> done) {
  const auto rows_of = [this](NodeShard& shard) {
    std::vector<http::ConnectionRow> rows;
    shard.connections().for_each_session([&](const amqp::Session& session) {
      if (is_listed(session)) rows.push_back(row_of(session, config_.node_name));
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

void NodeView::delete_queue(GroupId queue, bool if_unused, bool if_empty, Done<http::DeleteQueueAnswer> done) {
  auto on_answer = [done = std::move(done)](const queue::SessionMail& mail) mutable {
    using Outcome = http::DeleteQueueOutcome;
    const auto* deleted = std::get_if<queue::Deleted>(&mail.what);
    if (deleted == nullptr) return done({.outcome = Outcome::not_found});
    switch (deleted->outcome) {
      case queue::DeleteOutcome::deleted:
        return done({.outcome = Outcome::deleted, .messages = deleted->count});
      case queue::DeleteOutcome::in_use:
        return done({.outcome = Outcome::in_use});
      case queue::DeleteOutcome::not_empty:
        return done({.outcome = Outcome::not_empty});
    }
  };
  const queue::SessionId from = home().await_answer(std::move(on_answer));
  home().send({.queue = queue, .from = from, .what = queue::DeleteIf{.unused = if_unused, .empty = if_empty}});
}

void NodeView::purge_queue(GroupId queue, Done<std::optional<std::uint64_t>> done) {
  const queue::SessionId from = home().await_answer([done = std::move(done)](const queue::SessionMail& mail) mutable {
    const auto* purged = std::get_if<queue::Purged>(&mail.what);
    done(purged != nullptr ? std::optional(purged->count) : std::nullopt);
  });
  home().send({.queue = queue, .from = from, .what = queue::Purge{.session = from}});
}

void NodeView::close_connections(std::string name, std::string reason, Done<std::size_t> done) {
  const auto close = [name = std::move(name), reason = std::move(reason)](NodeShard& shard) {
    std::vector<std::string> closed;
    shard.connections().for_each_session([&](amqp::Session& session) {
      if (!is_listed(session) || session.peer().name != name) return;
      session.on_shutdown(reason, shard.shard().now());
      shard.connections().mark_dirty(session);
      closed.push_back(name);
    });
    return closed;
  };
  gather<std::string>(
      close, [done = std::move(done)](const std::vector<std::string>& closed) mutable { done(closed.size()); });
}

}  // namespace quorate

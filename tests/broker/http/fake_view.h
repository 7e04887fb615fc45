// A broker for tests of the HTTP API and of the control commands: a real topology behind a real metadata machine, and
// rows that the test writes down.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "broker/auth/password.h"
#include "broker/exchange/exchange_types.h"
#include "broker/http/broker_view.h"
#include "cluster/metadata/machine.h"

namespace quorate::http {

class FakeView final : public BrokerView {
 public:
  /// The vhost "/" and guest, who may do everything.
  FakeView()
      : machine_([](std::string_view type) -> cluster::RoutingIndexPtr {
          const auto* found = exchange::find_exchange_type(type);
          return found != nullptr ? found->make_index() : nullptr;
        }) {
    apply(cluster::PutVhost{.name = "/"});
    put_user("guest", "guest", {"administrator"});
    permit("guest", "/");
  }

  cluster::Outcome apply(cluster::MetadataCommand command) {
    cluster::MetadataEffects effects;
    const Bytes entry = cluster::encode_entry({.commands = {std::move(command)}});
    CHECK(machine_.apply(LogIndex(++index_), entry.view(), effects).has_value());
    return effects.outcomes.front();
  }
  void put_user(const std::string& name, const std::string& password, std::vector<std::string> tags) {
    apply(cluster::PutUser{.name = name, .password_hash = auth::hash_password(password, {}), .tags = std::move(tags)});
  }
  void permit(const std::string& user, const std::string& vhost) {
    apply(cluster::SetPermissions{
        .user = user, .vhost = vhost, .patterns = {.configure = ".*", .write = ".*", .read = ".*"}});
  }
  /// Declared, and listed with so many messages.
  void put_queue(const std::string& vhost, const std::string& name, std::uint64_t ready = 0) {
    apply(cluster::DeclareQueue{.queue = {.vhost = vhost, .name = name, .durable = true}});
    const auto* found = topology()->find_vhost(vhost)->queues.find(name);
    queues.push_back({.definition = *found, .node = "rabbit@test", .state = "running", .ready = ready});
  }
  void put_connection(const std::string& name, const std::string& user) {
    connections.push_back({.name = name, .node = "rabbit@test", .user = user, .vhost = "/", .state = "running"});
  }

  const cluster::TopologyPtr& topology() const override { return machine_.topology(); }
  std::string_view node_name() const override { return "rabbit@test"; }
  std::string_view rabbitmq_version() const override { return "4.1.0"; }
  ServiceState service_state() const override { return state; }
  std::string stalls() const override { return stalling; }
  std::vector<AlarmRow> alarms() const override { return raised; }
  bool is_loopback_user(std::string_view name) const override { return name == "guest"; }
  std::vector<CriticalRow> quorum_critical() const override { return critical; }
  bool has_majority() const override { return majority; }
  bool is_live(NodeId node) const override { return std::ranges::find(silent, node) == silent.end(); }
  std::string waits_for() const override { return waits; }
  NodeRow this_node() const override {
    return {.name = "rabbit@test",
            .running = true,
            .memory_limit = 600,
            .memory_limit_setting = "0.6 of available memory",
            .disk_free = 70,
            .disk_free_limit = 50,
            .listeners = {{.protocol = "amqp", .address = "::", .port = 5672},
                          {.protocol = "http", .address = "127.0.0.1", .port = 15672}}};
  }
  std::size_t target_cluster_size() const override { return target_size; }
  bool is_below_connection_limit() const override { return has_room; }
  std::string_view default_queue_type() const override { return "classic"; }
  // Time is up at once.
  void when_serving(Duration limit, Done<bool> done) override {
    last_limit = limit;
    done(state == ServiceState::serving);
  }
  void when_not_quorum_critical(Duration limit, Done<bool> done) override {
    last_limit = limit;
    done(critical.empty());
  }
  /// Those of the topology, without the silent ones.
  void when_online(std::size_t nodes, Duration limit, Done<bool> done) override {
    last_limit = limit;
    done(topology()->nodes.size() - silent.size() >= nodes);
  }
  /// What changes the members does so meanwhile, or never.
  void when_placed(GroupId queue, Duration limit, Done<bool> done) override {
    last_limit = limit;
    const cluster::Queue* found = topology()->find_queue(queue);
    if (places && found != nullptr) apply(cluster::QueuePlaced{.id = queue, .members = found->target});
    done(places);
  }
  void when_silent(NodeId node, Done<bool> done) override { done(!is_live(node)); }
  void when_leading_nothing(Done<std::size_t> done) override { done(0); }
  void transfer_leadership(GroupId queue, NodeId to, Done<Result<void>> done) override {
    transfers.emplace_back(queue, to);
    done(transfer_outcome);
  }
  void probe_listeners(Done<std::vector<ListenerRow>> done) override { done(unreachable); }
  void collect_nodes(Done<std::vector<NodeRow>> done) override {
    done({this_node(), {.name = "rabbit@dead", .running = false}});
  }
  void collect_queues(Done<std::vector<QueueRow>> done) override { done(queues); }
  void collect_queue(GroupId queue, Done<std::optional<QueueRow>> done) override {
    const auto found = std::ranges::find(queues, queue, [](const QueueRow& row) { return row.definition->id; });
    done(found != queues.end() ? std::optional(*found) : std::nullopt);
  }
  void collect_replicas(GroupId, Done<std::vector<ReplicaRow>> done) override { done(replicas); }
  void collect_connections(Done<std::vector<ConnectionRow>> done) override { done(connections); }
  void submit(cluster::MetadataCommand command, Done<cluster::Outcome> done) override {
    done(apply(std::move(command)));
  }
  void delete_queue(GroupId queue, DeleteQueueOptions options, Done<QueueAnswer> done) override {
    const auto found = std::ranges::find(queues, queue, [](const QueueRow& row) { return row.definition->id; });
    if (found == queues.end()) return done({.outcome = QueueOutcome::not_found});
    if (options.force) return done({.is_counted = false});
    if (found->state == "down") return done({.outcome = QueueOutcome::unreachable});
    if (options.if_unused && found->consumers > 0) return done({.outcome = QueueOutcome::in_use});
    if (options.if_empty && found->ready > 0) return done({.outcome = QueueOutcome::not_empty});
    done({.outcome = QueueOutcome::done, .messages = found->ready});
  }
  void purge_queue(GroupId queue, Done<QueueAnswer> done) override {
    const auto found = std::ranges::find(queues, queue, [](const QueueRow& row) { return row.definition->id; });
    if (found == queues.end()) return done({.outcome = QueueOutcome::not_found});
    if (found->state == "down") return done({.outcome = QueueOutcome::unreachable});
    done({.messages = std::exchange(found->ready, 0)});
  }
  void close_connections(std::string name, std::string reason, Done<std::size_t> done) override {
    close_reason = std::move(reason);
    done(std::erase_if(connections, [&](const ConnectionRow& row) { return row.name == name; }));
  }
  void forget_node(NodeId node, bool force, Done<Result<void>> done) override {
    if (is_live(node)) return done(failure(ErrorCode::unavailable, "it is running"));
    if (needed && !force) return done(failure(ErrorCode::unavailable, "it is needed"));
    apply(cluster::ForgetNode{.id = node});
    done({});
  }
  std::optional<Result<void>> order(const Order& order) override {
    orders.push_back(order);
    return order_outcome;
  }
  std::uint64_t random() override { return ++index_; }

  ServiceState state = ServiceState::serving;
  std::string stalling;
  std::vector<AlarmRow> raised;
  std::vector<CriticalRow> critical;
  bool majority = true;
  std::string waits;
  Duration last_limit{};
  std::vector<NodeId> silent;
  std::size_t target_size = 1;
  bool has_room = true;
  bool places = false;
  bool needed = false;  // those who are forgotten, for some queue's majority
  std::vector<std::pair<GroupId, NodeId>> transfers;
  Result<void> transfer_outcome;
  std::vector<QueueRow> queues;
  std::vector<ReplicaRow> replicas;
  std::vector<ConnectionRow> connections;
  std::vector<ListenerRow> unreachable;
  std::string close_reason;
  std::vector<Order> orders;
  std::optional<Result<void>> order_outcome = Result<void>();

 private:
  cluster::MetadataMachine machine_;
  std::uint64_t index_ = 0;
};

}  // namespace quorate::http

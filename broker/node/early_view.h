// EarlyView: a node that looks for its cluster, or was stopped by an order, as operators may see it: how its process is
// and for whom it waits. It knows no queues, no users and no clients; Control and Api refuse what needs them before
// they ask.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "broker/http/broker_view.h"
#include "broker/node/config.h"
#include "broker/node/orders.h"
#include "cluster/formation.h"
#include "cluster/shard.h"

namespace quorate {

class EarlyView final : public http::BrokerView {
 public:
  /// What is borrowed outlives the view; the functions are called on its thread.
  struct Parts {
    const Config& config;
    const Clock& clock;
    Orders& orders;
    http::ServiceState state = http::ServiceState::starting;
    std::function<cluster::Outlook()> outlook;
    std::function<Situation()> situation;
  };
  /// `thread`, borrowed too, is the one that the view lives on.
  EarlyView(Parts parts, cluster::Shard& thread)
      : parts_(std::move(parts)), config_(parts_.config), thread_(thread), started_(parts_.clock.now()) {}

  void set_listeners(std::vector<http::ListenerRow> listeners) { listeners_ = std::move(listeners); }

  const cluster::TopologyPtr& topology() const override { return nothing_; }
  std::string_view node_name() const override { return config_.node_name; }
  std::string_view rabbitmq_version() const override;
  http::ServiceState service_state() const override { return parts_.state; }
  std::vector<http::AlarmRow> alarms() const override { return {}; }
  bool is_loopback_user(std::string_view) const override { return true; }
  std::vector<http::CriticalRow> quorum_critical() const override { return {}; }
  bool has_majority() const override { return false; }
  bool is_live(NodeId) const override { return false; }
  std::string waits_for() const override { return parts_.outlook().waits_for; }
  http::NodeRow this_node() const override;
  std::size_t target_cluster_size() const override { return config_.cluster.target_size(); }
  bool is_below_connection_limit() const override { return true; }
  std::string_view default_queue_type() const override { return config_.default_queue_type; }

  /// It never does. Who waits for it sees its connection end with the doors, and knocks again.
  void when_serving(Duration limit, Done<bool> done) override;
  void when_not_quorum_critical(Duration, Done<bool> done) override { done(false); }
  void when_online(std::size_t, Duration, Done<bool> done) override { done(false); }
  void when_placed(GroupId, Duration, Done<bool> done) override { done(false); }
  void when_silent(NodeId, Done<bool> done) override { done(false); }
  void when_leading_nothing(Done<std::size_t> done) override { done(0); }
  void probe_listeners(Done<std::vector<http::ListenerRow>> done) override { done({}); }

  /// Those that it was told of, and whether they answer.
  void collect_nodes(Done<std::vector<http::NodeRow>> done) override;
  void collect_queues(Done<std::vector<http::QueueRow>> done) override { done({}); }
  void collect_queue(GroupId, Done<std::optional<http::QueueRow>> done) override { done(std::nullopt); }
  void collect_replicas(GroupId, Done<std::vector<http::ReplicaRow>> done) override { done({}); }
  void collect_connections(Done<std::vector<http::ConnectionRow>> done) override { done({}); }

  void submit(cluster::MetadataCommand, Done<cluster::Outcome> done) override { done(cluster::Outcome::refused); }
  void delete_queue(GroupId, http::DeleteQueueOptions, Done<http::QueueAnswer> done) override {
    done({.outcome = http::QueueOutcome::not_found});
  }
  void purge_queue(GroupId, Done<http::QueueAnswer> done) override { done({.outcome = http::QueueOutcome::not_found}); }
  void transfer_leadership(GroupId, NodeId, Done<Result<void>> done) override;
  void close_connections(std::string, std::string, Done<std::size_t> done) override { done(0); }
  void forget_node(NodeId, bool, Done<Result<void>> done) override;
  std::optional<Result<void>> order(const http::Order& order) override;
  std::uint64_t random() override { return Random::from_system().next(); }

 private:
  const Parts parts_;
  const Config& config_;
  cluster::Shard& thread_;
  const Instant started_;
  const cluster::TopologyPtr nothing_ = std::make_shared<const cluster::Topology>();
  std::vector<http::ListenerRow> listeners_;
};

}  // namespace quorate

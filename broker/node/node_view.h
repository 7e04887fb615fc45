// NodeView: this node and its cluster behind http::BrokerView. It lives on shard 0. What other shards know it asks them
// for in one post each; what other nodes know, in one question to each that answers heartbeats. Rows are merged when
// the last one has answered or its time is up: a queue's row comes from the node of its leader.
#pragma once
#include <algorithm>
#include <boost/json/object.hpp>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "broker/alarms/alarm_watch.h"
#include "broker/http/broker_view.h"
#include "broker/node/aside.h"
#include "broker/node/cluster_link.h"
#include "broker/node/config.h"
#include "broker/node/node_counters.h"
#include "broker/node/node_shard.h"
#include "broker/node/orders.h"
#include "broker/node/queue_rows.h"
#include "broker/node/row_json.h"
#include "broker/node/stall_watch.h"
#include "cluster/cluster_watch.h"

namespace quorate {

class NodeView final : public http::BrokerView {
 public:
  /// All borrowed: the node outlives its view. `shards` by id.
  struct Parts {
    const Config& config;
    std::vector<NodeShard*> shards;
    ClusterLink& link;
    const cluster::ClusterWatch& watch;
    const alarms::AlarmWatch& alarms;
    const StallWatch& stalls;
    const NodeCounters& counters;
    Orders& orders;
  };
  explicit NodeView(Parts parts);

  // On shard 0, like everything below.
  void set_service_state(http::ServiceState state) { state_ = state; }
  /// What an order has to reckon with. Also when nothing runs any more.
  Situation situation() const;
  void set_listeners(std::vector<http::ListenerRow> listeners) { listeners_ = std::move(listeners); }
  /// Those of them that listen: those for clients are closed while there are to be none.
  std::vector<http::ListenerRow> open_listeners() const;
  /// What the view of another node asks.
  void on_question(const Bytes& words, cluster::AnswerFunction answer);
  static constexpr std::string_view kQuestion = "view";
  NodeShard& home() const { return *shards_.front(); }

  const cluster::TopologyPtr& topology() const override { return home().topology(); }
  std::string_view node_name() const override { return config_.node_name; }
  std::string_view rabbitmq_version() const override;
  http::ServiceState service_state() const override { return state_; }
  std::string stalls() const override { return parts_.stalls.reason(); }
  std::vector<http::AlarmRow> alarms() const override;
  bool is_loopback_user(std::string_view name) const override;
  std::vector<http::CriticalRow> quorum_critical() const override;
  bool has_majority() const override { return parts_.watch.has_majority(); }
  bool is_live(NodeId node) const override { return node == self() || parts_.watch.is_live(node); }
  std::string waits_for() const override;
  http::NodeRow this_node() const override;
  std::size_t target_cluster_size() const override { return config_.cluster.target_size(); }
  bool is_below_connection_limit() const override { return parts_.counters.connections < config_.connection_max; }
  std::string_view default_queue_type() const override { return config_.default_queue_type; }

  void when_serving(Duration limit, Done<bool> done) override;
  void when_not_quorum_critical(Duration limit, Done<bool> done) override;
  void when_online(std::size_t nodes, Duration limit, Done<bool> done) override;
  void when_placed(GroupId queue, Duration limit, Done<bool> done) override;
  void when_silent(NodeId node, Done<bool> done) override;
  void when_leading_nothing(Done<std::size_t> done) override;
  void probe_listeners(Done<std::vector<http::ListenerRow>> done) override;

  void collect_nodes(Done<std::vector<http::NodeRow>> done) override;
  void collect_queues(Done<std::vector<http::QueueRow>> done) override;
  void collect_queue(GroupId queue, Done<std::optional<http::QueueRow>> done) override;
  void collect_replicas(GroupId queue, Done<std::vector<http::ReplicaRow>> done) override;
  void collect_connections(Done<std::vector<http::ConnectionRow>> done) override;

  void submit(cluster::MetadataCommand command, Done<cluster::Outcome> done) override;
  void delete_queue(GroupId queue, http::DeleteQueueOptions options, Done<http::QueueAnswer> done) override;
  void purge_queue(GroupId queue, Done<http::QueueAnswer> done) override;
  void transfer_leadership(GroupId queue, NodeId to, Done<Result<void>> done) override;
  void close_connections(std::string name, std::string reason, Done<std::size_t> done) override;
  void forget_node(NodeId node, bool force, Done<Result<void>> done) override;
  std::optional<Result<void>> order(const http::Order& order) override;
  std::uint64_t random() override { return home().random().next(); }
  void aside(Done<> work, Done<> then) override { aside_.run(std::move(work), std::move(then)); }

 private:
  /// A queue as a replica on this node knows it.
  struct SeenQueue {
    std::optional<NodeId> leader;
    bool leads = false;  // here: what follows is known
    LedQueue counts;
  };
  struct Said {
    NodeId node;
    boost::json::value value;
  };

  NodeId self() const { return home().node(); }

  // node_view.cc: this node
  static std::optional<SeenQueue> see(const NodeShard& shard, GroupId queue);
  std::optional<http::ReplicaRow> replica_row(const NodeShard& shard, GroupId queue) const;
  void see_queues(Done<std::vector<SeenQueue>> done);
  void see_queue(GroupId queue, Done<std::optional<SeenQueue>> done);
  void see_replica(GroupId queue, Done<std::optional<http::ReplicaRow>> done);
  void see_connections(Done<std::vector<http::ConnectionRow>> done);
  void delete_unasked(const cluster::Queue& queue, Done<http::QueueAnswer> done);
  static std::size_t close_here(NodeShard& shard, const std::string& name, const std::string& reason);
  void close_here(const std::string& name, const std::string& reason, Done<std::size_t> done);
  /// `make(shard)` runs on each shard; `done` gets all rows here.
  template <class Row>
  void gather(std::function<std::vector<Row>(NodeShard&)> make, Done<std::vector<Row>> done);
  /// `make(shard)` runs on the shard of the queue; `done` gets what it gave here.
  template <class Row>
  void gather_one(GroupId queue, std::function<Row(NodeShard&)> make, Done<Row> done);

  // node_view_waits.cc: what takes a while
  void transfer_here(GroupId queue, NodeId to, Done<Result<void>> done);
  static Result<void> begin_transfer(NodeShard& shard, GroupId queue, NodeId to);

  // node_view_orders.cc: what may be done to nodes
  std::vector<std::string> queues_needing(NodeId node, bool classic_too) const;

  // node_view_cluster.cc: rows of all nodes
  std::vector<cluster::ClusterNode> members() const;
  std::vector<cluster::ClusterNode> others() const;
  std::string name_of(NodeId node) const;
  std::vector<std::string> forgotten_members(const cluster::Queue* queue) const;
  QueueRows queue_rows() const;
  static std::vector<http::QueueRow> merge(const QueueRows& maker, const cluster::Topology& topology,
                                           std::vector<SeenQueue> seen, const std::vector<Said>& said);

  // node_view_questions.cc: what nodes ask each other
  using Answer = Done<Result<boost::json::value>>;
  void ask(const cluster::ClusterNode& node, const boost::json::object& question, Answer done);
  /// `done`: what those said that answered.
  void ask_each(const std::vector<cluster::ClusterNode>& nodes, const boost::json::object& question,
                Done<std::vector<Said>> done);
  void answer(const boost::json::object& question, Answer done);
  void answer_queues(cluster::AnswerFunction reply);

  const Parts parts_;
  const Config& config_;
  const std::vector<NodeShard*>& shards_;
  const Instant started_;
  http::ServiceState state_ = http::ServiceState::starting;
  std::vector<http::ListenerRow> listeners_;
  Aside aside_{home().shard()};
};

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

template <class Row>
void NodeView::gather_one(GroupId queue, std::function<Row(NodeShard&)> make, Done<Row> done) {
  const ShardId here = home().shard().id();
  NodeShard* shard = shards_[queue::shard_of(queue, shards_.size()).value()];
  home().shard().post(shard->shard().id(), [here, shard, make = std::move(make), done = std::move(done)]() mutable {
    shard->shard().post(here, [row = make(*shard), done = std::move(done)]() mutable { done(std::move(row)); });
  });
}

}  // namespace quorate

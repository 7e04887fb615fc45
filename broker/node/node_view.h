// NodeView: this node behind http::BrokerView. It lives on shard 0; what other shards know it asks them for in one post
// each, and merges their rows when the last one has answered.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "broker/http/broker_view.h"
#include "broker/node/config.h"
#include "broker/node/node_shard.h"

namespace quorate {

class NodeView final : public http::BrokerView {
 public:
  /// All borrowed: the node outlives its view. `shards` by id.
  NodeView(const Config& config, std::vector<NodeShard*> shards);

  // On shard 0, like everything below.
  void set_service_state(http::ServiceState state);
  void set_listeners(std::vector<http::ListenerRow> listeners) { listeners_ = std::move(listeners); }

  const cluster::TopologyPtr& topology() const override { return home().topology(); }
  std::string_view node_name() const override { return config_.node_name; }
  std::string_view cluster_name() const override { return config_.cluster_name; }
  std::string_view rabbitmq_version() const override;
  http::ServiceState service_state() const override { return state_; }
  std::vector<http::AlarmRow> alarms() const override { return {}; }
  bool is_loopback_user(std::string_view name) const override;
  std::vector<std::string> quorum_critical() const override { return {}; }
  http::NodeRow this_node() const override;
  std::string_view default_queue_type() const override { return config_.default_queue_type; }

  void when_serving(Done<> done) override;
  void probe_listeners(Done<std::vector<http::ListenerRow>> done) override;

  void collect_nodes(Done<std::vector<http::NodeRow>> done) override;
  void collect_queues(Done<std::vector<http::QueueRow>> done) override;
  void collect_queue(GroupId queue, Done<std::optional<http::QueueRow>> done) override;
  void collect_connections(Done<std::vector<http::ConnectionRow>> done) override;

  void submit(cluster::MetadataCommand command, Done<cluster::Outcome> done) override;
  void delete_queue(GroupId queue, bool if_unused, bool if_empty, Done<http::DeleteQueueAnswer> done) override;
  void purge_queue(GroupId queue, Done<std::optional<std::uint64_t>> done) override;
  void close_connections(std::string name, std::string reason, Done<std::size_t> done) override;
  std::uint64_t random() override { return home().random().next(); }

 private:
  NodeShard& home() const { return *shards_.front(); }
  http::QueueRow queue_row(const cluster::QueuePtr& definition, const NodeShard& shard) const;
  /// `make(shard)` runs on each shard; `done` gets all rows here.
  template <class Row>
  void gather(std::function<std::vector<Row>(NodeShard&)> make, Done<std::vector<Row>> done);

  const Config& config_;
  const std::vector<NodeShard*> shards_;
  const Instant started_;
  http::ServiceState state_ = http::ServiceState::starting;
  std::vector<http::ListenerRow> listeners_;
  std::vector<Done<>> waiting_for_service_;
};

}  // namespace quorate

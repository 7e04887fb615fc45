// Node: one Quorate process, built by hand in the order in which its parts need each other. The map of the program.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "broker/alarms/alarm_watch.h"
#include "broker/node/cluster_link.h"
#include "broker/node/config.h"
#include "broker/node/early_doors.h"
#include "broker/node/listeners.h"
#include "broker/node/node_shard.h"
#include "broker/node/node_storage.h"
#include "broker/node/node_view.h"
#include "broker/node/operator_doors.h"
#include "broker/node/orders.h"
#include "broker/node/shard_post.h"
#include "cluster/cluster_watch.h"
#include "cluster/metadata/host.h"
#include "cluster/shard.h"

namespace quorate {

class Startup;

class Node {
 public:
  /// `orders` are given through the node's doors. `on_failure` is called when the node cannot go on, from any of its
  /// threads, at most once; stop() must follow.
  Node(Config config, Orders& orders, std::function<void(const Error&)> on_failure);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Recovers what is on disk, meets the other nodes, and serves once there is a majority of them; so it may block for
  /// long. On an error nothing runs any more.
  Result<void> start();
  /// Any thread: a start() that waits for other nodes returns soon, with ErrorCode::unavailable.
  void interrupt_start();
  /// Refuses, tells the clients, flushes, stops; within seconds. May be called after a failed start().
  void stop();

  /// SIGHUP: certificates, log levels and the limits of the alarms are read again from `config`; the rest of it needs a
  /// restart.
  void reload(const Config& config);

  std::vector<std::string> listener_names() const;
  /// As it was when the node stopped.
  const Situation& situation() const { return situation_; }
  Epoch epoch() const { return storage_.epoch(); }

 private:
  void build();
  void build_shards();
  std::unique_ptr<NodeShard> build_node_shard(cluster::Shard& shard, ShardPost* post);
  void build_metadata();
  void build_watch();
  void build_doors();
  std::vector<http::ListenerRow> all_listeners() const;
  Result<void> recover();
  void drop_orphans(const cluster::Topology& topology);
  Result<void> meet_others();
  cluster::Birth birth_of_metadata() const;
  void announce_start();
  void introduce_nodes(const cluster::TopologyPtr& topology);
  void create_defaults(const cluster::TopologyPtr& topology);
  void begin_to_serve(const cluster::TopologyPtr& topology);
  using Then = std::function<void(const cluster::TopologyPtr&)>;
  void submit_all(std::vector<cluster::MetadataCommand> commands, const cluster::TopologyPtr& before, Then then);
  void publish(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes);
  std::vector<NodeId> others(const std::vector<cluster::ClusterNode>& nodes) const;
  void follow_nodes(const cluster::TopologyPtr& topology);
  void on_majority(bool has_majority);
  void pause_or_resume();
  template <class Task>
  void on_every_shard(Task task) {
    for (NodeShard* shard : shard_views_) {
      first_shard().post(shard->shard().id(), [shard, task] { task(*shard); });
    }
  }
  void recover_queues(const cluster::TopologyPtr& topology);
  void block_publishers(const std::string& reason);
  void fail(const Error& error);
  void stop_clients();
  void stop_shards();
  cluster::Shard& first_shard() { return *shards_.front(); }
  NodeId self() const { return record_.self; }

  Config config_;
  Orders& orders_;
  std::function<void(const Error&)> on_failure_;
  Situation situation_;
  SystemClock clock_;
  amqp::SessionOptions session_options_;
  std::stop_source stop_;  // of a start that waits
  cluster::FormationRecord record_;

  NodeStorage storage_;

  std::unique_ptr<ClusterLink> link_;
  std::unique_ptr<EarlyDoors> early_;  // until the shards are there
  std::shared_ptr<NodeCounters> counters_ = std::make_shared<NodeCounters>();

  std::vector<std::unique_ptr<cluster::Shard>> shards_;
  std::vector<std::unique_ptr<ShardPost>> posts_;  // none on a node that is alone
  std::vector<std::unique_ptr<NodeShard>> node_shards_;
  std::vector<NodeShard*> shard_views_;              // the same, for whoever only looks at them
  std::unique_ptr<cluster::MetadataHost> metadata_;  // on shard 0
  std::unique_ptr<cluster::ClusterWatch> watch_;     // on shard 0
  cluster::TopologyPtr followed_;                    // on shard 0: whose nodes are known to all parts
  bool has_majority_ = true;                         // on shard 0
  bool serving_ = false;                             // on shard 0: clients are welcome
  bool stopping_ = false;                            // on shard 0
  std::unique_ptr<alarms::AlarmWatch> alarms_;       // on shard 0
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<NodeView> view_;        // on shard 0
  std::unique_ptr<OperatorDoors> doors_;  // on shard 0

  std::shared_ptr<Startup> startup_;  // while start() waits
  bool running_ = false;
  bool served_ = false;  // recovery was completed
  std::atomic<bool> failed_ = false;
};

}  // namespace quorate

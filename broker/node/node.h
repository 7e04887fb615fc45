// Node: one Quorate process, built by hand in the order in which its parts need each other. The map of the program.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "broker/alarms/alarm_watch.h"
#include "broker/node/cluster_link.h"
#include "broker/node/config.h"
#include "broker/node/early_doors.h"
#include "broker/node/leader_keeper.h"
#include "broker/node/listeners.h"
#include "broker/node/node_core.h"
#include "broker/node/node_storage.h"
#include "broker/node/node_view.h"
#include "broker/node/operator_doors.h"
#include "broker/node/orders.h"
#include "broker/node/stall_watch.h"
#include "broker/node/take_overs.h"

namespace quorate {

class Startup;

class Node final : private NodeCoreOwner {
 public:
  /// `orders` are given through the node's doors. `on_failure` is called when the node cannot go on, from any of its
  /// threads, at most once; stop() must follow.
  Node(Config config, Orders& orders, std::function<void(const Error&)> on_failure);
  ~Node() override;
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
  /// How much of a completed start() other nodes have taken: until there were enough of them to begin.
  Duration waited_for_others() const { return waited_; }
  /// As it was when the node stopped.
  const Situation& situation() const { return situation_; }
  Epoch epoch() const { return storage_.epoch(); }

 private:
  void build();
  void build_core();
  void build_doors();
  std::vector<http::ListenerRow> all_listeners() const;
  Result<void> meet_others(std::optional<std::uint64_t> own_cluster);
  Result<void> recover();
  void on_others_left();
  void block_publishers(const std::string& reason);
  void hand_over_leaders();
  void stop_clients();
  Duration patience_with_others(Duration usual) const;
  void stop_shards();

  // NodeCoreOwner
  std::unique_ptr<ShardPost> make_post(cluster::Shard& shard, ShardPost::OnDropped on_dropped) override;
  bool is_disk_well() override;
  void on_stuck_shards(std::uint64_t stuck_shards) override;
  std::set<GroupId> groups_on_disk() override;
  void on_beat(NodeId to, ShardPost& post) override;
  void on_node_live(NodeId node, bool live) override;
  void on_taken_over(NodeId from) override { take_overs_.on_taken(from, clock_.now()); }
  void on_nodes(const cluster::TopologyPtr& topology) override;
  void on_shard_recovered() override;
  void show(Readiness readiness) override;
  void welcome_clients() override;
  void pause_clients(Readiness why, const std::string& reason) override;
  void fail(const Error& error) override;

  Config config_;
  Orders& orders_;
  std::function<void(const Error&)> on_failure_;
  Situation situation_;
  SystemClock clock_;
  std::stop_source stop_;  // of a start that waits
  cluster::FormationRecord record_;
  bool stands_alone_ = false;  // has yet to leave the other nodes of its cluster behind
  Duration waited_{};
  std::optional<Instant> met_majority_at_;  // shard 0's until start() has returned

  NodeStorage storage_;

  std::unique_ptr<ClusterLink> link_;
  std::unique_ptr<EarlyDoors> early_;  // until the core is there
  std::unique_ptr<NodeCore> core_;
  std::unique_ptr<alarms::AlarmWatch> alarms_;  // on shard 0
  StallWatch stalls_;                           // on shard 0
  TakeOvers take_overs_;                        // on shard 0
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<NodeView> view_;               // on shard 0
  std::unique_ptr<LeaderKeeper> leader_keeper_;  // on shard 0
  std::unique_ptr<OperatorDoors> doors_;         // on shard 0

  std::shared_ptr<Startup> startup_;  // while start() waits
  bool running_ = false;
  bool served_ = false;  // recovery was completed
  std::atomic<bool> failed_ = false;
};

}  // namespace quorate

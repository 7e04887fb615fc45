// ClusterWatch: beats for this node, listens for the others, and tells the node what follows: who answers, whether this
// node is with a majority of its cluster, and who has been silent for so long that its clients are given up.
// Lives on shard 0. Each beat gives every shard a turn, so one that is stuck is noticed here and, because it is missing
// in the beats, everywhere.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "cluster/node_liveness.h"
#include "cluster/shard.h"

namespace quorate::cluster {

class ClusterWatch {
 public:
  struct Surroundings {
    std::function<void(NodeId to, const Heartbeat&)> send;
    /// All shards of the node are well and its disk answers, or not.
    std::function<void(NodeId node, bool live)> on_node_live;
    /// It has not answered for kGiveUp: what its clients hold goes to others.
    std::function<void(NodeId node)> on_given_up;
    /// More than half of the cluster answers, this node included.
    std::function<void(bool has_majority)> on_majority;
    /// Whether this node's disk answers in time.
    std::function<bool()> is_disk_well;
    /// With every beat: bit i says that shard i of this node does not come to its turns.
    std::function<void(std::uint64_t stuck_shards)> on_beat;
  };
  /// RabbitMQ's consumer_disconnected_timeout of quorum queues.
  static constexpr Duration kGiveUp = std::chrono::seconds(60);

  ClusterWatch(Shard& shard, Epoch epoch, Surroundings surroundings);

  // On the shard's thread.
  void start();
  void stop();
  /// What start() has done every NodeLiveness::kInterval; for who moves time by hand.
  void beat();
  /// All nodes of the cluster but this one.
  void set_others(const std::vector<NodeId>& others);
  void receive(NodeId from, const Heartbeat& heartbeat);
  /// The connection to it has broken.
  void on_broken(NodeId node) { liveness_.on_broken(node); }
  /// Calls `then`, once, when each of the others has been heard of or has had kSilenceMax to be: before that, who is
  /// not live may only be late.
  void when_known(std::function<void()> then);
  bool is_live(NodeId node) const { return nodes_.contains(node) && nodes_.at(node).live; }
  bool has_majority() const { return has_majority_; }
  /// nullopt: it is with a majority.
  std::optional<Instant> without_majority_since() const { return without_majority_since_; }

 private:
  struct Node {
    std::uint64_t live_shards = 0;
    bool live = false;
    bool known = false;  // has been live, or silent for long enough
    bool given_up = false;
    Instant silent_since{};
  };

  void tick();
  void on_change(NodeId node, ShardId shard, bool live);
  void settle(NodeId id, Node& node);
  void count_majority();
  void consider_known();

  Shard& shard_;
  Surroundings surroundings_;
  NodeLiveness liveness_;
  std::map<NodeId, Node> nodes_;
  std::function<void()> when_known_;
  bool has_majority_ = true;
  std::optional<Instant> without_majority_since_;
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

}  // namespace quorate::cluster

// Evacuation: takes the leaders of one shard to other nodes as long as this node is drained, stops or is not well: a
// few at a time, and again when one comes back. Lives on the shard, and ends with it.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "raft/types.h"

namespace quorate {

class NodeShard;

class Evacuation {
 public:
  /// Under way at one time, on all shards of the node together.
  static constexpr std::size_t kTransfersMax = 32;
  static constexpr auto kInterval = std::chrono::milliseconds(100);
  static constexpr auto kIdleInterval = std::chrono::seconds(1);
  /// One that takes longer has failed: the core has given it up (Core::Timing::election_min).
  static constexpr Duration kTransferMax = std::chrono::milliseconds(1500);

  explicit Evacuation(NodeShard& shard);
  void start() { tick(); }
  /// What start() has done again and again, for who moves time by hand. Gives when it is due again.
  Duration look();
  /// The next few of those that somebody else can lead; whoever has a reason calls it again and again.
  void move_leaders();
  /// The node stops.
  void begin_to_leave();
  /// How many groups are led here that somebody else could lead.
  std::size_t count_left() const { return left().size(); }

 private:
  void tick();
  bool is_drained() const;
  std::vector<GroupId> left() const;
  bool move_leader(GroupId group);
  std::vector<raft::ReplicaId> heirs(GroupId group) const;

  NodeShard& shard_;
  boost::asio::steady_timer timer_;
  std::map<GroupId, Instant> moving_;  // since when
  bool leaving_ = false;
};

}  // namespace quorate

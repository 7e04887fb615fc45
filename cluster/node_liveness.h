// NodeLiveness: which nodes answer, whatever groups they share: one heartbeat per pair of nodes carries what thousands
// of groups would otherwise ask each other (raft.md §2.6). Pure: heartbeats and time in, heartbeats and changes out.
//
// A heartbeat carries the sender's epoch, so a restart is noticed even if it was quick, and one progress bit per shard:
// a shard that is stuck, or a disk that hangs, loses its leaders although the process still answers.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace quorate::cluster {

struct Heartbeat {
  Epoch epoch;
  std::uint64_t sequence = 0;  // within the epoch; an overtaken one is no news
  std::uint64_t shards = 0;    // bit i: shard i has finished a turn lately and the disk answers
  bool operator==(const Heartbeat&) const = default;
};

class NodeLiveness {
 public:
  static constexpr Duration kInterval = std::chrono::milliseconds(150);
  static constexpr Duration kSilenceMax = std::chrono::seconds(1);
  /// The same for a node whose connection has broken: most likely its process has ended.
  static constexpr Duration kBrokenSilenceMax = std::chrono::milliseconds(350);
  /// A shard without a finished turn for so long is stuck.
  static constexpr Duration kShardStallMax = std::chrono::milliseconds(500);
  static constexpr std::size_t kShardsMax = 64;

  /// Tells that shard `shard` of `node` is well, or no longer.
  using OnChange = std::function<void(NodeId node, ShardId shard, bool live)>;

  NodeLiveness(Epoch epoch, std::size_t shards, OnChange on_change);

  /// Nodes to exchange heartbeats with; one that is not among them any more counts as dead.
  void set_peers(const std::vector<NodeId>& peers);
  /// A shard has finished a turn. An idle one is given a turn at least every kInterval, to show that it can.
  void on_progress(ShardId shard, Instant now) { progress_at_[shard.value()] = now; }
  /// A write waits too long for the disk, or no longer does.
  void set_disk_ok(bool ok) { disk_ok_ = ok; }

  /// Bit i: shard i has finished a turn lately.
  std::uint64_t moving_shards(Instant now) const;
  /// At kInterval: what to send to every peer.
  Heartbeat beat(Instant now);
  void receive(NodeId from, const Heartbeat& heartbeat, Instant now);
  /// The connection to `node` has broken; a heartbeat that comes all the same makes up for it.
  void on_broken(NodeId node);
  /// Notices silence; at least every kInterval.
  void on_time(Instant now);

  bool is_live(NodeId node, ShardId shard) const;

 private:
  struct Peer {
    Heartbeat last;
    Instant heard_at{};
    bool broken = false;            // since then
    std::uint64_t live_shards = 0;  // as told to on_change_
  };

  struct Change {
    NodeId node;
    ShardId shard;
    bool live = false;
  };

  static void note(NodeId node, Peer& peer, std::uint64_t live_shards, std::vector<Change>& changes);
  void tell(const std::vector<Change>& changes);

  const Epoch epoch_;
  OnChange on_change_;
  std::vector<Instant> progress_at_;  // by shard
  bool disk_ok_ = true;
  std::uint64_t sequence_ = 0;
  std::map<NodeId, Peer> peers_;
};

}  // namespace quorate::cluster

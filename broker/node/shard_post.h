// ShardPost: what one shard sends to other nodes. Everything is encoded into this turn's frames at once and leaves at
// the end of the turn. What a stream refuses is dropped; those who sent it hear of that a moment later, so that nobody
// repeats himself against a closed door in the same turn.
#pragma once
#include <functional>
#include <set>

#include "broker/alarms/alarms.h"
#include "broker/queue/switchboard.h"
#include "cluster/node_liveness.h"
#include "cluster/plane/outgoing.h"
#include "cluster/transport.h"

namespace quorate {

class ShardPost final : public cluster::Transport, public queue::RemotePost {
 public:
  using OnDropped = std::function<void(NodeId)>;
  /// Runs a task after a delay, not after this object has gone.
  using After = std::move_only_function<void(Duration, std::move_only_function<void()>)>;

  /// Both outlive it.
  ShardPost(cluster::Shard& shard, cluster::Plane& plane, OnDropped on_dropped);
  /// For who has no plane, or moves time by hand.
  ShardPost(cluster::Shard& shard, cluster::Outgoing::Carry carry, After after, OnDropped on_dropped);
  static constexpr Duration kDroppedDelay = std::chrono::milliseconds(100);

  /// Belongs behind every other hook of the shard.
  cluster::TurnHook& outgoing() { return outgoing_; }

  void send(NodeId to, cluster::PeerMessage message) override { outgoing_.send(to, std::move(message)); }
  void send(NodeId to, const queue::Parcel& parcel) override;
  void send(NodeId to, const queue::SessionMail& mail) override;
  void send(NodeId to, const queue::Relayed& relayed) override;
  void send(NodeId to, const queue::Leadership& leadership) override;
  void send(NodeId to, const queue::WhoLeads& question) override;
  void send(NodeId to, const cluster::Heartbeat& heartbeat) { outgoing_.send(to, heartbeat); }
  void send(NodeId to, alarms::Shortage shortage);
  /// An entry for whoever leads the metadata.
  void send_metadata(NodeId to, const Bytes& entry);

 private:
  void note_dropped(NodeId to);

  After after_;
  OnDropped on_dropped_;
  std::set<NodeId> dropped_;  // to be told after the delay
  cluster::Outgoing outgoing_;
};

}  // namespace quorate

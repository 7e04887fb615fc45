// ShardPost: what one shard sends to other nodes. Everything is encoded into this turn's frames at once and leaves at
// the end of the turn. What a stream refuses is dropped; those who sent it hear of that a moment later, so that nobody
// repeats himself against a closed door in the same turn.
#pragma once
#include <boost/asio/steady_timer.hpp>
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
  /// Both outlive it.
  ShardPost(cluster::Shard& shard, cluster::Plane& plane, std::function<void(NodeId)> on_dropped);
  static constexpr Duration kDroppedDelay = std::chrono::milliseconds(100);

  /// Belongs behind every other hook of the shard.
  cluster::TurnHook& outgoing() { return outgoing_; }

  void send(NodeId to, cluster::PeerMessage message) override { outgoing_.send(to, std::move(message)); }
  void send(NodeId to, const queue::Parcel& parcel) override;
  void send(NodeId to, const queue::SessionMail& mail) override;
  void send(NodeId to, const queue::Leadership& leadership) override;
  void send(NodeId to, const queue::WhoLeads& question) override;
  void send(NodeId to, const cluster::Heartbeat& heartbeat) { outgoing_.send(to, heartbeat); }
  void send(NodeId to, alarms::Shortage shortage);
  /// An entry for whoever leads the metadata.
  void send_metadata(NodeId to, const Bytes& entry);

 private:
  void note_dropped(NodeId to);

  std::function<void(NodeId)> on_dropped_;
  boost::asio::steady_timer timer_;
  std::set<NodeId> dropped_;  // to be told when the timer goes off
  cluster::Outgoing outgoing_;
};

}  // namespace quorate

// Post: what broker/node/shard_post.h is to the plane, to the mesh: the same frames from the same encoders, and a late
// word about what was refused.
#pragma once
#include <functional>
#include <memory>
#include <set>

#include "broker/queue/switchboard.h"
#include "cluster/plane/outgoing.h"
#include "cluster/transport.h"
#include "tests/sim/nodes/mesh.h"

namespace quorate::sim::nodes {

class Post final : public cluster::Transport, public queue::RemotePost {
 public:
  Post(Stage& stage, Mesh& mesh, NodeId self, cluster::Shard& shard, std::function<void(NodeId)> on_dropped);
  ~Post() override { *alive_ = false; }

  cluster::TurnHook& outgoing() { return outgoing_; }

  void send(NodeId to, cluster::PeerMessage message) override { outgoing_.send(to, std::move(message)); }
  void send(NodeId to, const queue::Parcel& parcel) override;
  void send(NodeId to, const queue::SessionMail& mail) override;
  void send(NodeId to, const queue::Leadership& leadership) override;
  void send(NodeId to, const queue::WhoLeads& question) override;
  void send(NodeId to, const cluster::Heartbeat& heartbeat) { outgoing_.send(to, heartbeat); }
  void send_metadata(NodeId to, const Bytes& entry);

 private:
  void note_dropped(NodeId to);

  Stage& stage_;
  std::function<void(NodeId)> on_dropped_;
  std::set<NodeId> dropped_;
  cluster::Outgoing outgoing_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace quorate::sim::nodes

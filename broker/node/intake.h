// Intake: what other nodes say to this one. An item is read on the shard it is for and handed to whom it concerns
// there; of a stream that came up or broke every part hears that has sent something lately. What nobody can read is
// complained about and dropped, for whoever sent it sends it again.
//
// Threads: on_frame() and on_connection() belong to the plane's; the constructor comes before the first of them.
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "broker/alarms/shortage_wire.h"
#include "cluster/cluster_watch.h"
#include "cluster/metadata/host.h"
#include "cluster/plane/incoming.h"
#include "cluster/plane/plane.h"

namespace quorate {

class NodeShard;

class Intake {
 public:
  /// All of them outlive it; it outlives the shards' last turn.
  struct Receivers {
    std::vector<NodeShard*> shards;   // of the node, by id
    cluster::MetadataHost& metadata;  // on shard 0
    cluster::ClusterWatch& watch;     // on shard 0
    /// On shard 0, of a node that is live.
    std::function<void(NodeId from, const alarms::Shortage& shortage)> on_shortage;
    /// Any thread, as often as it happens.
    std::function<void(NodeId from, std::string_view what)> on_unreadable;
  };
  explicit Intake(Receivers receivers);

  void on_frame(NodeId from, const Bytes& frame);
  void on_connection(NodeId peer, cluster::Lane lane, bool up);

 private:
  void connect_first_shard();
  void connect(NodeShard& shard);

  Receivers receivers_;
  cluster::Incoming incoming_;
};

}  // namespace quorate

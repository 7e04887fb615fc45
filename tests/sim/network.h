// The network between the nodes: one link per ordered pair. It delays, loses, repeats, reorders, cuts, clogs and
// resets, and now and then brings back what was sent long ago, also before a restart.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <variant>

#include "base/ids.h"
#include "cluster/node_liveness.h"
#include "cluster/transport.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

using Packet = std::variant<cluster::PeerMessage, cluster::Heartbeat>;
using PacketPtr = std::shared_ptr<const Packet>;

class Network {
 public:
  using Deliver = std::function<void(NodeId from, NodeId to, const PacketPtr& packet)>;
  Network(Stage& stage, Deliver deliver) : stage_(stage), deliver_(std::move(deliver)) {}

  void send(NodeId from, NodeId to, Packet packet);

  // Faults. Cuts are counted, so that several may overlap.
  void cut(NodeId from, NodeId to) { ++links_[{from, to}].cuts; }
  void mend(NodeId from, NodeId to) { --links_[{from, to}].cuts; }
  /// Nothing arrives before `until`.
  void clog(NodeId from, NodeId to, WorldTime until) { links_[{from, to}].clogged_until = until; }
  /// What is under way is lost.
  void reset(NodeId from, NodeId to) { ++links_[{from, to}].stream; }
  /// Something from the past arrives once more.
  void replay(NodeId from, NodeId to, Random& random);
  /// `node` was restarted: what the links remember is from before that.
  void note_restart(NodeId node);
  /// From now on every message arrives, once and soon.
  void become_perfect();

 private:
  struct Link {
    int cuts = 0;
    std::uint64_t stream = 0;
    WorldTime clogged_until{};
    WorldTime last_arrival{};
    std::deque<std::pair<PacketPtr, bool>> past;  // and whether a restart lies in between
  };
  static constexpr std::size_t kPastMax = 64;

  void carry(NodeId from, NodeId to, Link& link, const PacketPtr& packet);

  Stage& stage_;
  Deliver deliver_;
  std::map<std::pair<NodeId, NodeId>, Link> links_;
  bool is_perfect_ = false;
};

}  // namespace quorate::sim

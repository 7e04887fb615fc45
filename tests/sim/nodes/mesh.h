// Mesh: the inter-node plane as a value, with exactly the plane's promise (cluster/plane/plane.h) and no more: per pair
// and lane batches arrive in order, each at most once and whole; what was under way when a stream broke may be lost,
// and nothing of an older stream arrives after something of a newer one. Its sender hears of a break only later.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "cluster/plane/plane.h"
#include "tests/sim/stage.h"

namespace quorate::sim::nodes {

/// A process with its plane open.
class Ear {
 public:
  virtual ~Ear() = default;
  virtual void on_frame(NodeId from, cluster::Lane lane, Bytes frame) = 0;
  virtual void on_connection(NodeId peer, cluster::Lane lane, bool up) = 0;
};

class Mesh {
 public:
  explicit Mesh(Stage& stage) : stage_(stage) {}

  /// All nodes there are; before the first is attached.
  void know(const std::vector<NodeId>& nodes) {
    for (const NodeId node : nodes) places_.try_emplace(node);
  }
  /// The process of `node` dials all others, and answers them.
  void attach(NodeId node, Ear& ear);
  /// It is gone. After a loss of power nobody says so to the others.
  void detach(NodeId node, bool silently);
  /// As Plane::send().
  bool send(NodeId from, NodeId to, cluster::Lane lane, std::vector<std::byte>&& batch);

  // Faults. Cuts are counted.
  void cut(NodeId from, NodeId to);
  void mend(NodeId from, NodeId to);
  void clog(NodeId from, NodeId to, WorldTime until) { pair(from, to).clogged_until = until; }
  void reset(NodeId from, NodeId to);
  void become_perfect();

 private:
  struct Stream {
    std::uint64_t number = 0;  // of the newest; grows over all streams
    bool taken = false;        // the sender believes that it is open
    bool broken = true;
    bool dialling = false;
    std::size_t held = 0;                        // bytes under way
    std::uint64_t heard = 0;                     // the newest number of which something has arrived
    WorldTime last_arrival{};                    // planned
    std::deque<std::vector<std::byte>> stalled;  // by a cut
  };
  struct Pair {
    int cuts = 0;
    std::uint64_t cut_number = 0;
    WorldTime clogged_until{};
    Stream streams[cluster::kLaneCount];
  };
  using Key = std::pair<NodeId, NodeId>;

  Pair& pair(NodeId from, NodeId to) { return pairs_[{from, to}]; }
  bool is_cut(NodeId a, NodeId b) { return pair(a, b).cuts > 0 || pair(b, a).cuts > 0; }
  void dial(NodeId from, NodeId to, std::size_t lane, Duration after);
  /// The stream is dead; a part of what is under way still arrives. The sender hears it after `notice`.
  void break_stream(NodeId from, NodeId to, std::size_t lane, Duration notice);
  void arrive(NodeId from, NodeId to, std::size_t lane, std::uint64_t number, std::uint64_t incarnation,
              std::vector<std::byte> batch);
  void watch_cut(NodeId from, NodeId to);
  void tell(NodeId from, NodeId to, std::size_t lane, bool up);

  struct Place {
    Ear* ear = nullptr;
    std::uint64_t incarnation = 0;
  };

  Stage& stage_;
  std::map<NodeId, Place> places_;
  std::map<Key, Pair> pairs_;
  std::map<std::uint64_t, double> survivors_;  // of a broken stream: what part of its frames still arrives
  std::uint64_t last_number_ = 0;
  bool is_perfect_ = false;
};

}  // namespace quorate::sim::nodes

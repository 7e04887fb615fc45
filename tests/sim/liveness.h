// Liveness: what a process believes of the other nodes, by heartbeats (raft.md §2.6). Stands in for the cluster's own
// until there is one.
#pragma once
#include <functional>
#include <map>
#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "tests/sim/network.h"

namespace quorate::sim {

class Liveness {
 public:
  using OnChange = std::function<void(NodeId node, bool live)>;
  static constexpr Duration kInterval = std::chrono::milliseconds(150);
  static constexpr Duration kSilenceMax = std::chrono::seconds(1);

  explicit Liveness(OnChange on_change) : on_change_(std::move(on_change)) {}

  void receive(NodeId from, const Heartbeat& heartbeat, Instant now) {
    Peer& peer = peers_[from];
    const bool is_old = heartbeat.epoch < peer.epoch ||
                        (heartbeat.epoch == peer.epoch && heartbeat.sequence <= peer.sequence);
    if (is_old) return;
    if (peer.live && heartbeat.epoch != peer.epoch) on_change_(from, false);  // it was down in between
    const bool was_live = peer.live && heartbeat.epoch == peer.epoch;
    peer = {.epoch = heartbeat.epoch, .sequence = heartbeat.sequence, .heard_at = now, .live = true};
    if (!was_live) on_change_(from, true);
  }
  void on_time(Instant now) {
    for (auto& [node, peer] : peers_) {
      if (!peer.live || now - peer.heard_at < kSilenceMax) continue;
      peer.live = false;
      on_change_(node, false);
    }
  }

 private:
  struct Peer {
    Epoch epoch;
    std::uint64_t sequence = 0;
    Instant heard_at{};
    bool live = false;
  };
  OnChange on_change_;
  std::map<NodeId, Peer> peers_;
};

}  // namespace quorate::sim

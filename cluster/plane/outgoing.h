// Outgoing: what one shard says to other nodes. Items gather during a turn, one buffer for each node and lane, and go
// to the plane together at its end: what a turn produced shares frames. Threads: the shard's only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/ids.h"
#include "cluster/node_liveness.h"
#include "cluster/plane/items.h"
#include "cluster/plane/plane.h"
#include "cluster/shard.h"
#include "cluster/transport.h"

namespace quorate::cluster {

class Outgoing final : public TurnHook, public Transport {
 public:
  /// Plane::send(), or what stands for it.
  using Carry = std::move_only_function<bool(NodeId to, Lane lane, std::vector<std::byte>&& batch)>;
  using OnDropped = std::move_only_function<void(NodeId to)>;

  /// `on_dropped` runs later in the turn in which something for that node was refused, once for all of it. Add the
  /// object as the last hook of the shard.
  Outgoing(Shard& shard, Carry carry, OnDropped on_dropped);

  void send(NodeId to, PeerMessage message) override;
  void send(NodeId to, const Heartbeat& heartbeat);
  /// Append the body to what is returned, and call end() before anything else is sent.
  std::vector<std::byte>& begin(NodeId to, Lane lane, ItemKind kind, std::uint64_t key);
  void end();

  bool on_turn_end() override;

  /// Where a message travels.
  static Lane lane_of(const PeerMessage& message);

 private:
  struct Buffer {
    NodeId to;
    Lane lane = Lane::control;
    std::vector<std::vector<std::byte>> batches;  // of this turn, each a frame's worth
  };

  Buffer& buffer_for(NodeId to, Lane lane);

  Shard& shard_;
  Carry carry_;
  OnDropped on_dropped_;
  std::vector<Buffer> buffers_;             // one for each node and lane ever used: few
  std::vector<std::byte>* open_ = nullptr;  // between begin() and end()
  std::size_t open_at_ = 0;
};

}  // namespace quorate::cluster

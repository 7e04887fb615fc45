// Incoming: brings what other nodes say to the shards it is for. A frame is taken apart by the heads of its items only;
// each shard concerned gets one task with all of its own, in order, and reads them there.
// Threads: on_frame() belongs to the plane's thread, handlers run on their shards. Everything else comes before the
// first frame. It outlives the shards' last turn.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "cluster/plane/items.h"
#include "cluster/shard.h"

namespace quorate::cluster {

class Incoming {
 public:
  /// Which shard of this node an item of a kind is for.
  struct Route {
    ItemKind kind = ItemKind::group;
    ShardId (*shard_of)(std::uint64_t key, std::size_t shards) = nullptr;
  };
  /// `body` is a slice of the frame and keeps all of it in memory: what is kept for long is copied.
  using Handler = std::move_only_function<void(NodeId from, std::uint64_t key, Bytes body)>;

  Incoming(std::vector<Shard*> shards, std::span<const Route> routes);

  /// Every shard has a handler for every kind that may reach it.
  void handle(ShardId shard, ItemKind kind, Handler handler);

  /// What one shard may have before it that it has not read. A shard that is so far behind is as good as stuck; what
  /// else comes for it is dropped, as when a stream breaks.
  static constexpr std::size_t kUnreadBytesMax = 128u << 20;

  /// An error, and nothing of it is delivered: it is malformed, or names a kind that no route or handler knows.
  /// ErrorCode::unavailable: what was for a shard that is far behind was dropped.
  Result<void> on_frame(NodeId from, const Bytes& frame);

 private:
  /// False: the shard is too far behind.
  bool deliver(std::size_t shard, NodeId from, std::vector<Item> items);

  using Handlers = std::array<Handler, kItemKindsMax>;

  std::vector<Shard*> shards_;
  std::array<decltype(Route::shard_of), kItemKindsMax> shard_of_{};
  std::vector<Handlers> handlers_;                      // by shard
  std::vector<std::atomic<std::size_t>> unread_bytes_;  // by shard
};

// Ready-made places for routes.
ShardId on_first_shard(std::uint64_t key, std::size_t shards);
/// The metadata group on shard 0, other groups by their hash, as queues are.
ShardId on_shard_of_group(std::uint64_t key, std::size_t shards);
/// The key is a shard; another node may have more of them.
ShardId on_shard_named(std::uint64_t key, std::size_t shards);

}  // namespace quorate::cluster

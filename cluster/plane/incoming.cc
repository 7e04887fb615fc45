#include "cluster/plane/incoming.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/persistent_map.h"

namespace quorate::cluster {

Incoming::Incoming(std::vector<Shard*> shards, std::span<const Route> routes)
    : shards_(std::move(shards)), handlers_(shards_.size()), unread_bytes_(shards_.size()) {
  for (const Route& route : routes) shard_of_.at(static_cast<std::size_t>(route.kind)) = route.shard_of;
}

void Incoming::handle(ShardId shard, ItemKind kind, Handler handler) {
  handlers_.at(shard.value()).at(static_cast<std::size_t>(kind)) = std::move(handler);
}

Result<void> Incoming::on_frame(NodeId from, const Bytes& frame) {
  const auto refuse = [](const char* why) { return failure(ErrorCode::corruption, why); };
  auto items = split_frame(frame);
  if (!items) return refuse("it is not made of whole items");
  std::vector<std::vector<Item>> by_shard(shards_.size());
  for (Item& item : *items) {
    const auto kind = static_cast<std::size_t>(item.kind);
    if (kind >= kItemKindsMax || shard_of_[kind] == nullptr) return refuse("it has an item of an unknown kind");
    const ShardId shard = shard_of_[kind](item.key, shards_.size());
    if (!handlers_.at(shard.value())[kind]) return refuse("it has an item for a shard that knows no such kind");
    by_shard[shard.value()].push_back(std::move(item));
  }
  Result<void> result;
  for (std::size_t shard = 0; shard < by_shard.size(); ++shard) {
    if (by_shard[shard].empty()) continue;
    if (!deliver(shard, from, std::move(by_shard[shard]))) {
      result = failure(ErrorCode::unavailable, fmt::format("shard {} reads nothing", shard));
    }
  }
  return result;
}

bool Incoming::deliver(std::size_t shard, NodeId from, std::vector<Item> items) {
  std::size_t bytes = 0;
  for (const Item& item : items) bytes += item.body.size();
  std::atomic<std::size_t>& unread = unread_bytes_[shard];
  if (unread.load(std::memory_order_relaxed) > kUnreadBytesMax) return false;
  unread.fetch_add(bytes, std::memory_order_relaxed);
  shards_[shard]->post_from_outside(
      [&handlers = handlers_[shard], &unread, bytes, from, items = std::move(items)]() mutable {
        unread.fetch_sub(bytes, std::memory_order_relaxed);
        for (Item& item : items) handlers[static_cast<std::size_t>(item.kind)](from, item.key, std::move(item.body));
      });
  return true;
}

ShardId on_first_shard(std::uint64_t /*key*/, std::size_t /*shards*/) { return ShardId(0); }

ShardId on_shard_of_group(std::uint64_t key, std::size_t shards) {
  if (key == kMetadataGroup.value()) return ShardId(0);
  return ShardId(static_cast<std::uint32_t>(stable_hash(key) % shards));
}

ShardId on_shard_named(std::uint64_t key, std::size_t shards) {
  return ShardId(static_cast<std::uint32_t>(key % shards));
}

}  // namespace quorate::cluster

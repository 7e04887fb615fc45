#include "cluster/plane/incoming.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/persistent_map.h"

namespace quorate::cluster {

Incoming::Incoming(std::vector<Shard*> shards, std::span<const Route> routes)
    : shards_(std::move(shards)), handlers_(shards_.size()) {
  for (const Route& route : routes) shard_of_.at(static_cast<std::size_t>(route.kind)) = route.shard_of;
}

void Incoming::handle(ShardId shard, ItemKind kind, Handler handler) {
  handlers_.at(shard.value()).at(static_cast<std::size_t>(kind)) = std::move(handler);
}

bool Incoming::on_frame(NodeId from, const Bytes& frame) {
  const auto refuse = [&](std::string_view why) {
    log::error(log::Category::cluster, "frame.dropped node={} bytes={} reason=\"{}\"", from.value(), frame.size(), why);
    return false;
  };
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
  for (std::size_t shard = 0; shard < by_shard.size(); ++shard) {
    if (by_shard[shard].empty()) continue;
    shards_[shard]->post_from_outside(
        [&handlers = handlers_[shard], from, items = std::move(by_shard[shard])]() mutable {
          for (Item& item : items) handlers[static_cast<std::size_t>(item.kind)](from, item.key, std::move(item.body));
        });
  }
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

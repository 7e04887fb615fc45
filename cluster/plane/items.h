// What stands in a frame between nodes: items, each for one group, session or part of the other node.
//   frame := *item
//   item  := kind:u8 key:u64 size:u32 body        numbers big-endian; the key says what at the receiver is meant
// A batch of the plane is a whole number of items, so a frame is too.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace quorate::cluster {

/// The numbers are for ever.
enum class ItemKind : std::uint8_t {
  group = 1,          // a PeerMessage; key: the group
  shard = 2,          // a PeerMessage of no group; key: the shard, the same on both nodes
  heartbeat = 3,      // key: none
  queue_mail = 4,     // key: the queue's group
  session_mail = 5,   // key: the session's serial
  metadata = 6,       // what other nodes ask of the metadata leader; key: none
  leadership = 7,     // key: the queue's group
  who_leads = 8,      // key: the queue's group
  shortage = 9,       // key: none
  relayed_mail = 10,  // a session mail by way of the queue's replica there; key: the queue's group
};
inline constexpr std::size_t kItemKindsMax = 32;
inline constexpr std::size_t kItemHeadBytes = 1 + 8 + 4;

struct Item {
  ItemKind kind = ItemKind::group;
  std::uint64_t key = 0;
  Bytes body;  // a slice of the frame
};

/// Writes the head of an item, whose body the caller then appends. Returns where it stands, for end_item().
std::size_t begin_item(ItemKind kind, std::uint64_t key, std::vector<std::byte>& out);
void end_item(std::size_t begin, std::vector<std::byte>& out);

/// All items of a frame in order; nothing if it is not made of whole ones. Kinds are not judged.
std::optional<std::vector<Item>> split_frame(const Bytes& frame);

}  // namespace quorate::cluster

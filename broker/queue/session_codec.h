// Sessions, consumers and ranges of ids as bytes, alike in commands and in snapshots: docs/formats/queue_commands.md.
#pragma once
#include <cstdint>
#include <vector>

#include "base/cursor.h"
#include "base/ids.h"
#include "broker/queue/commands.h"

namespace quorate::queue {

/// A number that must fit where it goes: cut down it would name something else.
inline bool get(ByteReader& r, std::uint32_t& value) {
  std::uint64_t wide = 0;
  if (!r.read_varint(wide) || wide > UINT32_MAX) return false;
  value = static_cast<std::uint32_t>(wide);
  return true;
}

inline void put(ByteWriter& w, NodeId node, Epoch epoch) {
  w.write_varint(node.value());
  w.write_varint(epoch.value());
}
inline bool get(ByteReader& r, NodeId& node, Epoch& epoch) {
  std::uint32_t node_value = 0;
  std::uint32_t epoch_value = 0;
  if (!get(r, node_value) || !get(r, epoch_value)) return false;
  node = NodeId(node_value);
  epoch = Epoch(epoch_value);
  return true;
}
inline void put(ByteWriter& w, const SessionId& id) {
  put(w, id.node, id.epoch);
  w.write_varint(id.serial);
}
inline bool get(ByteReader& r, SessionId& id) { return get(r, id.node, id.epoch) && r.read_varint(id.serial); }
inline void put(ByteWriter& w, const ConsumerKey& key) {
  put(w, key.session);
  w.write_varint(key.link);
}
inline bool get(ByteReader& r, ConsumerKey& key) { return get(r, key.session) && get(r, key.link); }
inline void put(ByteWriter& w, const std::vector<IdRange>& ids) {
  w.write_varint(ids.size());
  for (const IdRange& range : ids) {
    w.write_varint(range.first);
    w.write_varint(range.last - range.first);
  }
}
inline bool get(ByteReader& r, std::vector<IdRange>& ids) {
  std::uint64_t count = 0;
  if (!r.read_varint(count) || count > r.remaining()) return false;
  ids.clear();
  ids.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    IdRange range;
    std::uint64_t more = 0;
    if (!r.read_varint(range.first) || !r.read_varint(more)) return false;
    range.last = range.first + more;
    if (range.last < range.first) return false;
    ids.push_back(range);
  }
  return true;
}

}  // namespace quorate::queue

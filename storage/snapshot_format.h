// The row that makes a snapshot visible: what it stands for, where its chunks are and how to tell that they are whole.
// The grammar with a worked example is docs/formats/snapshot.md; a change of it changes kSnapshotFormat.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "raft/types.h"
#include "storage/live_set.h"

namespace quorate::storage {

inline constexpr std::uint8_t kSnapshotFormat = 2;
inline constexpr std::size_t kChunkKeyBytes = 20;

struct SnapshotRow {
  raft::SnapshotMeta meta;
  LiveSet live;
  std::uint64_t generation = 0;  // counts the group's snapshots; names the chunks
  std::uint32_t chunk_count = 0;
  std::uint64_t state_bytes = 0;
  std::uint32_t digest = 0;  // crc32c of the whole state
  bool operator==(const SnapshotRow&) const = default;
};

std::vector<std::byte> encode_snapshot_row(GroupId group, const SnapshotRow& row);
/// nullopt: cut, damaged, of another format, or another group's.
std::optional<SnapshotRow> decode_snapshot_row(GroupId group, ByteView value);

struct ChunkKey {
  GroupId group;
  std::uint64_t generation = 0;
  std::uint32_t chunk = 0;
  bool operator==(const ChunkKey&) const = default;
};
std::array<std::byte, kChunkKeyBytes> encode_chunk_key(const ChunkKey& key);
std::optional<ChunkKey> decode_chunk_key(ByteView key);

}  // namespace quorate::storage

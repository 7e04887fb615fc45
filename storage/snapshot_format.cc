#include "storage/snapshot_format.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "storage/log_format.h"

namespace quorate::storage {
namespace {

constexpr std::size_t kChecksumBytes = sizeof(std::uint32_t);

std::uint32_t row_checksum(GroupId group, ByteView after_checksum) {
  return crc32c(crc32c(0, encode_group_key(group)), after_checksum);
}

/// Ranges as distances, for they are many and lie close together.
void write_live(ByteWriter& writer, const LiveSet& live) {
  writer.write_varint(live.snapshot.value());
  writer.write_varint(live.live.size());
  std::uint64_t end = 0;
  for (const auto& [first, last] : live.live) {
    writer.write_varint(first.value() - end);
    writer.write_varint(last.value() - first.value());
    end = last.value();
  }
}

bool read_live(ByteReader& reader, LiveSet& live) {
  std::uint64_t snapshot = 0;
  std::uint64_t count = 0;
  if (!reader.read_varint(snapshot) || !reader.read_varint(count) || count > reader.remaining() / 2) return false;
  live.snapshot = LogIndex(snapshot);
  live.live.reserve(count);
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t gap = 0;
    std::uint64_t length = 0;
    if (!reader.read_varint(gap) || !reader.read_varint(length)) return false;
    const std::uint64_t first = end + gap;
    end = first + length;
    live.live.emplace_back(LogIndex(first), LogIndex(end));
  }
  return true;
}

bool read_meta(ByteReader& reader, raft::SnapshotMeta& meta) {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::uint64_t ts = 0;
  if (!reader.read(index) || !reader.read(term) || !reader.read(ts)) return false;
  meta.last = {.index = LogIndex(index), .term = Term(term)};
  meta.ts = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(ts)));
  return read_configuration(reader, meta.configuration);
}

}  // namespace

std::vector<std::byte> encode_snapshot_row(GroupId group, const SnapshotRow& row) {
  std::vector<std::byte> out;
  ByteWriter writer(out);
  writer.write(std::uint32_t{0});
  writer.write(kSnapshotFormat);
  writer.write(row.generation);
  writer.write(row.chunk_count);
  writer.write(row.state_bytes);
  writer.write(row.digest);
  writer.write(row.meta.last.index.value());
  writer.write(row.meta.last.term.value());
  writer.write(static_cast<std::uint64_t>(row.meta.ts.time_since_epoch().count()));
  write_configuration(writer, row.meta.configuration);
  write_live(writer, row.live);
  writer.patch(0, row_checksum(group, ByteView(out).subspan(kChecksumBytes)));
  return out;
}

std::optional<SnapshotRow> decode_snapshot_row(GroupId group, ByteView value) {
  ByteReader reader(value);
  std::uint32_t checksum = 0;
  std::uint8_t format = 0;
  if (!reader.read(checksum) || row_checksum(group, reader.rest()) != checksum) return std::nullopt;
  if (!reader.read(format) || format != kSnapshotFormat) return std::nullopt;
  SnapshotRow row;
  const bool is_whole = reader.read(row.generation) && reader.read(row.chunk_count) && reader.read(row.state_bytes) &&
                        reader.read(row.digest) && read_meta(reader, row.meta) && read_live(reader, row.live);
  if (!is_whole || !reader.done()) return std::nullopt;
  return row;
}

std::array<std::byte, kChunkKeyBytes> encode_chunk_key(const ChunkKey& key) {
  std::vector<std::byte> bytes;
  ByteWriter writer(bytes);
  writer.write(key.group.value());
  writer.write(key.generation);
  writer.write(key.chunk);
  std::array<std::byte, kChunkKeyBytes> out{};
  std::ranges::copy(bytes, out.begin());
  return out;
}

std::optional<ChunkKey> decode_chunk_key(ByteView key) {
  ByteReader reader(key);
  std::uint64_t group = 0;
  ChunkKey out;
  if (!reader.read(group) || !reader.read(out.generation) || !reader.read(out.chunk) || !reader.done()) {
    return std::nullopt;
  }
  out.group = GroupId(group);
  return out;
}

}  // namespace quorate::storage

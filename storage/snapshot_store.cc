#include "storage/snapshot_store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/crc32c.h"
#include "base/limits.h"
#include "storage/database.h"
#include "storage/log_format.h"
#include "storage/snapshot_format.h"

namespace quorate::storage {
namespace {

enum Family : std::size_t { kRows, kChunks, kFacts };

constexpr std::size_t kRowBufferBytes = 4u << 20;
constexpr std::size_t kFactBufferBytes = 1u << 20;
constexpr std::size_t kBlobMinBytes = 64u << 10;
constexpr std::size_t kWalBufferRatio = 4;

rocksdb::ColumnFamilyOptions family_options(std::size_t write_buffer_bytes, std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  table.cache_index_and_filter_blocks = true;
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = write_buffer_bytes;
  family.compression = rocksdb::kNoCompression;
  family.enable_blob_files = true;
  family.min_blob_size = kBlobMinBytes;
  family.enable_blob_garbage_collection = true;
  family.blob_garbage_collection_age_cutoff = 1.0;  // chunks die young and all at once
  family.blob_garbage_collection_force_threshold = 0.5;
  return family;
}

/// An iterator over all chunks of one group, of whatever generation, with the bounds it borrows.
class GroupChunks {
 public:
  GroupChunks(const Database& database, GroupId group)
      : begin_(encode_chunk_key({.group = group})),
        end_(encode_chunk_key({.group = group.plus(1)})),
        lower_(slice_of(begin_)),
        upper_(slice_of(end_)) {
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower_;
    options.iterate_upper_bound = &upper_;
    options.fill_cache = false;
    it_.reset(database.db().NewIterator(options, database.family(kChunks)));
  }
  GroupChunks(const GroupChunks&) = delete;
  GroupChunks& operator=(const GroupChunks&) = delete;

  rocksdb::Iterator* operator->() { return it_.get(); }

 private:
  std::array<std::byte, kChunkKeyBytes> begin_;
  std::array<std::byte, kChunkKeyBytes> end_;
  rocksdb::Slice lower_;
  rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

Error snapshot_damage(GroupId group, const std::string& what) {
  return {.code = ErrorCode::corruption,
          .text = fmt::format("the snapshot of group {} is damaged: {}; only other members or a copy of the data "
                              "directory have what it held",
                              group.value(), what)};
}

}  // namespace

SnapshotStore::SnapshotStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}
SnapshotStore::~SnapshotStore() = default;

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open(const Options& options) {
  const std::filesystem::path beside = std::filesystem::path(options.path).parent_path() / "state.mark";
  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  const Database::Plan plan{.title = "state database",
                            .path = options.path,
                            .mark_path = options.mark_path.empty() ? beside.string() : options.mark_path,
                            .families = {{"rows", family_options(kRowBufferBytes, cache)},
                                         {"chunks", family_options(options.write_buffer_bytes, cache)},
                                         {"facts", family_options(kFactBufferBytes, cache)}},
                            .wal_bytes_max = kWalBufferRatio * options.write_buffer_bytes};
  auto database = Database::open(plan);
  if (!database) return std::unexpected(database.error());
  if (auto stored = (*database)->store_mark({}); !stored) return std::unexpected(stored.error());
  return std::make_unique<SnapshotStore>(std::move(*database));
}

Result<void> SnapshotStore::save(GroupId group, const raft::SnapshotMeta& meta, const LiveSet& live,
                                 const Bytes& state) {
  const std::uint64_t generation = newest_generation(group) + 1;
  if (auto written = write_chunks(group, generation, state); !written) return written;
  const std::size_t chunk_count = (state.size() + limits::kSnapshotChunkBytes - 1) / limits::kSnapshotChunkBytes;
  const auto row = encode_snapshot_row(group, {.meta = meta,
                                               .live = live,
                                               .generation = generation,
                                               .chunk_count = static_cast<std::uint32_t>(chunk_count),
                                               .state_bytes = state.size(),
                                               .digest = crc32c(0, state.view())});
  rocksdb::WriteBatch batch;
  batch.Put(database_->family(kRows), slice_of(encode_group_key(group)), slice_of(row));
  if (auto written = write_durably(batch); !written) return written;
  return erase_chunks_except(group, generation);
}

/// Of any chunk, one left by a crash in the middle of save() included.
std::uint64_t SnapshotStore::newest_generation(GroupId group) const {
  GroupChunks chunks(*database_, group);
  chunks->SeekToLast();
  const auto key = chunks->Valid() ? decode_chunk_key(view_of(chunks->key())) : std::nullopt;
  const auto row = read_row(group);  // a damaged one is about to be replaced
  return std::max(key ? key->generation : 0, row && *row ? (*row)->generation : 0);
}

/// One write per chunk bounds the memory; none waits for the disk, because the row's sync comes after them.
Result<void> SnapshotStore::write_chunks(GroupId group, std::uint64_t generation, const Bytes& state) {
  std::uint32_t chunk = 0;
  for (std::size_t offset = 0; offset < state.size(); offset += limits::kSnapshotChunkBytes) {
    const std::size_t size = std::min(limits::kSnapshotChunkBytes, state.size() - offset);
    const auto key = encode_chunk_key({.group = group, .generation = generation, .chunk = chunk++});
    rocksdb::WriteBatch batch;
    batch.Put(database_->family(kChunks), slice_of(key), slice_of(state.view().subspan(offset, size)));
    if (auto written = database_->write(batch, false); !written) return written;
  }
  return {};
}

Result<void> SnapshotStore::write_durably(rocksdb::WriteBatch& batch) {
  if (auto written = database_->write(batch, true); !written) return written;
  return database_->store_mark({});
}

/// One by one they leave nothing behind that readers would have to sort; but a damaged one hides those that follow.
Result<void> SnapshotStore::erase_chunks_except(GroupId group, std::uint64_t generation) {
  GroupChunks chunks(*database_, group);
  rocksdb::WriteBatch batch;
  for (chunks->SeekToFirst(); chunks->Valid(); chunks->Next()) {
    const auto key = decode_chunk_key(view_of(chunks->key()));
    if (key && key->generation != generation) batch.Delete(database_->family(kChunks), chunks->key());
  }
  if (!chunks->status().ok()) {
    const auto erase = [&](const ChunkKey& from, const ChunkKey& to) {
      batch.DeleteRange(database_->family(kChunks), slice_of(encode_chunk_key(from)), slice_of(encode_chunk_key(to)));
    };
    batch.Clear();
    erase({.group = group}, {.group = group, .generation = generation});
    erase({.group = group, .generation = generation + 1}, {.group = group.plus(1)});
  }
  if (batch.Count() == 0) return {};
  return database_->write(batch, false);  // after a crash the next save() erases them
}

Result<std::optional<SnapshotRow>> SnapshotStore::read_row(GroupId group) const {
  rocksdb::PinnableSlice value;
  const auto status =
      database_->db().Get(rocksdb::ReadOptions(), database_->family(kRows), slice_of(encode_group_key(group)), &value);
  if (status.IsNotFound()) return std::optional<SnapshotRow>();
  if (!status.ok()) {
    return std::unexpected(
        database_->error_of(status, fmt::format("cannot read the snapshot of group {}", group.value())));
  }
  auto row = decode_snapshot_row(group, view_of(value));
  if (!row) return std::unexpected(snapshot_damage(group, "its row fails checksum or format"));
  return row;
}

Result<std::optional<Snapshot>> SnapshotStore::load(GroupId group) const {
  auto row = read_row(group);
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::optional<Snapshot>();
  auto state = read_chunks(group, **row);
  if (!state) return std::unexpected(state.error());
  return Snapshot{.meta = std::move((*row)->meta), .live = std::move((*row)->live), .state = std::move(*state)};
}

Result<Bytes> SnapshotStore::read_chunks(GroupId group, const SnapshotRow& row) const {
  Bytes state = Bytes::allocate(row.state_bytes);
  std::size_t filled = 0;
  for (std::uint32_t chunk = 0; chunk < row.chunk_count; ++chunk) {
    const auto key = encode_chunk_key({.group = group, .generation = row.generation, .chunk = chunk});
    rocksdb::PinnableSlice value;
    const auto status = database_->db().Get(rocksdb::ReadOptions(), database_->family(kChunks), slice_of(key), &value);
    if (!status.ok())
      return std::unexpected(snapshot_damage(group, fmt::format("chunk {}: {}", chunk, status.ToString())));
    if (value.size() > state.size() - filled) return std::unexpected(snapshot_damage(group, "its chunks are too long"));
    std::ranges::copy(view_of(value), state.mutable_data() + filled);
    filled += value.size();
  }
  if (filled != row.state_bytes || crc32c(0, state.view()) != row.digest) {
    return std::unexpected(snapshot_damage(group, "its state does not match its digest"));
  }
  return state;
}

Result<void> SnapshotStore::drop(GroupId group) {
  rocksdb::WriteBatch batch;
  batch.Delete(database_->family(kRows), slice_of(encode_group_key(group)));
  if (auto written = write_durably(batch); !written) return written;
  return erase_chunks_except(group, 0);  // generations count from 1
}

std::vector<GroupId> SnapshotStore::groups() const {
  std::vector<GroupId> out;
  const std::unique_ptr<rocksdb::Iterator> it(
      database_->db().NewIterator(rocksdb::ReadOptions(), database_->family(kRows)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    if (const auto group = decode_group_key(view_of(it->key()))) out.push_back(*group);
  }
  return out;
}

Result<void> SnapshotStore::put(std::string_view key, std::string_view value) {
  rocksdb::WriteBatch batch;
  batch.Put(database_->family(kFacts), rocksdb::Slice(key), rocksdb::Slice(value));
  return write_durably(batch);
}

Result<std::optional<std::string>> SnapshotStore::get(std::string_view key) const {
  std::string value;
  const auto status =
      database_->db().Get(rocksdb::ReadOptions(), database_->family(kFacts), rocksdb::Slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return std::unexpected(database_->error_of(status, fmt::format("cannot read fact {}", key)));
  return value;
}

}  // namespace quorate::storage

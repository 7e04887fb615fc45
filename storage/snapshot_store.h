// SnapshotStore: the newest snapshot of each group and a few facts about this node, in a second RocksDB, so that the
// log's syncs do not drag their bytes along. docs/formats/snapshot.md describes every byte.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "raft/types.h"
#include "storage/group_storage.h"
#include "storage/live_set.h"

namespace rocksdb {
class WriteBatch;
}

namespace quorate::storage {

class Database;
struct SnapshotRow;

class SnapshotStore {
 public:
  struct Options {
    std::string path;       // created when absent
    std::string mark_path;  // empty = state.mark beside `path`
    std::size_t write_buffer_bytes = 16u << 20;
    std::size_t block_cache_bytes = 4u << 20;
  };

  /// Refuses (ErrorCode::corruption) a directory that has lost anything it once synced.
  static Result<std::unique_ptr<SnapshotStore>> open(const Options& options);
  explicit SnapshotStore(std::unique_ptr<Database> database);  // for open()
  ~SnapshotStore();

  // save(), drop() and put() wait for the disk: one thread at a time, such as LogReader's for chores. Any thread reads.

  /// Durable when it returns; until then load() answers with the previous snapshot, whatever crashes.
  Result<void> save(GroupId group, const raft::SnapshotMeta& meta, const LiveSet& live, const Bytes& state);
  /// nullopt: never saved. A digest that does not match is ErrorCode::corruption.
  Result<std::optional<Snapshot>> load(GroupId group) const;
  /// Forgets the group's snapshot, durably.
  Result<void> drop(GroupId group);
  std::vector<GroupId> groups() const;

  /// Facts of this node, such as its uuid and its epoch. put() is durable when it returns.
  Result<void> put(std::string_view key, std::string_view value);
  Result<std::optional<std::string>> get(std::string_view key) const;

 private:
  std::uint64_t newest_generation(GroupId group) const;
  Result<void> write_chunks(GroupId group, std::uint64_t generation, const Bytes& state);
  Result<void> write_durably(rocksdb::WriteBatch& batch);
  Result<void> erase_chunks_except(GroupId group, std::uint64_t generation);
  Result<std::optional<SnapshotRow>> read_row(GroupId group) const;
  Result<Bytes> read_chunks(GroupId group, const SnapshotRow& row) const;

  std::unique_ptr<Database> database_;
};

}  // namespace quorate::storage

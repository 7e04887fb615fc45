// LogStore: the logs and rows of all groups of this node, in one RocksDB ("the log database").
// The log writer is its only writer; any thread reads, and each group's live set tells compaction what may be
// forgotten. docs/formats/log.md describes every byte. No error here is retried: after the first one, write() fails for
// ever.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "raft/types.h"
#include "storage/group_storage.h"
#include "storage/live_set.h"
#include "storage/promises.h"

namespace quorate::storage {

class Database;
class Retention;
class WriteBuffer;

class LogStore {
 public:
  /// What open() does with a directory that has lost synced writes.
  enum class OnLoss : std::uint8_t {
    refuse,   // ErrorCode::corruption
    recover,  // opens what came before the loss, if there is anything to open; loss() says what it means
  };
  struct Options {
    std::string path;           // created when absent
    std::string mark_path;      // empty = durable.mark beside `path`
    std::string promises_path;  // empty = promises beside `path`
    Epoch epoch;                // of this start, recorded in the mark; a mark of a later epoch refuses the directory
    OnLoss on_loss = OnLoss::refuse;
    std::size_t write_buffer_bytes = 64u << 20;
    int write_buffers = 3;
    std::size_t block_cache_bytes = 64u << 20;
    std::size_t blob_min_bytes = 4096;
  };

  /// Refuses (ErrorCode::corruption) a directory that has lost anything it once synced, and leaves the evidence.
  static Result<std::unique_ptr<LogStore>> open(const Options& options);
  /// Of the database, for ever: one that was made anew in its place has another.
  Result<std::string> identity() const;
  LogStore(std::unique_ptr<Database> database, std::shared_ptr<Retention> retention,
           std::string promises_path);  // for open()
  ~LogStore();

  /// Log-writer thread only (or recovery, before that thread starts). All of it or nothing; an error is for ever.
  /// A group exists from its first write on, which carries its row; so does the one that drops it and begins anew.
  /// A write that changes the term or vote of a group of several is synced, and its promise in its own file before it.
  Result<void> write(std::span<const GroupWrite> writes, Durability durability);
  /// What was only buffered so far reaches the disk; log-writer thread only.
  Result<void> sync();
  /// Records on disk how far this log is known to be synced; log-writer thread only.
  Result<void> store_mark();

  /// What opening found to be lost. Any thread, like everything below. Of `entries` the rows remember it: all groups
  /// are recovering, those of one included. `promises` is remembered by the durability mark, for ever.
  Loss loss() const { return loss_; }
  /// Groups that exist, ascending.
  std::vector<GroupId> groups() const;
  /// nullopt: the group does not exist.
  Result<std::optional<GroupRow>> row(GroupId group) const;

  /// Entries [from, to] in the order of their indexes until `visit` returns false. Missing indexes are skipped.
  /// A damaged entry is ErrorCode::corruption and names group, index and place.
  Result<void> scan(GroupId group, LogIndex from, LogIndex to, const std::function<bool(raft::Entry&&)>& visit) const;
  Result<std::optional<raft::Entry>> read(GroupId group, LogIndex index) const;
  /// What lies behind `after`, in one pass that keeps no entry. A hole, a term that goes back or an entry that cannot
  /// be read back ends it: LogSummary::damaged.
  Result<LogSummary> summarize(GroupId group, LogIndex after) const;

  /// From now on compaction may forget what is not in `live`. Only after the snapshot it speaks of is durable,
  /// and never with an entry that an earlier live set of this group had given up.
  void retain(GroupId group, std::shared_ptr<const LiveSet> live);
  /// Returns the disk space of dead entries below `below`. May compact for seconds: a chore, never on a shard.
  Result<void> reclaim(GroupId group, LogIndex below);

  /// A reclaim() under way, and every later one, ends early and with an error: the process is about to stop.
  void cancel_reclaim() const;

  /// What the directory really occupies, write-ahead logs included. Lists the directory: never on a shard.
  std::uint64_t bytes_on_disk() const;
  /// Flushes and rewrites everything through the compaction filter: for tests and the operator.
  Result<void> compact_all();

 private:
  struct KeyRange;
  enum class BlobRewrite : std::uint8_t { none, all };

  Result<void> recover(OnLoss on_loss, const std::string& promises_path);
  Result<std::map<GroupId, GroupRow>> load_rows();
  Result<std::optional<PromiseTable>> load_promises(const std::string& path) const;
  Result<bool> promise(std::span<const GroupWrite> writes);
  void erase(GroupId group, bool has_unseen_entries);
  std::optional<std::vector<std::string>> keys_of_short_log(GroupId group) const;
  void put(const GroupWrite& write);
  std::uint64_t approximate_bytes_below(GroupId group, LogIndex below) const;
  bool is_rewrite_of_blobs_due() const;
  Result<void> compact(const std::optional<KeyRange>& range, BlobRewrite rewrite);

  Loss loss_ = Loss::none;                // not changed after open()
  bool keeps_promises_ = false;           // likewise
  std::shared_ptr<Retention> retention_;  // shared with the compaction filters that RocksDB owns
  std::unique_ptr<Database> database_;
  Promises promises_;                    // log-writer thread only, like the next
  std::unique_ptr<WriteBuffer> buffer_;  // reused by write()
};

}  // namespace quorate::storage

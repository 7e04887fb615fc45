#include "storage/log_store.h"

#include <fmt/format.h>
#include <rocksdb/convenience.h>

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "storage/database.h"
#include "storage/log_families.h"
#include "storage/log_format.h"
#include "storage/log_summarizer.h"
#include "storage/promise_rules.h"
#include "storage/retention.h"

namespace quorate::storage {

class WriteBuffer {
 public:
  rocksdb::WriteBatch batch;
};

/// From `begin` to before `end`.
struct LogStore::KeyRange {
  LogKey begin;
  LogKey end;
};

namespace {

/// Fewer dead bytes of a group on the disk, or of all blob files, are left to ordinary compaction.
constexpr std::uint64_t kReclaimMinBytes = 32u << 20;
/// Blob files of which more than this share is dead are rewritten, so none of them is more than twice as long as need
/// be.
constexpr double kBlobGarbageMax = 0.5;

/// The first key behind everything of `group`.
std::array<std::byte, kLogKeyBytes> key_behind(GroupId group) { return encode_log_key({.group = group.plus(1)}); }

/// The part of the log that an iterator with these options sees; it stays as long as the iterator does.
class LogBounds {
 public:
  using Key = std::array<std::byte, kLogKeyBytes>;
  LogBounds(const Key& first, const Key& behind) : first_(first), behind_(behind) {}
  explicit LogBounds(GroupId group) : LogBounds(encode_log_key({.group = group}), key_behind(group)) {}
  LogBounds(const LogBounds&) = delete;
  LogBounds& operator=(const LogBounds&) = delete;

  const rocksdb::Slice& first() const { return first_slice_; }
  rocksdb::ReadOptions options() const {
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &first_slice_;
    options.iterate_upper_bound = &behind_slice_;
    return options;
  }

 private:
  const Key first_;
  const Key behind_;
  const rocksdb::Slice first_slice_ = slice_of(first_);
  const rocksdb::Slice behind_slice_ = slice_of(behind_);
};

/// So many entries are erased one by one. Of ranges RocksDB sorts all that are in memory anew for every reader that
/// comes after another one, and queues that come and go would make thousands of them.
constexpr std::size_t kShortLogEntries = 64;

bool is_farewell(const GroupWrite& write) { return write.drop && write.entries.empty() && !write.row; }

void put_entry(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* log, GroupId group, const raft::Entry& entry) {
  const auto key = encode_log_key({.group = group, .index = entry.index, .term = entry.term});
  const auto header = encode_entry_header(group, entry);
  const rocksdb::Slice key_part = slice_of(key);
  const std::array value_parts{slice_of(header), slice_of(entry.payload.view())};
  batch.Put(log, rocksdb::SliceParts(&key_part, 1), rocksdb::SliceParts(value_parts.data(), value_parts.size()));
}

}  // namespace

LogStore::LogStore(std::unique_ptr<Database> database, std::shared_ptr<Retention> retention, std::string promises_path)
    : retention_(std::move(retention)),
      database_(std::move(database)),
      promises_(std::move(promises_path)),
      buffer_(std::make_unique<WriteBuffer>()) {}

LogStore::~LogStore() = default;

Result<std::string> LogStore::identity() const { return database_->identity(); }

Result<void> LogStore::write(std::span<const GroupWrite> writes, Durability durability) {
  buffer_->batch.Clear();
  std::unordered_set<GroupId> ended;  // by the last that this batch says of them
  std::unordered_set<GroupId> grown;  // have entries that no reader sees yet
  const bool any_drop = std::ranges::any_of(writes, &GroupWrite::drop);
  for (const GroupWrite& write : writes) {
    const bool is_new = !retention_->has(write.group) || ended.erase(write.group) > 0;
    CHECK(write.row || is_farewell(write) || !(is_new || write.drop));  // a group begins with its row
    if (write.drop) retention_->forget_live(write.group);               // what follows may stand at indexes once dead
    if (is_farewell(write)) {
      ended.insert(write.group);
    } else if (is_new) {
      retention_->add(write.group);
    }
    if (write.drop) erase(write.group, grown.contains(write.group));
    put(write);
    if (any_drop && !write.entries.empty()) grown.insert(write.group);
  }
  const auto promised = promise(writes);
  if (!promised) return database_->fail(promised.error());
  auto written = database_->write(buffer_->batch, durability == Durability::synced || *promised);
  if (!written) return written;
  for (const GroupId group : ended) retention_->remove(group);
  return *promised ? store_mark() : Result<void>();  // so that a promise cut off its file is missed at once
}

/// Promises are durable in their own file before the write that they come with is answered.
Result<bool> LogStore::promise(std::span<const GroupWrite> writes) {
  if (loss_ == Loss::promises || !keeps_promises_) return false;
  const auto changes = changes_of(writes, promises_, [this](GroupId group) { return row(group); });
  if (!changes) return std::unexpected(changes.error());
  if (changes->empty()) return false;
  if (auto appended = promises_.append(*changes); !appended) return std::unexpected(appended.error());
  return true;
}

void LogStore::erase(GroupId group, bool has_unseen_entries) {
  CHECK_LT(group.value(), std::numeric_limits<std::uint64_t>::max());  // key_behind() needs a successor
  rocksdb::WriteBatch& batch = buffer_->batch;
  rocksdb::ColumnFamilyHandle* log = database_->family(kLog);
  const auto keys = has_unseen_entries ? std::nullopt : keys_of_short_log(group);
  if (!keys) batch.DeleteRange(log, slice_of(encode_log_key({.group = group})), slice_of(key_behind(group)));
  for (const std::string& key : keys.value_or(std::vector<std::string>())) batch.Delete(log, key);
  batch.Delete(database_->family(kRows), slice_of(encode_group_key(group)));
}

/// nullopt: it is longer, or some of it is not in memory; the writer does not wait for a read.
std::optional<std::vector<std::string>> LogStore::keys_of_short_log(GroupId group) const {
  const LogBounds bounds(group);
  rocksdb::ReadOptions options = bounds.options();
  options.read_tier = rocksdb::kBlockCacheTier;
  std::vector<std::string> keys;
  const std::unique_ptr<rocksdb::Iterator> it(database_->db().NewIterator(options, database_->family(kLog)));
  for (it->Seek(bounds.first()); it->Valid(); it->Next()) {
    if (keys.size() == kShortLogEntries) return std::nullopt;
    keys.push_back(it->key().ToString());
  }
  return it->status().ok() ? std::optional(std::move(keys)) : std::nullopt;
}

void LogStore::put(const GroupWrite& write) {
  rocksdb::ColumnFamilyHandle* log = database_->family(kLog);
  rocksdb::ColumnFamilyHandle* rows = database_->family(kRows);
  rocksdb::WriteBatch& batch = buffer_->batch;
  const GroupId group = write.group;
  CHECK_LT(group.value(), std::numeric_limits<std::uint64_t>::max());  // key_behind() needs a successor
  if (write.truncate_from) {
    batch.DeleteRange(log, slice_of(encode_log_key({.group = group, .index = *write.truncate_from})),
                      slice_of(key_behind(group)));
  }
  for (const raft::Entry& entry : write.entries) put_entry(batch, log, group, entry);
  if (write.row) batch.Put(rows, slice_of(encode_group_key(group)), slice_of(encode_row(group, *write.row)));
}

Result<void> LogStore::sync() { return database_->sync(); }

Result<void> LogStore::store_mark() {
  return database_->store_mark({.promises = promises_.table().serial, .is_burned = loss_ == Loss::promises});
}

std::vector<GroupId> LogStore::groups() const { return retention_->groups(); }

Result<std::optional<GroupRow>> LogStore::row(GroupId group) const {
  rocksdb::PinnableSlice value;
  const auto status =
      database_->db().Get(rocksdb::ReadOptions(), database_->family(kRows), slice_of(encode_group_key(group)), &value);
  if (status.IsNotFound()) return std::optional<GroupRow>();
  const std::string doing = fmt::format("cannot read the row of group {}", group.value());
  if (!status.ok()) return std::unexpected(database_->error_of(status, doing));
  auto row = decode_row(group, view_of(value));
  if (!row) return std::unexpected(database_->error_of(rocksdb::Status::Corruption("checksum or format"), doing));
  return row;
}

Result<void> LogStore::scan(GroupId group, LogIndex from, LogIndex to,
                            const std::function<bool(raft::Entry&&)>& visit) const {
  if (from > to) return {};
  const bool ends_group = to.value() == std::numeric_limits<std::uint64_t>::max();
  const LogBounds bounds(encode_log_key({.group = group, .index = from}),
                         ends_group ? key_behind(group) : encode_log_key({.group = group, .index = to.plus(1)}));
  rocksdb::ReadOptions options = bounds.options();
  options.fill_cache = false;  // a backlog is read once
  if (from != to) options.readahead_size = limits::kReadAheadBytes;

  const auto error_at = [&](LogIndex index, const rocksdb::Status& status) {
    return std::unexpected(
        database_->error_of(status, fmt::format("cannot read group {} at index {}", group.value(), index.value())));
  };
  const std::unique_ptr<rocksdb::Iterator> it(database_->db().NewIterator(options, database_->family(kLog)));
  LogIndex expected = from;
  it->Seek(bounds.first());
  while (it->Valid()) {
    const auto key = decode_log_key(view_of(it->key()));
    if (!key) return error_at(expected, rocksdb::Status::Corruption("a key of the wrong size follows"));
    auto entry = decode_entry(*key, view_of(it->value()));
    if (!entry) return error_at(key->index, rocksdb::Status::Corruption("entry fails its checksum or format"));
    expected = key->index.plus(1);
    it->Next();
    const auto next = it->Valid() ? decode_log_key(view_of(it->key())) : std::nullopt;
    if (next && next->index == key->index) continue;  // of two terms at one index, the later one holds
    if (!visit(std::move(*entry))) return {};
  }
  if (!it->status().ok()) return error_at(expected, it->status());
  return {};
}

Result<std::optional<raft::Entry>> LogStore::read(GroupId group, LogIndex index) const {
  std::optional<raft::Entry> found;
  const auto scanned = scan(group, index, index, [&](raft::Entry&& entry) {
    found = std::move(entry);
    return true;
  });
  if (!scanned) return std::unexpected(scanned.error());
  return found;
}

Result<LogSummary> LogStore::summarize(GroupId group, LogIndex after) const {
  LogSummarizer summarizer(group, after);
  Result<void> added;
  auto scanned = scan(group, after.plus(1), LogIndex(std::numeric_limits<std::uint64_t>::max()),
                      [&](raft::Entry&& entry) { return (added = summarizer.add(entry)).has_value(); });
  if (scanned && !added) scanned = std::move(added);
  if (!scanned && scanned.error().code != ErrorCode::corruption) return std::unexpected(scanned.error());
  LogSummary summary = std::move(summarizer).take();
  if (!scanned) {
    summary.damaged = summary.last.plus(1);
    log::error(log::Category::storage, "storage.log_damaged group={} index={} error=\"{}\"", group.value(),
               summary.damaged->value(), scanned.error().text);
  }
  return summary;
}

void LogStore::retain(GroupId group, std::shared_ptr<const LiveSet> live) {
  CHECK(live != nullptr);
  CHECK(std::ranges::is_sorted(live->live));  // contains() searches it
  retention_->retain(group, std::move(live));
}

Result<void> LogStore::reclaim(GroupId group, LogIndex below) {
  if (approximate_bytes_below(group, below) >= kReclaimMinBytes) {
    const KeyRange dead{.begin = {.group = group}, .end = {.group = group, .index = below}};
    if (auto compacted = compact(dead, BlobRewrite::none); !compacted) return compacted;
  }
  if (!is_rewrite_of_blobs_due()) return {};
  return compact(std::nullopt, BlobRewrite::all);
}

/// What it moves is at most what it frees, so each byte is rewritten once on average.
bool LogStore::is_rewrite_of_blobs_due() const {
  std::uint64_t total = 0;
  std::uint64_t garbage = 0;
  database_->db().GetIntProperty(database_->family(kLog), rocksdb::DB::Properties::kLiveBlobFileSize, &total);
  database_->db().GetIntProperty(database_->family(kLog), rocksdb::DB::Properties::kLiveBlobFileGarbageSize, &garbage);
  return garbage >= kReclaimMinBytes && static_cast<double>(garbage) > kBlobGarbageMax * static_cast<double>(total);
}

/// What is in memory does not count: a flush drops what is dead by then, and would write out what still lives. Tables
/// only point into blob files, so what lies in the range counts with its share of all blobs. Too low by up to two
/// blocks per table: many groups in the few tables that wait for their first compaction may each look empty.
std::uint64_t LogStore::approximate_bytes_below(GroupId group, LogIndex below) const {
  rocksdb::DB& db = database_->db();
  rocksdb::ColumnFamilyHandle* log = database_->family(kLog);
  const auto begin = encode_log_key({.group = group});
  const auto end = encode_log_key({.group = group, .index = below});
  const rocksdb::Range range(slice_of(begin), slice_of(end));
  std::uint64_t table_bytes = 0;
  if (!db.GetApproximateSizes(log, &range, 1, &table_bytes).ok()) return 0;

  std::uint64_t all_table_bytes = 0;
  std::uint64_t all_blob_bytes = 0;
  db.GetIntProperty(log, rocksdb::DB::Properties::kLiveSstFilesSize, &all_table_bytes);
  db.GetIntProperty(log, rocksdb::DB::Properties::kLiveBlobFileSize, &all_blob_bytes);
  if (all_table_bytes == 0) return 0;
  const double share = static_cast<double>(table_bytes) / static_cast<double>(all_table_bytes);
  return table_bytes + static_cast<std::uint64_t>(share * static_cast<double>(all_blob_bytes));
}

/// Through the filter, for RocksDB's shorter way (DeleteFilesInRange) does not count the blobs it leaves behind.
/// Rows are flushed too: the oldest of them still in memory holds on to every write-ahead log since.
Result<void> LogStore::compact(const std::optional<KeyRange>& range, BlobRewrite rewrite) {
  rocksdb::DB& db = database_->db();
  const auto begin = encode_log_key(range ? range->begin : LogKey{});
  const auto end = encode_log_key(range ? range->end : LogKey{});
  const rocksdb::Slice begin_slice = slice_of(begin);
  const rocksdb::Slice end_slice = slice_of(end);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  if (rewrite == BlobRewrite::all) {
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
    options.blob_garbage_collection_age_cutoff = 1.0;
  }
  const auto flushed = db.Flush({}, {database_->family(kLog), database_->family(kRows)});
  if (!flushed.ok()) return std::unexpected(database_->error_of(flushed, "cannot flush the log database"));
  const auto compacted =
      db.CompactRange(options, database_->family(kLog), range ? &begin_slice : nullptr, range ? &end_slice : nullptr);
  if (!compacted.ok()) return std::unexpected(database_->error_of(compacted, "cannot compact the log database"));
  return {};
}

void LogStore::cancel_reclaim() const { database_->db().DisableManualCompaction(); }

std::uint64_t LogStore::bytes_on_disk() const { return database_->bytes_on_disk(); }

Result<void> LogStore::compact_all() { return compact(std::nullopt, BlobRewrite::all); }

}  // namespace quorate::storage

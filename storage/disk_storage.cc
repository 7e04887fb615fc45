#include "storage/disk_storage.h"

#include <memory>
#include <utility>

namespace quorate::storage {
namespace {

/// What cannot be read answers a question, too: with `verdict`.
Result<bool> unless_damaged(const Error& error, bool verdict) {
  if (error.code != ErrorCode::corruption) return std::unexpected(error);
  return verdict;
}

}  // namespace

Result<std::optional<Snapshot>> DiskStorage::load_snapshot(GroupId group) const {
  auto snapshot = snapshots_.load(group);
  if (!snapshot) return snapshot;
  const std::optional<Snapshot>& found = *snapshot;
  if (found) log_.retain(group, std::make_shared<const LiveSet>(found->live));
  return snapshot;
}

Result<bool> DiskStorage::has_end_of(GroupId group, const Snapshot& snapshot) const {
  const raft::LogPosition& end = snapshot.meta.last;
  bool is_there = false;
  const auto scanned = log_.scan(group, end.index, end.index, [&](raft::Entry&& entry) {
    is_there = entry.term == end.term;
    return true;
  });
  if (!scanned) return unless_damaged(scanned.error(), true);
  return is_there;
}

Result<bool> DiskStorage::has_log_of(GroupId group, const Snapshot& snapshot) const {
  if (auto has_end = has_end_of(group, snapshot); !has_end || !*has_end) return has_end;
  for (const auto& [first, last] : snapshot.live.live) {
    LogIndex next = first;
    const auto scanned = log_.scan(group, first, last, [&](raft::Entry&& entry) {
      if (entry.index != next) return false;
      ++next;
      return true;
    });
    if (!scanned) return unless_damaged(scanned.error(), false);
    if (next != last.plus(1)) return false;
  }
  return true;
}

void DiskStorage::submit(std::vector<GroupWrite> writes, std::size_t bytes, Durability durability, Done done) {
  writer_.submit(std::move(writes), bytes, durability, std::move(done));
}

void DiskStorage::read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done) {
  reader_.read(group, from, to, bytes_max, std::move(done));
}

void DiskStorage::save_snapshot(GroupId group, Snapshot snapshot, LogIndex kept_from, Done done) {
  reader_.run([this, group, snapshot = std::move(snapshot), kept_from, done = std::move(done)]() mutable {
    done(save_and_reclaim(group, std::move(snapshot), kept_from));
  });
}

/// The order matters: snapshot durable, then the live set, then the space (raft.md §2.3).
Result<void> DiskStorage::save_and_reclaim(GroupId group, Snapshot snapshot, LogIndex kept_from) const {
  auto saved = snapshots_.save(group, snapshot.meta, snapshot.live, snapshot.state);
  if (!saved) return saved;
  snapshot.live.keep_from(kept_from);
  const auto live = std::make_shared<const LiveSet>(std::move(snapshot.live));
  log_.retain(group, live);
  return log_.reclaim(group, live->live.empty() ? live->snapshot.plus(1) : live->live.front().first);
}

void DiskStorage::fetch_snapshot(GroupId group, SnapshotRead done) {
  reader_.run([this, group, done = std::move(done)]() mutable { done(snapshots_.load(group)); });
}

void DiskStorage::drop_snapshot(GroupId group, Done done) {
  reader_.run([this, group, done = std::move(done)]() mutable { done(snapshots_.drop(group)); });
}

}  // namespace quorate::storage

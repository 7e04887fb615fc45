#include "storage/disk_storage.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace quorate::storage {
namespace {

/// What the log may not forget once `snapshot` is durable.
std::shared_ptr<const LiveSet> needed_for(const Snapshot& snapshot, LogIndex kept_from) {
  LiveSet needed = snapshot.live;
  needed.keep_from(std::min(kept_from, snapshot.meta.last.index));
  return std::make_shared<const LiveSet>(std::move(needed));
}

}  // namespace

Result<std::optional<Snapshot>> DiskStorage::load_snapshot(GroupId group) const {
  auto snapshot = snapshots_.load(group);
  if (!snapshot) return snapshot;
  if (const std::optional<Snapshot>& found = *snapshot) log_.retain(group, needed_for(*found, found->meta.last.index));
  return snapshot;
}

Result<bool> DiskStorage::has_log_of(GroupId group, const Snapshot& snapshot) const {
  const raft::LogPosition& end = snapshot.meta.last;
  std::vector<std::pair<LogIndex, LogIndex>> needed = snapshot.live.live;
  needed.emplace_back(end.index, end.index);
  for (const auto& [first, last] : needed) {
    LogIndex next = first;
    const auto scanned = log_.scan(group, first, last, [&](raft::Entry&& entry) {
      const bool is_of_another_log = entry.index == end.index && entry.term != end.term;
      if (entry.index != next || is_of_another_log) return false;
      ++next;
      return true;
    });
    if (!scanned && scanned.error().code != ErrorCode::corruption) return std::unexpected(scanned.error());
    if (!scanned || next != last.plus(1)) return false;
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
  const auto needed = needed_for(snapshot, kept_from);
  log_.retain(group, needed);
  return log_.reclaim(group, needed->live.empty() ? needed->snapshot.plus(1) : needed->live.front().first);
}

void DiskStorage::fetch_snapshot(GroupId group, SnapshotRead done) {
  reader_.run([this, group, done = std::move(done)]() mutable { done(snapshots_.load(group)); });
}

void DiskStorage::drop_snapshot(GroupId group, Done done) {
  reader_.run([this, group, done = std::move(done)]() mutable { done(snapshots_.drop(group)); });
}

}  // namespace quorate::storage

// DiskStorage: the disk of a real node behind the door of the group hosts. It owns no thread and no file of its own: it
// ties the log database, its writer, the reader with its chores, and the snapshots to one another. Any thread; what
// waits for the disk is said in GroupStorage.
// groups() lists what exists, staging groups included: is_staging() tells them apart. A group that is dropped may begin
// anew on this node once drop_snapshot() has answered, for chores run in order.
#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "storage/group_storage.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"
#include "storage/snapshot_store.h"

namespace quorate::storage {

class DiskStorage final : public GroupStorage {
 public:
  /// Borrows all four until `writer` and `reader` have stopped.
  DiskStorage(LogStore& log, LogWriter& writer, LogReader& reader, SnapshotStore& snapshots)
      : log_(log), writer_(writer), reader_(reader), snapshots_(snapshots) {}

  Loss loss() const override { return log_.loss(); }
  std::vector<GroupId> groups() const override { return log_.groups(); }

  Result<std::optional<GroupRow>> row(GroupId group) const override { return log_.row(group); }
  Result<LogSummary> summarize(GroupId group, LogIndex after) const override { return log_.summarize(group, after); }
  /// From now on the log may forget what the snapshot does not need, as after save_snapshot().
  Result<std::optional<Snapshot>> load_snapshot(GroupId group) const override;
  Result<bool> has_end_of(GroupId group, const Snapshot& snapshot) const override;
  Result<bool> has_log_of(GroupId group, const Snapshot& snapshot) const override;

  void submit(std::vector<GroupWrite> writes, std::size_t bytes, Durability durability, Done done) override;
  std::size_t pending_bytes() const override { return writer_.pending_bytes(); }

  void read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done) override;

  // Chores: one after the other, beside the reads. Those that LogReader::abandon_chores() forgets never answer.
  void save_snapshot(GroupId group, Snapshot snapshot, LogIndex kept_from, Done done) override;
  void fetch_snapshot(GroupId group, SnapshotRead done) override;
  void drop_snapshot(GroupId group, Done done) override;

 private:
  Result<void> save_and_reclaim(GroupId group, Snapshot snapshot, LogIndex kept_from) const;

  LogStore& log_;
  LogWriter& writer_;
  LogReader& reader_;
  SnapshotStore& snapshots_;
};

}  // namespace quorate::storage

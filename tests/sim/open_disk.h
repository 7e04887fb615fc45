// OpenDisk: a Disk as one process has it open, behind the door that the group hosts know. A writer merges what was
// submitted and syncs it, a second worker saves snapshots, reads go their own way; each step takes drawn time, and the
// process may die between any two of them.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "storage/group_storage.h"
#include "tests/sim/disk.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

/// Where a process may die.
enum class Step : std::uint8_t {
  submit,
  send,
  snapshot_call,
  write,
  sync,
  done,
  snapshot_write,
  snapshot_sync,
  snapshot_done,
};

/// Whose process has the disk open.
class DiskOwner {
 public:
  virtual ~DiskOwner() = default;
  virtual std::string name() const = 0;
  /// False: the process dies before it takes this step, and nothing that it still does has an effect.
  virtual bool survives(Step step) = 0;
  /// Before this time the process stands still.
  virtual WorldTime runs_from() const = 0;
  /// A completion was posted.
  virtual void wake() = 0;
  virtual void on_submit(const std::vector<storage::GroupWrite>& writes) = 0;
  /// `write` becomes durable; the disk's synced image does not have it yet.
  virtual void on_syncing(const StoredWrite& write) = 0;
  virtual void on_snapshot_saved(GroupId group, const storage::Snapshot& snapshot) = 0;
};

class OpenDisk final : public storage::GroupStorage {
 public:
  OpenDisk(Stage& stage, Disk& disk, DiskOwner& owner) : stage_(stage), disk_(disk), owner_(owner) {}
  ~OpenDisk() override { *alive_ = false; }

  // Faults. From the moment of a failure on every write answers an error.
  void fail_next_sync() { sync_fails_ = true; }
  void become_full() { is_full_ = true; }
  void slow_down(Duration next_sync_takes) { next_sync_takes_ = next_sync_takes; }
  /// What has not failed yet will not.
  void mend() { sync_fails_ = is_full_ = false; }
  bool has_failed() const { return failed_.has_value(); }

  /// How long the writer has been at its batch.
  Duration busy_for() const { return batch_.empty() ? Duration{} : Duration(stage_.schedule.now() - batch_began_at_); }

  storage::Loss loss() const override { return disk_.loss(); }
  std::vector<GroupId> groups() const override;
  Result<std::optional<storage::GroupRow>> row(GroupId group) const override;
  Result<storage::LogSummary> summarize(GroupId group, LogIndex after) const override;
  Result<std::optional<storage::Snapshot>> load_snapshot(GroupId group) const override;
  void submit(std::vector<storage::GroupWrite> writes, std::size_t bytes, storage::Durability durability,
              Done done) override;
  std::size_t pending_bytes() const override { return pending_bytes_; }
  void read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done) override;
  void save_snapshot(GroupId group, storage::Snapshot snapshot, LogIndex kept_from, Done done) override;
  Result<bool> has_end_of(GroupId group, const storage::Snapshot& snapshot) const override;
  Result<bool> has_log_of(GroupId group, const storage::Snapshot& snapshot) const override;
  void fetch_snapshot(GroupId group, SnapshotRead done) override;
  void drop_snapshot(GroupId group, Done done) override;

 private:
  struct Submission {
    LogOp op;
    std::size_t bytes = 0;
    storage::Durability durability = storage::Durability::buffered;
    Done done;
  };
  struct SnapshotJob {
    SnapshotOp op;
    Done done;
  };

  /// Runs `task` after `delay` of a process that is alive and not paused.
  void later(Duration delay, std::move_only_function<void()> task);
  bool fails_for_want_of_space();
  void begin_batch();
  void write_batch();
  void sync_batch();
  void answer_batch();
  Result<std::optional<storage::Snapshot>> fetch_now(GroupId group) const;
  void begin_snapshot();
  void write_snapshot();
  void sync_snapshot();
  void note_rot_read(GroupId group, LogIndex index) const;
  Result<std::vector<raft::Entry>> read_now(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max) const;

  Stage& stage_;
  Disk& disk_;
  DiskOwner& owner_;
  bool sync_fails_ = false;
  bool is_full_ = false;
  Duration next_sync_takes_{};
  std::optional<Error> failed_;
  std::size_t pending_bytes_ = 0;
  std::deque<Submission> queue_;
  std::vector<Submission> batch_;  // what the writer works at
  WorldTime batch_began_at_{};
  mutable std::map<std::pair<GroupId, LogIndex>, int> rot_reads_;
  std::deque<SnapshotJob> snapshots_;
  bool snapshot_under_way_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace quorate::sim

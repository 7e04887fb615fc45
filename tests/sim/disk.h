// A node's disk: what survives its processes. Two files as the real one has them: the log (entries and rows of all
// groups) and the snapshots. Each has what is synced and, in front of it, what is only written and may vanish when the
// power fails. Entries are kept as the bytes of the real log format, so that rot meets the real checksum.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "storage/group_storage.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

struct StoredEntry {
  Term term;
  Bytes value;
};
/// A storage::GroupWrite in bytes.
struct StoredWrite {
  GroupId group;
  bool drop = false;
  std::optional<LogIndex> truncate_from;
  std::vector<std::pair<LogIndex, StoredEntry>> entries;
  std::optional<storage::GroupRow> row;
};
/// What is written in one piece: all of it or nothing.
using LogOp = std::vector<StoredWrite>;
using SnapshotPtr = std::shared_ptr<const storage::Snapshot>;
struct StoredSnapshot {
  SnapshotPtr content;
  bool is_rotten = false;
};
struct SnapshotOp {
  GroupId group;
  SnapshotPtr snapshot;  // none: dropped
  LogIndex kept_from;    // the log stays from here on
};

StoredWrite encode_write(const storage::GroupWrite& write);
std::optional<raft::Entry> decode_stored(GroupId group, LogIndex index, const StoredEntry& stored);

struct GroupImage {
  std::optional<storage::GroupRow> row;
  std::map<LogIndex, StoredEntry> entries;
};
struct Image {
  std::map<GroupId, GroupImage> groups;
  std::map<GroupId, StoredSnapshot> snapshots;

  void apply(const StoredWrite& write);
  void apply(const LogOp& op) {
    for (const StoredWrite& write : op) apply(write);
  }
  void apply(const SnapshotOp& op);
  const GroupImage* find(GroupId group) const;
  /// What was saved, whether or not it can be read any more.
  const storage::Snapshot* snapshot(GroupId group) const;
  bool is_snapshot_rotten(GroupId group) const;
  /// The term of an entry, or of the snapshot's last one.
  std::optional<Term> term_at(GroupId group, LogIndex index) const;
};

class Disk {
 public:
  explicit Disk(Stage& stage) : stage_(stage) {}

  /// What a running process reads.
  const Image& current() const { return current_; }
  /// What no loss of power takes away.
  const Image& synced() const { return synced_; }

  void write(LogOp op);
  void write(SnapshotOp op);
  /// Everything written becomes safe; `before` sees each piece while synced() does not have it yet.
  template <class Before>
  void sync_log(Before&& before) {
    for (LogOp& op : std::exchange(unsynced_log_, {})) {
      for (const StoredWrite& write : op) {
        before(write);
        synced_.apply(write);
        if (write.row && write.row->installing && on_swap_) std::exchange(on_swap_, nullptr)(write.group);
      }
      if (remembered_) since_remembered_.push_back(std::move(op));
    }
  }
  std::vector<SnapshotOp> sync_snapshots();

  /// The power fails: a drawn part of what was only written is gone; `before` sees what stays, as in sync_log().
  template <class Before>
  void lose_power(Random& random, Before&& before) {
    const std::set<GroupId> touched = cut_unsynced(random);
    sync_log(before);
    read_again(touched);
  }
  /// A failed sync: nobody knows what was written.
  void lose_unsynced();

  // Damage. Each returns whether there was anything to damage.
  bool rot(Random& random, GroupId group);
  bool rot_snapshot(GroupId group);
  bool lose_suffix(Random& random);
  bool roll_back();
  void wipe();
  /// Nothing is left of one group.
  void forget(GroupId group);
  /// The image that roll_back() and lose_suffix() go back to.
  void remember();
  /// `then` follows once, when a group has begun to exchange its log for what is staged, durably.
  void await_swap(std::move_only_function<void(GroupId)> then) { on_swap_ = std::move(then); }
  /// `then` follows once, when somebody is about to read a group's snapshot in order to send it.
  void await_fetch(std::move_only_function<void(GroupId)> then) { on_fetch_ = std::move(then); }
  void note_fetch(GroupId group) {
    if (on_fetch_) std::exchange(on_fetch_, nullptr)(group);
  }

  storage::Loss loss() const { return loss_; }
  /// Entries of `group` that fail their checksum.
  std::size_t rotten(GroupId group) const;
  /// Something that the group still needs has rotted: an entry, the snapshot, or what is staged for a swap under way.
  bool is_damaged(GroupId group) const;
  bool has_ever_rotted(GroupId group) const { return rotten_.contains(group) && !rotten_.at(group).empty(); }
  bool has_snapshot_ever_rotted(GroupId group) const { return rotten_snapshots_.contains(group); }
  /// Every group of a disk that has lost entries says so itself by now.
  void note_recovery();

 private:
  /// The groups whose current image is no longer right.
  std::set<GroupId> cut_unsynced(Random& random);
  std::set<GroupId> keep_unsynced(std::size_t log_ops, std::size_t snapshot_ops);
  /// What a process that starts now will see of these groups, when nothing unsynced is left.
  void read_again(const std::set<GroupId>& groups);
  void erase_dead(const SnapshotOp& op);

  Stage& stage_;
  Image current_;
  Image synced_;
  std::vector<LogOp> unsynced_log_;
  std::vector<SnapshotOp> unsynced_snapshots_;
  std::unique_ptr<Image> remembered_;
  std::vector<LogOp> since_remembered_;
  storage::Loss loss_ = storage::Loss::none;
  std::map<GroupId, std::set<LogIndex>> rotten_;
  std::set<GroupId> rotten_snapshots_;
  std::move_only_function<void(GroupId)> on_swap_;
  std::move_only_function<void(GroupId)> on_fetch_;
};

}  // namespace quorate::sim

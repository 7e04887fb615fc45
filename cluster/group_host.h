// All Raft groups of one shard. It feeds their cores, applies what may be applied, hands everything a turn appended to
// the log writer, and takes the snapshots that let the log forget.
// Operation: propose() and AppendDone feed a core; at the end of the turn new entries are applied and submitted. A
// group whose disk failed never answers again: on_storage_failure tells the node, which stops. Concurrency: the shard's
// thread only; completions of storage threads come back through the shard's mailbox.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "cluster/shard.h"
#include "raft/core.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"
#include "storage/snapshot_store.h"

namespace quorate::cluster {

/// The storage of a node, shared by its shards; every part outlives the hosts.
struct Storage {
  storage::LogStore& log;
  storage::LogWriter& writer;
  storage::LogReader& reader;
  storage::SnapshotStore& snapshots;
};

enum class ApplyMode : std::uint8_t { replay, live };

/// What stands on top of one group: a queue, the metadata. Called on the shard's thread, from the host's turn.
class GroupClient {
 public:
  virtual ~GroupClient() = default;
  /// What an operator calls it: "queue 'orders' in vhost '/'".
  virtual std::string describe() const = 0;
  /// The state as of a snapshot, before anything is applied.
  virtual Result<void> restore(ByteView state) = 0;
  /// The next command entry. In `replay` it is history: it changes the state and nothing else. An error is a damaged
  /// or unknown entry and stops the node.
  virtual Result<void> apply(const raft::Entry& entry, ApplyMode mode) = 0;
  /// History is applied and proposals are accepted from now on.
  virtual void on_leader() = 0;
  /// Everything up to `index` is durable on a majority.
  virtual void on_committed(LogIndex index) = 0;

  virtual Bytes save() const = 0;
  virtual std::vector<std::pair<LogIndex, LogIndex>> live_entries() const = 0;
  /// What a snapshot now would let the log give back, and about what it would cost.
  virtual std::uint64_t reclaimable_bytes() const = 0;
  virtual std::uint64_t state_bytes() const = 0;
  /// save() follows and its result will be made durable: reclaimable_bytes() starts again.
  virtual void mark_snapshot() = 0;
};

class GroupHost final : public TurnHook {
 public:
  using OnFailure = std::move_only_function<void(const Error&)>;
  GroupHost(Shard& shard, Storage storage, OnFailure on_failure);
  ~GroupHost() override;

  /// Begins with what the disk holds: snapshot, then log; ends with on_leader(), some turns later.
  Result<void> open(GroupId group, GroupClient& client);
  /// The group is gone for good: log, hard state and snapshot are deleted. The client hears nothing more.
  void drop(GroupId group);
  /// The client hears nothing more; the bytes stay.
  void close(GroupId group) { groups_.erase(group); }

  /// Appends a command entry; it is applied later in this turn. The caller leads (on_leader() was called). `durability`
  /// says whether anybody waits for the entry to be durable; otherwise it rides with the next sync. Gives the entry's
  /// index; nothing once the disk has failed, and then nobody may be told that anything was kept.
  std::optional<LogIndex> propose(GroupId group, Bytes payload, storage::Durability durability);

  /// Reads live entries back; `done` runs on this shard, also after the group has gone.
  using ReadDone = std::move_only_function<void(Result<std::vector<raft::Entry>>)>;
  void read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done);

  /// The log writer is behind: publishers should wait.
  bool is_congested() const;
  /// The disk has failed: no client hears from its group any more.
  bool has_failed() const { return failed_; }

  bool on_turn_end() override;

 private:
  struct Group {
    GroupId id;
    GroupClient* client = nullptr;
    std::unique_ptr<raft::Core> core;
    std::vector<raft::Entry> unapplied;  // appended in this turn
    LogIndex stored_last;                // of the log as it was found at open()
    LogIndex applied;
    WallTime applied_ts{};  // of that entry
    LogIndex snapshot;
    std::uint64_t snapshot_bytes = 0;               // of the last one taken
    bool dirty = false;                             // stands in dirty_
    bool snapshotting = false;                      // one is being saved
    std::optional<storage::Snapshot> snapshot_due;  // taken, and waiting for its log to be durable
  };

  Group* find(GroupId group);
  void step(Group& group, raft::Input input);
  void mark_dirty(Group& group);
  void settle(Group& group);
  Result<void> apply_ready(Group& group);
  Result<void> replay(Group& group);
  void submit();
  void on_append_done(const std::vector<std::pair<GroupId, raft::LogMark>>& marks, const Result<void>& result);
  void consider_snapshot(Group& group);
  void take_snapshot(Group& group);
  void save_snapshot(Group& group);
  void fail(const Error& error);
  ReadDone on_this_shard(ReadDone done);

  Shard& shard_;
  Storage storage_;
  OnFailure on_failure_;
  bool failed_ = false;
  std::unordered_map<GroupId, std::unique_ptr<Group>> groups_;
  std::vector<GroupId> dirty_;
  raft::Output output_;  // reused

  // What this turn hands to the log writer.
  std::vector<storage::GroupWrite> writes_;
  std::vector<std::pair<GroupId, raft::LogMark>> marks_;
  std::size_t write_bytes_ = 0;
  storage::Durability write_durability_ = storage::Durability::buffered;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // false once destroyed: late completions do nothing
};

}  // namespace quorate::cluster

// GroupStorage: the door between the group hosts and a node's disk. DiskStorage is RocksDB behind it, the simulator's
// disk another one. Completions come on threads of the storage's own; they post to their shard and return.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "raft/log.h"
#include "raft/types.h"
#include "storage/live_set.h"

namespace quorate::storage {

/// Whether a write waits for the disk (`synced`) or only for the operating system (`buffered`).
enum class Durability : std::uint8_t { buffered, synced };

/// Whether others have the log as well, by the entry at `since`. What the log itself says may be damaged.
struct Company {
  LogIndex since;
  bool has_others = false;
  bool operator==(const Company&) const = default;
};

/// What makes a group exist on this node: its promises, who it is here, and how it began.
struct GroupRow {
  raft::HardState hard_state;
  raft::ReplicaId self = raft::kNoReplica;
  raft::Configuration configuration;            // before the first log entry
  std::optional<raft::LogPosition> installing;  // a snapshot's swap has begun and must be finished (raft.md §2.11)
  std::optional<Company> company;               // none: as `configuration` says
  bool operator==(const GroupRow&) const = default;
};

/// What one group hands over in one turn, applied in the order of the fields, all of it or nothing.
struct GroupWrite {
  GroupId group;
  bool drop = false;                      // forget the whole group first, row and all
  std::optional<LogIndex> truncate_from;  // then its entries from here on
  std::vector<raft::Entry> entries;
  std::optional<GroupRow> row;  // a group's first write has one
};

struct Snapshot {
  raft::SnapshotMeta meta;
  LiveSet live;
  Bytes state;
  bool operator==(const Snapshot&) const = default;
};

/// What lies behind a position of a group's log.
struct LogSummary {
  LogIndex last;       // `after` when there is nothing
  WallTime last_ts{};  // of the last entry, if there is one
  std::vector<raft::TermRun> runs;
  std::vector<std::pair<LogIndex, raft::Configuration>> configurations;
  std::optional<LogIndex> damaged;  // the first entry that is missing or fails its checksum; `last` stands before it
};

/// What a node has lost of what it once synced, judged when the storage was opened.
enum class Loss : std::uint8_t {
  none,
  entries,   // promises are proven whole: replicas may recover through a leader
  promises,  // terms or votes are in doubt: no replica of this directory may ever act again
};

class GroupStorage {
 public:
  using Done = std::move_only_function<void(Result<void>)>;
  using ReadDone = std::move_only_function<void(Result<std::vector<raft::Entry>>)>;
  using SnapshotRead = std::move_only_function<void(Result<std::optional<Snapshot>>)>;

  virtual ~GroupStorage() = default;

  virtual Loss loss() const = 0;
  /// Groups that exist, ascending; staging groups come last.
  virtual std::vector<GroupId> groups() const = 0;

  // For open(): these wait for the disk.
  virtual Result<std::optional<GroupRow>> row(GroupId group) const = 0;
  virtual Result<LogSummary> summarize(GroupId group, LogIndex after) const = 0;
  virtual Result<std::optional<Snapshot>> load_snapshot(GroupId group) const = 0;
  /// Whether the log has the entry that `snapshot` ends with, of its term: then what stands before it is what the
  /// snapshot was taken of (Log Matching; Raft, section 5.3). Damage of that entry is no proof that it is another.
  virtual Result<bool> has_end_of(GroupId group, const Snapshot& snapshot) const = 0;
  /// The same, and everything that is live in it is there and whole.
  virtual Result<bool> has_log_of(GroupId group, const Snapshot& snapshot) const = 0;

  /// Never waits. `bytes` is what the submission weighs in pending_bytes(). Writes become durable in the order of
  /// submission and `done` is called in that order; the first failure is the answer to every later one.
  virtual void submit(std::vector<GroupWrite> writes, std::size_t bytes, Durability durability, Done done) = 0;
  /// Submitted and not yet answered.
  virtual std::size_t pending_bytes() const = 0;

  /// Entries [from, to] in order until their payloads reach `bytes_max`, at least one if there is any; dead ones are
  /// missing. A damaged one is ErrorCode::corruption if it is the first, else it ends the answer.
  virtual void read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done) = 0;

  /// Durable when `done` is called; from then on the log may forget what the snapshot does not need and what stands
  /// before `kept_from`.
  virtual void save_snapshot(GroupId group, Snapshot snapshot, LogIndex kept_from, Done done) = 0;
  /// The newest durable one.
  virtual void fetch_snapshot(GroupId group, SnapshotRead done) = 0;
  virtual void drop_snapshot(GroupId group, Done done) = 0;
};

/// Where what arrives for `group` lies until it is whole: a group of its own, never opened, dropped when it is over.
constexpr GroupId staging_of(GroupId group) { return GroupId(group.value() | (std::uint64_t{1} << 63)); }
constexpr bool is_staging(GroupId group) { return (group.value() >> 63) != 0; }
constexpr GroupId owner_of_staging(GroupId group) { return GroupId(group.value() & ~(std::uint64_t{1} << 63)); }

}  // namespace quorate::storage

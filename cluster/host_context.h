// What a replica finds around it on its shard, and what it hands over there. GroupHost is the only one who implements
// it; it stands apart so that Replica and the snapshot transfers need not know the host.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "cluster/shard.h"
#include "cluster/transport.h"
#include "raft/core.h"
#include "storage/group_storage.h"

namespace quorate::cluster {

struct HostOptions {
  NodeId node;  // of this process
  Epoch epoch;  // of its start
  std::uint64_t seed = 0;
  std::uint32_t machine_version = 0;  // the newest one this build applies
  raft::Core::Timing timing;
  raft::Core::Limits limits;
  std::uint64_t snapshot_reclaim_min_bytes = limits::kSnapshotReclaimMinBytes;
  std::uint64_t snapshot_entries_max = limits::kSnapshotEntriesMax;
  std::uint64_t kept_entries = limits::kKeptEntries;
  std::size_t apply_budget_bytes = limits::kApplyBudgetBytes;
  std::size_t snapshot_part_bytes = limits::kSnapshotChunkBytes;
};

class HostContext {
 public:
  virtual ~HostContext() = default;

  virtual Shard& shard() = 0;
  virtual storage::GroupStorage& storage() = 0;
  virtual const HostOptions& options() const = 0;
  virtual void send(raft::ReplicaId to, PeerMessage message) = 0;
  /// nullopt: the node is not known to be well.
  virtual std::optional<Instant> live_since(NodeId node) const = 0;

  /// To the log writer at the end of this turn. `mark` comes back to the group's core when it is durable.
  virtual void write(storage::GroupWrite write, std::optional<raft::LogMark> mark, storage::Durability durability) = 0;
  /// The same, and `done` is called on this shard when it is durable; never when the disk fails.
  virtual void write(storage::GroupWrite write, std::move_only_function<void()> done) = 0;
  /// The group has something to do at the end of this turn.
  virtual void mark_dirty(GroupId group) = 0;
  /// The node must stop.
  virtual void fail(const Error& error) = 0;

  /// Tells this opening of the group from every earlier one: what is counted from here on is newer than what was.
  virtual Epoch life_of(GroupId group) const = 0;
  /// Whether a snapshot may begin to travel to `to`: the node answers, and not too many do already.
  virtual bool begin_transfer(NodeId to) = 0;
  virtual void end_transfer(NodeId to) = 0;

  /// `task` as a completion for storage: it runs on this shard, if the host and the group still are there.
  template <class Result, class Task>
  auto on_this_shard(GroupId group, std::uint64_t birth, Task task);
  /// False once the host is gone.
  virtual std::shared_ptr<const bool> alive() const = 0;
  /// The replica that lives under this name now, if it is the same as then.
  virtual bool is_here(GroupId group, std::uint64_t birth) const = 0;
};

template <class Result, class Task>
auto HostContext::on_this_shard(GroupId group, std::uint64_t birth, Task task) {
  return [this, alive = alive(), group, birth, task = std::move(task)](Result result) mutable {
    Shard& shard = this->shard();
    shard.post_from_outside([this, alive, group, birth, task = std::move(task), result = std::move(result)]() mutable {
      if (*alive && is_here(group, birth)) task(std::move(result));
    });
  };
}

}  // namespace quorate::cluster

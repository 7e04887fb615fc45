// Logs: the log of a replica grows without gaps, is never cut below what is committed, commit indexes only rise and
// stay within the log, a leader never takes back an entry of its own term, and what a leader commits is on the disks of
// a quorum.
#pragma once
#include <functional>
#include <map>
#include <utility>

#include "base/ids.h"
#include "raft/core.h"
#include "tests/sim/checkers/ghost.h"
#include "tests/sim/disk.h"
#include "tests/sim/harm.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class Logs {
 public:
  using DiskOf = std::function<const Disk*(NodeId)>;
  Logs(Stage& stage, const Harm& harm, DiskOf disk_of) : stage_(stage), harm_(harm), disk_of_(std::move(disk_of)) {}

  /// `write` becomes durable on a disk that does not have it yet.
  void on_synced(NodeId node, const StoredWrite& write, const Image& before, const Ghost& ghost);
  void on_snapshot_saved(NodeId node, GroupId group, LogIndex index) { bases_[{node, group}] = index; }
  void on_turn_end(NodeId node, GroupId group, const raft::Core& core, const Ghost& ghost);
  /// Everything up to `index` was not known to be committed before this leader said so.
  /// `before`: the configuration when the event began, for the event may have committed first and changed it then.
  void on_commit(GroupId group, const raft::Core& core, LogIndex index, const raft::Configuration& before) const;
  void on_down(NodeId node);
  void on_wiped(NodeId node) {
    std::erase_if(bases_, [&](const auto& entry) { return entry.first.first == node; });
  }
  void on_closed(NodeId node, GroupId group) { seen_.erase({node, group}); }

 private:
  struct Past {
    LogIndex commit;
    Term led_term;
    LogIndex led_last;
  };
  void check_contiguity(NodeId node, const StoredWrite& write, const Image& before) const;

  Stage& stage_;
  const Harm& harm_;
  DiskOf disk_of_;
  std::map<std::pair<NodeId, GroupId>, Past> seen_;
  std::map<std::pair<NodeId, GroupId>, LogIndex> bases_;  // of logs that a snapshot stands before, gone or not
};

}  // namespace quorate::sim

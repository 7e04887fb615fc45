// Harm: which replicas have lost something that they had promised to keep, until they have it again or are replaced.
// The faults stay within what the protocol survives: fewer than would let a quorum forget.
#pragma once
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "raft/core.h"
#include "raft/types.h"
#include "tests/sim/disk.h"

namespace quorate::sim {

class Harm {
 public:
  bool is_harmed(GroupId group, raft::ReplicaId replica) const { return harmed_.contains({group, replica}); }
  void add(GroupId group, raft::ReplicaId replica) { harmed_.insert({group, replica}); }
  const std::set<std::pair<GroupId, raft::ReplicaId>>& all() const { return harmed_; }
  void heal(GroupId group, raft::ReplicaId replica) { harmed_.erase({group, replica}); }

  /// Whether a replica has everything again, on this disk; `core` is null while it is not open.
  static bool is_whole(GroupId group, const Disk& disk, const raft::Core* core) {
    if (core == nullptr || disk.loss() != storage::Loss::none || disk.is_damaged(group)) return false;
    return !core->is_recovering() && !core->durable_hard_state().recovering;
  }

  /// Whether every quorum of `configuration` still knows what was committed, with `more` harmed beside the others. Who
  /// is joining may be a voter at any moment.
  bool is_survivable(GroupId group, const raft::Configuration& configuration, raft::ReplicaId more) const {
    std::vector<raft::ReplicaId> soon = configuration.voters;
    for (const raft::ReplicaId joining : configuration.joining) {
      if (joining == more || is_harmed(group, joining)) soon.push_back(joining);
    }
    return has_enough(group, configuration.voters, more) && has_enough(group, soon, more) &&
           has_enough(group, configuration.outgoing, more);
  }

 private:
  bool has_enough(GroupId group, const std::vector<raft::ReplicaId>& voters, raft::ReplicaId more) const {
    std::size_t harmed = 0;
    for (const raft::ReplicaId voter : voters) harmed += voter == more || is_harmed(group, voter) ? 1 : 0;
    return voters.empty() || harmed == 0 || harmed <= (voters.size() - 1) / 2;
  }
  std::set<std::pair<GroupId, raft::ReplicaId>> harmed_;
};

}  // namespace quorate::sim

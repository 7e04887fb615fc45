// Elections: a term has at most one leader, a replica gives one vote per term and keeps it, a leader was elected by a
// quorum of durable votes, and what a replica has promised on disk is never taken back.
#pragma once
#include <map>
#include <set>
#include <utility>

#include "base/ids.h"
#include "raft/core.h"
#include "raft/types.h"
#include "storage/group_storage.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class Elections {
 public:
  explicit Elections(Stage& stage) : stage_(stage) {}

  /// A row became durable.
  void on_row(GroupId group, const storage::GroupRow& row);
  /// At the end of a turn. True: a leader that was not known before.
  bool on_leader(GroupId group, const raft::Core& core);
  /// A granted vote leaves.
  void on_vote_sent(GroupId group, const raft::Message& message) const;

 private:
  struct Promise {
    Term term;
    raft::ReplicaId voted_for;
  };
  Stage& stage_;
  std::map<std::pair<GroupId, raft::ReplicaId>, Promise> promises_;
  std::map<std::pair<GroupId, Term>, std::map<raft::ReplicaId, raft::ReplicaId>> votes_;  // by voter
  std::map<std::pair<GroupId, Term>, raft::ReplicaId> leaders_;
};

}  // namespace quorate::sim

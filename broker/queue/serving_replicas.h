// ServingReplicas: which nodes deliver to their sessions from their own replica of a queue, as its leader sees it
// (raft.md §2.14). A node does as long as its replica is a voter that keeps up: what is committed, it has a moment
// later. One that falls behind is asked again only after a rest.
#pragma once
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "raft/core.h"

namespace quorate::queue {

class ServingReplicas {
 public:
  /// What was committed a replica has to have after this time.
  static constexpr Duration kLagMax = std::chrono::milliseconds(200);
  static constexpr Duration kRest = std::chrono::seconds(5);

  /// Looks at the members of the group that `core` leads. Returns the nodes that serve no longer.
  std::vector<NodeId> judge(const raft::Core& core, Instant now);
  bool serves(NodeId node) const;
  /// The node serves, and has this entry on its disk.
  bool has(NodeId node, LogIndex index, const raft::Core& core) const;
  /// Another term: nobody serves.
  void clear() { members_.clear(); }

 private:
  struct Member {
    raft::ReplicaId replica;
    bool serves = false;
    LogIndex target;  // committed at `since`
    Instant since{};
    Instant rests_until{};
  };

  const Member* find(NodeId node) const;
  void judge(Member& member, const raft::Progress* peer, LogIndex committed, Instant now);

  std::vector<Member> members_;
};

}  // namespace quorate::queue

// States: every replica applies the committed log in order, and equal indexes mean equal states.
#pragma once
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "raft/types.h"
#include "tests/sim/checkers/ghost.h"
#include "tests/sim/sim_queue.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class States {
 public:
  explicit States(Stage& stage) : stage_(stage) {}

  /// The queue has just applied `entry`. `is_alone`: its group may apply ahead of what is committed.
  void on_applied(NodeId node, const SimQueue& queue, const raft::Entry& entry, bool is_alone, const Ghost& ghost);
  void on_restored(NodeId node, const SimQueue& queue, const Ghost& ghost);
  void on_turn_end(NodeId node, const Ghost& ghost, GroupId group);
  void on_down(NodeId node);

 private:
  struct Ahead {
    raft::Entry entry;
    std::uint32_t state = 0;
  };
  void compare(NodeId node, GroupId group, const raft::Entry& entry, std::uint32_t state,
               const Committed& committed) const;

  Stage& stage_;
  std::map<std::pair<NodeId, GroupId>, std::vector<Ahead>> ahead_;
};

}  // namespace quorate::sim

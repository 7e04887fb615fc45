// Convergence: the second phase of a run. The faults are over, a quorum of every group is up; now every group must find
// a leader, take a publication, bring its replicas to the same state, and fall asleep, all in bounded time.
#pragma once
#include <set>
#include <string>

#include "tests/sim/operators.h"
#include "tests/sim/stage.h"
#include "tests/sim/world.h"

namespace quorate::sim {

class Convergence {
 public:
  Convergence(Stage& stage, World& world, Operators& operators)
      : stage_(stage), world_(world), operators_(operators), random_(stage.streams.nodes) {}
  /// Returns when everything has converged; a violation otherwise.
  void run();

 private:
  void mend();
  std::set<NodeId> draw_core();
  bool is_quorum_without(NodeId node);
  void wait_until_converged();
  /// What a group still lacks; empty when nothing.
  std::string lacking(GroupId group);
  std::string lacking_replica(GroupId group, const raft::Core& leader, Process& process);
  std::uint64_t progress();

  Stage& stage_;
  World& world_;
  Operators& operators_;
  Random& random_;
};

}  // namespace quorate::sim

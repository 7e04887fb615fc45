// Operators: what comes from above: replicas are added, promoted, removed and replaced, leadership is moved, nodes are
// upgraded, burned replicas get successors, and removed ones are cleared away.
#pragma once
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/sim/stage.h"
#include "tests/sim/world.h"

namespace quorate::sim {

class Operators {
 public:
  Operators(Stage& stage, World& world) : stage_(stage), world_(world), random_(stage.streams.operators) {}
  void begin();
  /// From now on only what is broken is repaired.
  void repair_only() { repairs_only_ = true; }
  /// Every change that was begun has happened.
  bool is_done(GroupId group) const;

 private:
  void tend_for_ever();
  void tend(GroupId group);
  void note_members(GroupId group);
  void clear_away(GroupId group);
  bool repair(GroupId group, Process& leader);
  bool finish_wanted(GroupId group, Process& leader);
  void change_for_ever();
  void draw_change(GroupId group, Process& leader);
  void draw_transfer(GroupId group, Process& leader);
  void move_for_ever();
  void upgrade_for_ever();
  bool ask(GroupId group, Process& leader, raft::Configuration target, raft::ReplicaId added);
  std::optional<NodeId> free_node(GroupId group);

  Stage& stage_;
  World& world_;
  Random& random_;
  bool repairs_only_ = false;
  std::map<GroupId, std::set<raft::ReplicaId>> were_members_;  // of a committed configuration
  std::set<std::pair<GroupId, raft::ReplicaId>> wanted_;       // placed, and not yet seen in a committed configuration
};

}  // namespace quorate::sim

// Nemesis: brings the faults, each kind from its own stream of chance at its own times.
#pragma once
#include "tests/sim/stage.h"
#include "tests/sim/victims.h"

namespace quorate::sim {

class Nemesis {
 public:
  Nemesis(Stage& stage, Victims& victims) : stage_(stage), victims_(victims) {}
  void begin();
  /// No fault from now on; what is broken is mended by whoever ends the phase.
  void stop() { stopped_ = true; }

 private:
  using Strike = void (Nemesis::*)(Random& random);
  struct Row {
    Fault fault;
    Strike strike;
  };
  static const Row kRows[];

  void strike_for_ever(const Row& row);
  NodeId draw_node(Random& random) { return victims_.nodes()[random.below(victims_.nodes().size())]; }
  Lifetime* draw_process(Random& random) { return victims_.lifetime(draw_node(random)); }
  OpenDisk* draw_disk(Random& random) { return victims_.open_disk(draw_node(random)); }
  bool draw_link(Random& random, NodeId& from, NodeId& to);
  void cut_for(std::vector<std::pair<NodeId, NodeId>> links, Duration time);

  void cut(Random& random);
  void partition(Random& random);
  void clog(Random& random);
  void reset(Random& random);
  void replay(Random& random);
  void kill(Random& random);
  void lose_power(Random& random);
  void crash_in_turn(Random& random);
  void crash_in_disk(Random& random);
  void crash_in_swap(Random& random);
  void pause(Random& random);
  void slow_disk(Random& random);
  void fail_sync(Random& random);
  void fill_disk(Random& random);
  void rot(Random& random);
  void rot_snapshot(Random& random);
  bool rot_snapshot_of(NodeId id, GroupId group);
  void rot_staging(Random& random);
  bool rot_swap_of(Random& random, NodeId id, GroupId group);
  void lose_suffix(Random& random);
  void roll_back(Random& random);
  void wipe(Random& random);
  void drift(Random& random);
  void jump(Random& random);

  Stage& stage_;
  Victims& victims_;
  bool stopped_ = false;
};

}  // namespace quorate::sim

// Operator: what comes from above: quorum queues get other members, leadership is moved, nodes are drained, revived and
// asked to end in order.
#pragma once
#include <optional>
#include <set>

#include "tests/sim/nodes/site.h"
#include "tests/sim/stage.h"

namespace quorate::sim::nodes {

class Operator {
 public:
  Operator(Stage& stage, Site& site) : stage_(stage), site_(site), random_(stage.streams.operators) {}
  void begin();
  /// Whoever is drained is revived, and nothing else is asked any more.
  void stop();

 private:
  using Deed = void (Operator::*)();
  void do_for_ever(double gaps, Deed deed);
  void place();
  void transfer();
  void drain_or_revive();
  void restart();
  void revive_all();
  void set_drained(Broker& asked, NodeId node, bool drained);
  std::optional<std::vector<NodeId>> draw_members(const cluster::Queue& queue);

  Stage& stage_;
  Site& site_;
  Random& random_;
  bool stopped_ = false;
};

}  // namespace quorate::sim::nodes

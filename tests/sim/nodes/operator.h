// Operator: what comes from above: quorum queues get other members, classic ones become quorum queues and back,
// leadership is moved, nodes are drained, revived and asked to end in order.
#pragma once
#include <optional>
#include <vector>

#include "tests/sim/nodes/queue_plan.h"
#include "tests/sim/nodes/site.h"
#include "tests/sim/stage.h"

namespace quorate::sim::nodes {

class Operator {
 public:
  Operator(Stage& stage, Site& site, const std::vector<QueuePlan>& plans)
      : stage_(stage), site_(site), plans_(plans), random_(stage.streams.operators) {}
  void begin();
  /// Whoever is drained is revived, and nothing else is asked any more.
  void stop();

 private:
  using Deed = void (Operator::*)();
  void do_for_ever(double gaps, Deed deed);
  void place();
  void convert();
  void transfer();
  void drain_or_revive();
  void restart();
  void revive_all();
  void set_drained(Broker& asked, NodeId node, bool drained);
  std::optional<std::vector<NodeId>> draw_members(const cluster::Queue& queue);
  bool may_be_classic(const cluster::Queue& queue) const;
  void set_members(Broker& asked, const cluster::Queue& queue, std::vector<NodeId> nodes);
  void set_type(Broker& asked, const cluster::Queue& queue, cluster::QueueType type);

  Stage& stage_;
  Site& site_;
  const std::vector<QueuePlan>& plans_;
  Random& random_;
  bool stopped_ = false;
};

}  // namespace quorate::sim::nodes

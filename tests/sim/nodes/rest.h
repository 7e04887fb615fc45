// Rest: what must be true of a cluster some time after the last fault. Each question answers what is missing.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/nodes/site.h"
#include "tests/sim/stage.h"

namespace quorate::sim::nodes {

class Rest {
 public:
  /// Nothing, or what is missing.
  using Missing = std::optional<std::string>;

  Rest(Stage& stage, Site& site) : stage_(stage), site_(site) {}

  Missing all_serve();
  /// Nothing is in these queues, on any node.
  Missing are_empty(const std::vector<std::string>& queues);
  /// Metadata and queues are the same everywhere and where they are to be; nothing is left of any client.
  Missing all_agree();
  /// As one of the nodes knows it; for whom all agree, all of them.
  const cluster::Topology& topology() { return *broker(site_.nodes().front()).metadata().topology(); }

  /// For whoever reads about a violation.
  std::string describe();

 private:
  Missing metadata_agrees();
  Missing nobody_is_left();
  Missing group_agrees(const cluster::Queue& queue, NodeId at);
  Missing agrees(const cluster::Queue& queue);
  void compare(const cluster::Queue& queue, const queue::Queue& one, const queue::Queue& other, NodeId at);
  std::string describe(const cluster::Queue& queue);
  std::string describe_member(GroupId group, NodeId at);
  std::string describe_holders(const queue::QueueMachine& machine);
  Broker& broker(NodeId id) { return *site_.broker(id); }

  Stage& stage_;
  Site& site_;
};

}  // namespace quorate::sim::nodes

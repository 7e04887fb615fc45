// Placements: the changes of members that were asked for and may still come into force, though no disk and no topology
// shows them yet. An order whose node has died may be in a log that nobody leads.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "base/ids.h"
#include "cluster/metadata/topology.h"

namespace quorate::sim::nodes {

class Placements {
 public:
  struct Order {
    GroupId group;
    std::vector<NodeId> nodes;
    NodeId through;  // who was asked, in which life
    Epoch epoch;
  };
  std::uint64_t asked(Order order);
  /// It will not happen.
  void refused(std::uint64_t number) { orders_.erase(number); }
  /// It stands in this version of the metadata.
  void done(std::uint64_t number, std::uint64_t version) { orders_.at(number).version = version; }
  /// A node is that far: what has been carried out, or never will be, is forgotten.
  void learn(const cluster::Topology& topology);

  template <class Visit>
  void for_each(GroupId group, Visit&& visit) const {
    for (const auto& [number, pending] : orders_) {
      if (pending.order.group == group) visit(pending.order.nodes);
    }
  }

 private:
  struct Pending {
    Order order;
    std::uint64_t version = 0;  // 0: not answered yet
  };
  static bool is_over(const Pending& pending, const cluster::Topology& topology);

  std::map<std::uint64_t, Pending> orders_;
  std::uint64_t last_ = 0;
};

}  // namespace quorate::sim::nodes

#include "tests/sim/nodes/placements.h"

#include <utility>

namespace quorate::sim::nodes {

std::uint64_t Placements::asked(Order order) {
  orders_.emplace(++last_, Pending{.order = std::move(order)});
  return last_;
}

void Placements::learn(const cluster::Topology& topology) {
  std::erase_if(orders_, [&](const auto& row) { return is_over(row.second, topology); });
}

/// A node that has started again says so in the metadata; nothing of its life before is taken after that.
bool Placements::is_over(const Pending& pending, const cluster::Topology& topology) {
  const cluster::ClusterNode* through = topology.find_node(pending.order.through);
  const bool is_too_late = through != nullptr && through->epoch > pending.order.epoch;
  const bool is_decided = pending.version != 0 ? topology.version >= pending.version : is_too_late;
  if (!is_decided) return false;
  const cluster::Queue* queue = topology.find_queue(pending.order.group);
  return queue == nullptr || queue->target.empty();
}

}  // namespace quorate::sim::nodes

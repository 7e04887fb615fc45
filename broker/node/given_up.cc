#include "broker/node/given_up.h"

namespace quorate {

void GivenUp::add(NodeId node, const cluster::Topology& topology) {
  if (const cluster::ClusterNode* row = topology.find_node(node); row != nullptr) nodes_[node] = row->epoch;
}

std::vector<cluster::GiveUpNode> GivenUp::look(const cluster::Topology& topology) {
  std::vector<cluster::GiveUpNode> commands;
  std::erase_if(nodes_, [&](const auto& entry) {
    const auto& [node, epoch] = entry;
    const cluster::ClusterNode* row = topology.find_node(node);
    if (row == nullptr || row->epoch != epoch) return true;
    if (cluster::queues_in_memory(topology, node, Epoch(epoch.value() + 1)).empty()) return true;
    commands.push_back({.id = node, .epoch = epoch});
    return false;
  });
  return commands;
}

}  // namespace quorate

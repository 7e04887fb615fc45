// GivenUp: the nodes that have been silent for so long that their clients lose what they hold, while something that
// such a node had in its memory still stands in the way of others: a queue that nobody can reach makes every confirm of
// an exchange a basic.nack, and locks its name. Pure; on shard 0.
#pragma once
#include <map>
#include <vector>

#include "base/ids.h"
#include "cluster/metadata/commands.h"
#include "cluster/metadata/topology.h"

namespace quorate {

class GivenUp {
 public:
  /// As far as `topology` knows of its epochs.
  void add(NodeId node, const cluster::Topology& topology);
  /// It is back.
  void remove(NodeId node) { nodes_.erase(node); }

  /// What whoever leads the metadata says now, and again until it is done. A node of which nothing is left, or that has
  /// started again, is not looked at any more.
  std::vector<cluster::GiveUpNode> look(const cluster::Topology& topology);

 private:
  std::map<NodeId, Epoch> nodes_;
};

}  // namespace quorate

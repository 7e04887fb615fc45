// Placement: on which nodes the members of a new queue go, and which of them leads first. It counts what the topology
// has placed so far, so that choosing costs nothing. Pure; one per shard.
#pragma once
#include <cstddef>
#include <map>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "cluster/metadata/topology.h"

namespace quorate {

class Placement {
 public:
  /// Counts anew.
  void count(const cluster::TopologyPtr& topology);
  /// What became of these queues since the version counted last.
  void count(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes);

  /// `first` and so many of `others` that there are `count`, or all of them: a zone that has none yet before one that
  /// has, then whoever has the fewest members, then by chance.
  std::vector<NodeId> choose(NodeId first, const std::vector<NodeId>& others, std::size_t count, Random& random) const;
  /// Whoever the fewest quorum queues began with.
  NodeId choose_leader(const std::vector<NodeId>& members, Random& random) const;

 private:
  struct Load {
    std::int64_t members = 0;
    std::int64_t leaders = 0;  // queues that began with it
  };
  void add(const cluster::Queue& queue, std::int64_t times);
  Load load_of(NodeId node) const;
  std::string zone_of(NodeId node) const;

  cluster::TopologyPtr counted_;
  std::map<NodeId, Load> loads_;
};

}  // namespace quorate

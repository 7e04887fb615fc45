// Placement: on which nodes the members of a new queue go, and which of them leads first. It counts what the topology
// has placed so far, so that choosing costs nothing. Pure; one per shard.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "cluster/metadata/topology.h"

namespace quorate {

class Placement {
 public:
  /// What speaks against a member there: nothing, it must not lead, or it does not answer. The lesser first.
  enum class Fitness : std::uint8_t { fit, drained, silent };
  struct Candidate {
    NodeId node;
    Fitness fitness = Fitness::fit;
  };

  /// Counts anew.
  void count(const cluster::TopologyPtr& topology);
  /// What became of these queues since the version counted last.
  void count(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes);

  /// `first` and so many of `others` that there are `count`, or all of them: the fitter before the others, a zone that
  /// has none yet before one that has, then whoever has the fewest members, then by chance. Who is away is taken when
  /// nobody else is left: it is a member when it is back, and the queue has what was asked for (features.md Q002).
  std::vector<NodeId> choose(NodeId first, const std::vector<Candidate>& others, std::size_t count,
                             Random& random) const;
  /// Whoever the fewest queues of this type began with.
  NodeId choose_leader(cluster::QueueType type, const std::vector<NodeId>& nodes, Random& random) const;

 private:
  struct Load {
    std::int64_t members = 0;
    std::map<cluster::QueueType, std::int64_t> begun;  // queues that began with it
  };
  void add(const cluster::Queue& queue, std::int64_t times);
  Load load_of(NodeId node) const;
  std::string zone_of(NodeId node) const;

  cluster::TopologyPtr counted_;
  std::map<NodeId, Load> loads_;
};

}  // namespace quorate

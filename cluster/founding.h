// What a node makes of the answers to one round of its questions about a cluster (formation.h): pure decisions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/metadata/topology.h"
#include "cluster/seed.h"

namespace quorate::cluster {

/// What a node remembers of its cluster.
struct FormationRecord {
  std::uint64_t cluster_id = 0;
  NodeId self;
  raft::ReplicaId replica;                // of the metadata group
  std::vector<raft::ReplicaId> founders;  // the group's first members, whatever became of them
  std::vector<ClusterNode> nodes;
  std::uint64_t former_cluster_id = 0;  // that this one was made of, leaving its other nodes behind (decision 21)
};

/// A node that looks for its cluster, as it shows itself to others.
struct Newcomer {
  std::string name;
  std::string directory;  // its data directory's own identity
  std::string host;       // where the others reach it
  std::uint16_t port = 0;
};

/// Somebody who was asked, and what came back.
struct Heard {
  Seed asked;
  std::optional<Newcomer> who;            // absent: no answer
  std::string silence;                    // then: why, in few words
  std::vector<std::string> seeds;         // names of the nodes that it looks for, itself among them
  std::optional<FormationRecord> record;  // of the cluster it belongs to

  /// The name by which operators know it.
  std::string name() const;
};

struct Verdict {
  std::optional<FormationRecord> record;  // this node belongs to that cluster from now on
  bool is_founder = false;                // of a new one
  bool wants_to_join = false;             // the cluster that somebody belongs to
  std::string waits_for;                  // in an operator's words, unless there is a record
};

/// How a new cluster comes about when nobody belongs to one.
struct FoundingPlan {
  /// These nodes, this one among them, the first of which founds it.
  std::vector<Seed> nodes;
  /// Without them: everybody who was heard, but at least so many, the first by name founds it.
  std::size_t nodes_min = 0;
  bool may_found = true;  // false: this node was told to join one
};

/// `cluster_id` is for a cluster that is founded.
Verdict judge(const Newcomer& self, const FoundingPlan& plan, const std::vector<Heard>& heard,
              std::uint64_t cluster_id);

/// A cluster of this node alone.
FormationRecord found_alone(const Newcomer& self, std::uint64_t cluster_id);

}  // namespace quorate::cluster

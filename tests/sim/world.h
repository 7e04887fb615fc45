// World: a cluster of nodes and everything around it, for one seed. It knows what an operator and the metadata would
// know: which replica lives where, which identities are burned, what harm has been done.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tests/sim/checkers/checkers.h"
#include "tests/sim/harm.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/stage.h"
#include "tests/sim/victims.h"
#include "tests/sim/workload.h"

namespace quorate::sim {

class World final : public Victims {
 public:
  explicit World(Stage& stage);
  ~World() override;

  Stage& stage() { return stage_; }
  Network& network() { return network_; }
  Checkers& checkers() { return checkers_; }
  Workload& workload() { return workload_; }
  Harm& harm() { return harm_; }

  const std::vector<NodeId>& nodes() const override { return node_ids_; }
  const std::vector<GroupId>& groups() const { return group_ids_; }
  Node& node(NodeId id) { return *nodes_.at(id); }
  /// nullptr: down.
  Process* process(NodeId id) { return nodes_.at(id)->process(); }
  /// The process of a replica that believes it leads, of the newest term.
  Process* leader_of(GroupId group);

  // Life and death.
  void start(NodeId id) override;
  void stop(NodeId id, Death death) override;
  /// Starts again after `downtime`, unless it is to stay down.
  void stop_for(NodeId id, Death death, Duration downtime) override;
  void upgrade(NodeId id);
  std::uint32_t version(NodeId id) const { return versions_.at(id); }
  /// These nodes stay down from now on; all others are started.
  void keep_down(std::set<NodeId> nodes) { kept_down_ = std::move(nodes); }
  const std::set<NodeId>& kept_down() const { return kept_down_; }

  // Who lives where.
  std::optional<raft::ReplicaId> replica_at(NodeId node, GroupId group) const;
  raft::ReplicaId new_replica(NodeId node) { return raft::replica_on(node, ++last_placement_); }
  /// `replica` lives on its node from now on.
  void place(GroupId group, raft::ReplicaId replica);
  /// The members have removed it: its node forgets it.
  void displace(GroupId group, raft::ReplicaId replica);
  /// A replica that was displaced may be back on the disk after a loss of power: its node forgets it again.
  void sweep(NodeId node, GroupId group);
  bool is_swept(NodeId node, GroupId group) const {
    const Image& image = nodes_.at(node)->disk.current();
    return image.find(group) == nullptr && image.snapshot(group) == nullptr;
  }
  bool is_burned(GroupId group, raft::ReplicaId replica) const { return burned_.contains({group, replica}); }
  // Victims
  std::vector<GroupId> groups_on_disks() const override { return group_ids_; }
  void cut(NodeId from, NodeId to) override { network_.cut(from, to); }
  void mend(NodeId from, NodeId to) override { network_.mend(from, to); }
  void clog(NodeId from, NodeId to, WorldTime until) override { network_.clog(from, to, until); }
  void reset(NodeId from, NodeId to) override;
  void replay(NodeId from, NodeId to, Random& random) override { network_.replay(from, to, random); }
  Lifetime* lifetime(NodeId id) override { return process(id) != nullptr ? &process(id)->lifetime() : nullptr; }
  OpenDisk* open_disk(NodeId id) override { return process(id) != nullptr ? &process(id)->disk() : nullptr; }
  Disk& disk(NodeId id) override { return node(id).disk; }
  NodeClock& clock(NodeId id) override { return node(id).clock; }
  bool may_harm(NodeId node, std::optional<GroupId> only) override;
  void note_harm(NodeId node, std::optional<GroupId> only) override;
  void replace(NodeId node, bool has_old_image) override;

  /// Every configuration that may be in force somewhere.
  std::vector<raft::Configuration> configurations_of(GroupId group);

 private:
  void make_nodes();
  void make_groups();
  void open_all(NodeId id);
  void watch_harm();
  void remember_disks();
  void start_refused(NodeId node);
  void burn(NodeId node);
  void on_death(NodeId node, const std::string& why);

  Stage& stage_;
  Network network_;
  Harm harm_;
  Checkers checkers_;
  std::vector<NodeId> node_ids_;
  std::vector<GroupId> group_ids_;
  Workload workload_;
  Surroundings around_;
  std::map<NodeId, std::unique_ptr<Node>> nodes_;
  std::map<NodeId, std::uint32_t> versions_;
  std::set<NodeId> kept_down_;
  std::map<GroupId, raft::Configuration> first_;  // configurations that groups began with
  std::map<GroupId, raft::ReplicaId> campaigners_;
  std::map<std::pair<NodeId, GroupId>, raft::ReplicaId> placements_;
  std::set<std::pair<GroupId, raft::ReplicaId>> burned_;
  std::uint64_t last_placement_ = 0;
};

}  // namespace quorate::sim

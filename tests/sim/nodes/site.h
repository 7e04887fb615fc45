// Site: machines with disks and clocks, the brokers that come and go on them, and the mesh between them; what the
// nemesis may do to all that.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/disk.h"
#include "tests/sim/harm.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/nodes/broker.h"
#include "tests/sim/nodes/client.h"
#include "tests/sim/nodes/mesh.h"
#include "tests/sim/nodes/placements.h"
#include "tests/sim/victims.h"

namespace quorate::sim::nodes {

class Site final : public Victims, public Doors {
 public:
  explicit Site(Stage& stage);
  ~Site() override;

  /// The machines are switched on, one after the other.
  void begin();
  /// What is broken is mended, and everybody starts. Nothing may strike any more.
  void calm();

  /// nullptr: down, or dying.
  Broker* broker(NodeId id);
  /// Some broker that has clients.
  Broker* draw_serving(Random& random);
  Harm& harm() { return harm_; }
  Placements& placements() { return placements_; }
  const std::string& last_dismissal() const { return last_dismissal_; }
  /// Whether `group` may have these voters one day, with what its replicas have lost.
  bool may_become(GroupId group, const std::vector<raft::ReplicaId>& voters) const;
  /// Ends as a process does that is asked to; starts again after `downtime`.
  void restart(NodeId id, Duration downtime);

  // Doors
  ConnectionPtr connect(ClientEnd& client, std::string& where) override;

  // Victims
  const std::vector<NodeId>& nodes() const override { return ids_; }
  std::vector<GroupId> groups_on_disks() const override;
  void cut(NodeId from, NodeId to) override { mesh_.cut(from, to); }
  void mend(NodeId from, NodeId to) override { mesh_.mend(from, to); }
  void clog(NodeId from, NodeId to, WorldTime until) override { mesh_.clog(from, to, until); }
  void reset(NodeId from, NodeId to) override { mesh_.reset(from, to); }
  void replay(NodeId, NodeId, Random&) override {}
  Lifetime* lifetime(NodeId id) override { return broker(id) != nullptr ? &broker(id)->lifetime() : nullptr; }
  OpenDisk* open_disk(NodeId id) override { return broker(id) != nullptr ? &broker(id)->disk() : nullptr; }
  void start(NodeId id) override;
  void stop(NodeId id, Death death) override;
  void stop_for(NodeId id, Death death, Duration downtime) override;
  Disk& disk(NodeId id) override { return machine(id).disk; }
  NodeClock& clock(NodeId id) override { return machine(id).clock; }
  bool may_harm(NodeId node, std::optional<GroupId> only) override;
  void note_harm(NodeId node, std::optional<GroupId> only) override;
  void replace(NodeId node, bool has_old_image) override;

 private:
  struct Machine {
    Machine(Stage& stage, double rate, Instant start) : disk(stage), clock(stage.schedule, start, rate) {}
    Disk disk;
    NodeClock clock;
    std::uint32_t epoch = 0;
    std::size_t shards = 1;
    bool ended_in_order = true;
    std::unique_ptr<Broker> broker;
  };

  Machine& machine(NodeId id) { return *machines_.at(id); }
  void make_machines();
  void on_death(NodeId id, const std::string& why);
  void end_in_order(NodeId id, Epoch epoch, Duration downtime);
  /// By group.
  std::map<GroupId, raft::ReplicaId> replicas_on(NodeId node, std::optional<GroupId> only);
  std::vector<raft::Configuration> configurations_of(GroupId group);
  std::vector<raft::Configuration> configurations_to_come(GroupId group);
  void watch_harm();
  void remember_disks();

  Stage& stage_;
  Mesh mesh_;
  Harm harm_;
  Placements placements_;
  Sightings sightings_;
  std::vector<NodeId> ids_;
  cluster::FormationRecord founding_;  // without who reads it
  Broker::Around around_;
  std::map<NodeId, std::unique_ptr<Machine>> machines_;
  std::uint64_t last_connection_ = 0;
  std::string last_dismissal_;
};

}  // namespace quorate::sim::nodes

// Broker: the process of one node without threads, sockets and files: the real NodeCore on a simulated disk, with the
// mesh around it and made-up connections of clients. Shards take turns one by one, in drawn order, at drawn times.
#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/node/intake.h"
#include "broker/node/node_core.h"
#include "tests/sim/checkers/sightings.h"
#include "tests/sim/lifetime.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/nodes/connection.h"
#include "tests/sim/nodes/mesh.h"
#include "tests/sim/open_disk.h"

namespace quorate::sim::nodes {

class Broker final : public DiskOwner, public Ear, private NodeCoreOwner {
 public:
  struct Around {
    Stage& stage;
    Mesh& mesh;
    Sightings& sightings;
    std::function<void(NodeId, const std::string& why)> on_death;
    std::function<void(const std::string&)> on_dismissal;
  };
  /// What the process finds on its machine.
  struct Start {
    cluster::FormationRecord record;
    Epoch epoch;
    bool after_crash = false;
    std::size_t shards = 1;
  };

  Broker(Around& around, Start start, Disk& disk, NodeClock& clock);
  ~Broker() override;

  void begin();
  void post(ShardId shard, cluster::Task task);
  Instant now(ShardId shard) { return core_->shard(shard.value()).now(); }
  Lifetime& lifetime() { return lifetime_; }
  bool is_dying() const { return lifetime_.is_dying(); }
  OpenDisk& disk() { return disk_; }

  /// Clients are welcome.
  bool is_serving() const { return serving_ && !is_dying(); }
  std::shared_ptr<Connection> accept(ClientEnd& client, std::uint64_t id);
  /// It has been asked to end: its clients are told to go, and its silence begins.
  void refuse_clients();
  void note_dismissal(const std::string& words) { around_.on_dismissal(words); }

  // For operators and checks.
  NodeId id() const { return start_.record.self; }
  Epoch epoch() const { return start_.epoch; }
  cluster::MetadataHost& metadata() { return core_->metadata(); }
  const std::vector<NodeShard*>& shards() const { return core_->shards(); }
  const queue::Queue* queue(GroupId id) const;
  const cluster::Replica* replica(GroupId id) const;
  std::string describe();

  // Ear
  void on_frame(NodeId from, cluster::Lane lane, Bytes frame) override;
  void on_connection(NodeId peer, cluster::Lane lane, bool up) override;

  // DiskOwner
  std::string name() const override { return "node " + std::to_string(id().value()); }
  bool survives(Step step) override;
  WorldTime runs_from() const override { return lifetime_.runs_from(); }
  void wake() override { lifetime_.wake(); }
  void on_submit(const std::vector<storage::GroupWrite>& writes) override;
  void on_syncing(const StoredWrite&) override {}
  void on_snapshot_saved(GroupId, const storage::Snapshot&) override { stage_.seen(Seen::snapshot_saved); }

 private:
  /// Flushes the connections of one shard, as ConnectionSet does.
  class Clients final : public cluster::TurnHook {
   public:
    Clients(Broker& broker, ShardId shard) : broker_(broker), shard_(shard) {}
    bool on_turn_end() override;

   private:
    Broker& broker_;
    const ShardId shard_;
  };

  // NodeCoreOwner
  std::unique_ptr<ShardPost> make_post(cluster::Shard& shard, ShardPost::OnDropped on_dropped) override;
  bool is_disk_well() override;
  void on_stuck_shards(std::uint64_t) override {}
  std::set<GroupId> groups_on_disk() override;
  void on_beat(NodeId, ShardPost&) override {}
  void on_node_live(NodeId node, bool live) override;
  void on_taken_over(NodeId) override {}
  void on_nodes(const cluster::TopologyPtr&) override {}
  void on_shard_recovered() override;
  void show(Readiness) override {}
  void welcome_clients() override;
  void pause_clients(Readiness why, const std::string& reason) override;
  void fail(const Error& error) override { lifetime_.die(error.text); }

  void dismiss_clients(const std::string& reason);
  void run_turns();
  void beat();
  void evacuate(NodeShard& shard);
  void look_around();

  Around& around_;
  Stage& stage_;
  const Start start_;
  Lifetime lifetime_;
  OpenDisk disk_;
  bool serving_ = false;
  bool ending_ = false;
  std::size_t recovering_shards_ = 0;
  std::unique_ptr<NodeCore> core_;
  std::vector<std::unique_ptr<Clients>> clients_;
  std::unique_ptr<Intake> intake_;
  std::vector<std::shared_ptr<Connection>> connections_;
};

}  // namespace quorate::sim::nodes

// Broker: the process of one node without threads, sockets and files. What Node (broker/node/node.h) builds is built
// here in the same way: shards, the real NodeShard on each, the metadata, the watch over the cluster; below them the
// simulated disk, around them the mesh. Shards take turns one by one, in drawn order, at drawn times.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/node/node_shard.h"
#include "cluster/cluster_watch.h"
#include "cluster/metadata/host.h"
#include "cluster/plane/incoming.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/nodes/connection.h"
#include "tests/sim/nodes/mesh.h"
#include "tests/sim/nodes/post.h"
#include "tests/sim/open_disk.h"

namespace quorate::sim::nodes {

/// Where a process is to die: at the n-th step of one of these kinds.
struct BrokerTrap {
  std::vector<Step> steps;
  std::uint64_t countdown = 0;
};

class Broker final : public DiskOwner, public Ear {
 public:
  struct Around {
    Stage& stage;
    Mesh& mesh;
    std::vector<NodeId> nodes;
    std::size_t initial_quorum_size = 3;
    std::function<void(NodeId, const std::string& why)> on_death;
    std::function<void(const std::string&)> on_dismissal;
  };

  Broker(Around& around, NodeId id, Epoch epoch, bool after_crash, std::size_t shards, Disk& disk, NodeClock& clock);
  ~Broker() override;

  void begin();
  void post(ShardId shard, cluster::Task task);
  Instant now(ShardId shard) const { return shards_[shard.value()]->now(); }
  void pause(WorldTime until);
  void set_trap(BrokerTrap trap) { trap_ = std::move(trap); }
  bool is_dying() const { return dying_; }
  OpenDisk& disk() { return disk_; }

  /// Clients are welcome.
  bool is_serving() const { return serving_ && !dying_; }
  std::shared_ptr<Connection> accept(ClientEnd& client, std::uint64_t id);
  void note_dismissal(const std::string& words) { around_.on_dismissal(words); }

  // For checks.
  NodeId id() const { return id_; }
  Epoch epoch() const { return epoch_; }
  const cluster::MetadataHost& metadata() const { return *metadata_; }
  std::size_t shard_count() const { return shards_.size(); }
  const NodeShard& shard(std::size_t i) const { return *node_shards_[i]; }
  NodeShard& shard(std::size_t i) { return *node_shards_[i]; }
  const queue::Queue* queue(GroupId id) const;
  std::string describe();

  // Ear
  void on_frame(NodeId from, cluster::Lane lane, Bytes frame) override;
  void on_connection(NodeId peer, cluster::Lane lane, bool up) override;

  // DiskOwner
  std::string name() const override { return "node " + std::to_string(id_.value()); }
  bool survives(Step step, bool in_swap) override;
  WorldTime runs_from() const override { return paused_until_; }
  void wake() override;
  void on_submit(const std::vector<storage::GroupWrite>&) override {}
  void on_syncing(const StoredWrite&) override {}
  void on_snapshot_saved(GroupId, const storage::Snapshot&) override {}

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
  using Then = std::function<void(const cluster::TopologyPtr&)>;

  void build();
  void connect_incoming();
  // As Node's functions of the same names.
  void announce_start();
  void introduce_nodes(const cluster::TopologyPtr& topology);
  void create_defaults(const cluster::TopologyPtr& topology);
  void begin_to_serve(const cluster::TopologyPtr& topology);
  void submit_all(std::vector<cluster::MetadataCommand> commands, const cluster::TopologyPtr& before, Then then);
  void drop_orphans(const cluster::Topology& topology);
  void publish(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes);
  void follow_nodes(const cluster::TopologyPtr& topology);
  void pause_or_resume();
  template <class Task>
  void on_every_shard(Task task);

  std::vector<NodeId> others() const;
  cluster::ClusterNode row_of(NodeId id) const;
  void run_turns();
  void set_timer();
  void beat();
  void die(const std::string& why);

  Around& around_;
  Stage& stage_;
  const NodeId id_;
  const Epoch epoch_;
  const bool after_crash_;
  NodeClock& clock_;
  OpenDisk disk_;
  bool dying_ = false;
  bool turn_planned_ = false;
  bool served_ = false;
  bool serving_ = false;
  bool has_majority_ = true;
  std::size_t recovering_shards_ = 0;
  WorldTime timer_at_ = WorldTime::max();
  WorldTime paused_until_{};
  std::optional<BrokerTrap> trap_;
  amqp::SessionOptions session_options_;
  cluster::TopologyPtr followed_;

  std::vector<std::unique_ptr<cluster::Shard>> shards_;
  std::vector<std::unique_ptr<Post>> posts_;
  std::vector<std::unique_ptr<Clients>> clients_;
  std::vector<std::unique_ptr<NodeShard>> node_shards_;
  std::unique_ptr<cluster::MetadataHost> metadata_;
  std::unique_ptr<cluster::ClusterWatch> watch_;
  std::unique_ptr<cluster::Incoming> incoming_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace quorate::sim::nodes

// Node: one machine of the cluster. Its disk and its clock survive; the process on it (a shard, a group host, a queue
// per group) comes and goes. A process takes turns as in the product, and may die anywhere inside one.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/group_host.h"
#include "cluster/node_liveness.h"
#include "cluster/shard.h"
#include "tests/sim/checkers/checkers.h"
#include "tests/sim/disk.h"
#include "tests/sim/lifetime.h"
#include "tests/sim/network.h"
#include "tests/sim/node_clock.h"
#include "tests/sim/open_disk.h"
#include "tests/sim/sim_queue.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

/// What every node finds around it.
struct Surroundings {
  Stage& stage;
  Network& network;
  Checkers& checkers;
  Audience& audience;
  /// The process of this node has died by itself, and why.
  std::function<void(NodeId, const std::string& why)> on_death;
  std::vector<NodeId> nodes;
};

class Process final : public DiskOwner, public QueueOwner, public cluster::Transport {
 public:
  Process(Surroundings& around, NodeId id, Epoch epoch, std::uint32_t version, Disk& disk, NodeClock& clock);
  ~Process() override;

  /// False: the group cannot be opened, and the process ends.
  bool open(GroupId group, const cluster::Birth& birth);
  void drop(GroupId group);
  /// Something for the next turn.
  void post(cluster::Task task);
  void receive(NodeId from, const PacketPtr& packet);
  Lifetime& lifetime() { return lifetime_; }

  bool is_dying() const override { return lifetime_.is_dying(); }
  Epoch epoch() const { return epoch_; }
  std::uint32_t version() const { return version_; }
  cluster::GroupHost& host() { return *host_; }
  OpenDisk& disk() { return open_disk_; }
  SimQueue* queue(GroupId group);
  /// nullptr: not here, or not ready to take part.
  const raft::Core* core(GroupId group) const;
  const cluster::Replica* replica(GroupId group) const { return host_->replica(group); }
  std::vector<GroupId> groups() const;

  // DiskOwner
  std::string name() const override { return "node " + std::to_string(id_.value()); }
  bool survives(Step step) override;
  WorldTime runs_from() const override { return lifetime_.runs_from(); }
  void wake() override { lifetime_.wake(); }
  void on_submit(const std::vector<storage::GroupWrite>& writes) override;
  void on_syncing(const StoredWrite& write) override;
  void on_snapshot_saved(GroupId group, const storage::Snapshot& snapshot) override;

  // QueueOwner
  std::optional<raft::LogPosition> propose(GroupId group, Bytes payload) override;
  bool is_alone(GroupId group) const override;
  void read(GroupId group, LogIndex index, std::move_only_function<void(const Bytes*)> done) override;
  void on_applied(const SimQueue& queue, const raft::Entry& entry) override;
  void on_restored(const SimQueue& queue) override;

  /// Whether what `index` holds may have been delivered before it was committed (docs/decisions 5).
  bool may_be_ahead(GroupId group, LogIndex index) const;

  // Transport
  void send(NodeId to, cluster::PeerMessage message) override;

 private:
  void run_turn();
  void flush();
  /// A heartbeat to every node, again and again.
  void beat();

  Surroundings& around_;
  Stage& stage_;
  const NodeId id_;
  const Epoch epoch_;
  const std::uint32_t version_;
  Disk& medium_;
  NodeClock& clock_;
  Lifetime lifetime_;
  int submissions_ = 0;  // of this turn
  std::vector<std::pair<NodeId, cluster::PeerMessage>> outbox_;

  OpenDisk open_disk_;
  cluster::Shard shard_;
  std::map<GroupId, std::unique_ptr<SimQueue>> queues_;
  std::unique_ptr<cluster::GroupHost> host_;
  cluster::NodeLiveness liveness_;
};

class Node {
 public:
  Node(Surroundings& around, NodeId id, double clock_rate, Instant clock_start)
      : disk(around.stage), clock(around.stage.schedule, clock_start, clock_rate), id_(id), around_(around) {}

  NodeId id() const { return id_; }
  bool is_up() const { return process_ != nullptr; }
  Process* process() { return process_ != nullptr && !process_->is_dying() ? process_.get() : nullptr; }
  Process& start(std::uint32_t version);
  void stop(Death death);

  Disk disk;
  NodeClock clock;

 private:
  const NodeId id_;
  Surroundings& around_;
  Epoch epoch_;
  std::unique_ptr<Process> process_;
};

}  // namespace quorate::sim

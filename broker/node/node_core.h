// NodeCore: what a node is apart from its threads, sockets and files: its shards and what lives on them, the metadata,
// the watch over the other nodes; how it introduces itself, follows the metadata, and has clients or not. Node gives it
// a disk, a plane and threads; the simulator gives it made-up ones and moves it by hand.
//
// Threads: made and destroyed while no shard runs; everything else on shard 0, where its owner hears of it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "broker/node/given_up.h"
#include "broker/node/node_shard.h"
#include "broker/node/shard_post.h"
#include "cluster/cluster_watch.h"
#include "cluster/formation.h"
#include "cluster/metadata/host.h"
#include "cluster/shard.h"

namespace quorate {

/// Whether a node has clients, or why not.
enum class Readiness : std::uint8_t { serving, drained, minority };

/// What is around a core.
class NodeCoreOwner {
 public:
  virtual ~NodeCoreOwner() = default;
  /// One shard's way to the other nodes; none on a node that is alone.
  virtual std::unique_ptr<ShardPost> make_post(cluster::Shard& shard, ShardPost::OnDropped on_dropped) = 0;
  virtual bool is_disk_well() = 0;
  /// At each beat. Bit i: shard i does not come to its turns.
  virtual void on_stuck_shards(std::uint64_t stuck_shards) = 0;
  /// Of which there is anything on the disk.
  virtual std::set<GroupId> groups_on_disk() = 0;
  /// A heartbeat goes there: what else it should know goes along.
  virtual void on_beat(NodeId to, ShardPost& post) = 0;
  virtual void on_node_live(NodeId node, bool live) = 0;
  /// A queue has its leader here now that was led by that node before.
  virtual void on_taken_over(NodeId from) = 0;
  virtual void on_nodes(const cluster::TopologyPtr& topology) = 0;
  /// On the thread of one of the shards: this one has its history.
  virtual void on_shard_recovered() = 0;
  /// What an operator is to see, from the moment when the node has recovered.
  virtual void show(Readiness readiness) = 0;
  virtual void welcome_clients() = 0;
  /// `reason` is for the clients.
  virtual void pause_clients(Readiness why, const std::string& reason) = 0;
  /// On any shard's thread: the node cannot go on.
  virtual void fail(const Error& error) = 0;
};

class NodeCore {
 public:
  /// What an empty cluster is given.
  struct Defaults {
    std::string vhost = "/";
    std::string user = "guest";
    std::string password = "guest";
    std::vector<std::string> tags;
    cluster::PermissionPatterns permissions;
  };
  struct Options {
    Epoch epoch;
    bool after_crash = false;  // the epoch before did not end in order
    std::size_t shards = 1;
    Random random{0};
    std::size_t initial_quorum_size = 3;
    bool pauses_in_minority = true;
    bool wakes_itself = true;     // as NodeShard::Options
    cluster::HostOptions groups;  // as NodeShard::Options
    amqp::SessionOptions sessions;
    std::string cluster_name;  // to be set at each start; empty: a new cluster is called as its first node
    Defaults defaults;
    /// Set: all other nodes are lost for good (decision 21). The metadata forgets them at the start, and then this is
    /// called, on shard 0.
    std::function<void()> on_others_left;
  };
  /// All of them outlive it. `record` is what the node knows of its cluster, `here` its own row as it should be.
  NodeCore(NodeCoreOwner& owner, const Clock& clock, storage::GroupStorage& disk, cluster::FormationRecord record,
           cluster::ClusterNode here, Options options);

  // Any thread:
  const std::vector<NodeShard*>& shards() const { return shard_views_; }
  const amqp::SessionOptions& sessions() const { return options_.sessions; }
  cluster::Shard& first_shard() { return *shards_.front(); }
  cluster::Shard& shard(std::size_t i) { return *shards_[i]; }
  cluster::MetadataHost& metadata() { return *metadata_; }
  cluster::ClusterWatch& watch() { return *watch_; }
  const NodeCounters& counters() const { return *counters_; }
  template <class Task>
  void on_every_shard(Task task) {
    for (NodeShard* shard : shard_views_) {
      first_shard().post(shard->shard().id(), [shard, task] { task(*shard); });
    }
  }

  /// Recovers the metadata, introduces this node to it, and then recovers the queues on all shards.
  void begin();
  /// All shards have recovered: clients are welcome, if nothing speaks against it.
  void serve();
  /// The node is about to stop: no clients any more, whatever happens.
  void refuse_clients();

 private:
  using Then = std::function<void(const cluster::TopologyPtr&)>;

  void build_shards(std::size_t count, const Clock& clock, storage::GroupStorage& disk);
  std::unique_ptr<NodeShard> build_node_shard(cluster::Shard& shard, storage::GroupStorage& disk, ShardPost* post);
  void build_metadata();
  void build_watch();
  void look_at_itself(std::uint64_t stuck_shards);
  void end_what_was_given_up();

  // node_core_start.cc
  cluster::Birth birth_of_metadata() const;
  void announce_start();
  void introduce_nodes(const cluster::TopologyPtr& topology);
  void create_defaults(const cluster::TopologyPtr& topology);
  void leave_others_behind(const cluster::Topology& topology, std::vector<cluster::MetadataCommand>& commands);
  void settle_queues(const cluster::TopologyPtr& topology);
  bool has_remains_here(const cluster::Queue& queue, const std::set<GroupId>& on_disk) const;
  void begin_to_serve(const cluster::TopologyPtr& topology);
  void submit_all(std::vector<cluster::MetadataCommand> commands, const cluster::TopologyPtr& before, Then then);
  void drop_orphans(const cluster::Topology& topology);

  void publish(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes);
  void follow_nodes(const cluster::TopologyPtr& topology);
  void pause_or_resume();
  std::vector<NodeId> others(const std::vector<cluster::ClusterNode>& nodes) const;
  NodeId self() const { return record_.self; }

  NodeCoreOwner& owner_;
  const cluster::FormationRecord record_;
  const cluster::ClusterNode here_;
  Options options_;
  std::shared_ptr<NodeCounters> counters_ = std::make_shared<NodeCounters>();

  std::vector<std::unique_ptr<cluster::Shard>> shards_;
  std::vector<std::unique_ptr<ShardPost>> posts_;  // none on a node that is alone
  std::vector<std::unique_ptr<NodeShard>> node_shards_;
  std::vector<NodeShard*> shard_views_;              // the same, for whoever only looks at them
  std::unique_ptr<cluster::MetadataHost> metadata_;  // on shard 0
  std::unique_ptr<cluster::ClusterWatch> watch_;     // on shard 0
  GivenUp given_up_;
  cluster::TopologyPtr followed_;  // whose nodes are known to all parts
  bool has_majority_ = true;
  bool recovered_ = false;
  bool stopping_ = false;
  bool serving_ = false;  // clients are welcome
};

}  // namespace quorate

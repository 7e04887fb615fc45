// Everything of the broker that lives on one shard: its groups, queues, sessions and connections, and its view of the
// topology. Node makes one per shard and connects them.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "broker/amqp/connection.h"
#include "broker/amqp/surroundings.h"
#include "broker/node/evacuation.h"
#include "broker/node/node_counters.h"
#include "broker/node/placement.h"
#include "broker/policy/policy_book.h"
#include "broker/queue/courier.h"
#include "broker/queue/queue_directory.h"
#include "broker/queue/switchboard.h"
#include "cluster/group_host.h"
#include "cluster/host_timer.h"
#include "cluster/metadata/host.h"
#include "cluster/shard.h"

namespace quorate {

class NodeShard final : public queue::MailReceiver, public amqp::Surroundings {
 public:
  struct Options {
    NodeId node;
    Epoch epoch;
    bool after_crash = false;  // the epoch before did not end in order
    std::uint64_t seed = 0;
    /// Otherwise who drives the shard by hand looks at the deadlines of its groups and queues, and evacuates.
    bool wakes_itself = true;
    std::size_t initial_quorum_size = 3;  // members of a quorum queue that asks for no other number
    cluster::HostOptions groups;          // node, epoch and seed are those above
    std::shared_ptr<NodeCounters> counters = std::make_shared<NodeCounters>();  // shared by the shards of the node
    // The ways to other nodes; absent on a node that is alone.
    cluster::Transport* transport = nullptr;
    queue::RemotePost* remote = nullptr;
    /// On shard 0: a queue has its leader here now that was led by that node before.
    std::function<void(NodeId from)> on_taken_over = [](NodeId) {};
    /// The node cannot go on: called on the shard's thread, at most a few times.
    std::function<void(const Error&)> on_failure;
  };

  NodeShard(cluster::Shard& shard, storage::GroupStorage& storage, const amqp::SessionOptions& sessions,
            Options options);
  ~NodeShard() override;

  /// Every shard of the node by id, and the metadata, which lives on shard 0. Before any thread starts.
  void connect(const std::vector<NodeShard*>& shards, cluster::MetadataHost& metadata);

  // On this shard's thread, like everything below.
  /// Opens the queues of this shard; `on_recovered` is called when all of them have their history.
  void recover(const cluster::TopologyPtr& topology, std::function<void()> on_recovered);
  void on_topology(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes);
  void on_node_health(NodeId node, queue::NodeHealth health);
  /// What was sent there lately may be lost.
  void on_node_unreachable(NodeId node);

  /// A session for one question to a queue: its answer goes to `answer`, on this shard.
  queue::SessionId await_answer(std::move_only_function<void(queue::SessionMail)> answer);
  /// `done` is called here, when the command is durable and published.
  void submit_command(cluster::MetadataCommand command, cluster::MetadataHost::Done done,
                      cluster::MetadataHost::Patience patience = cluster::MetadataHost::Patience::endless);

  /// The node stops: what clients leave behind from now on is kept, and others are to lead what is led here. Every
  /// shard hears this before any client has to go.
  void begin_to_stop() {
    stopping_ = true;
    evacuation_.begin_to_leave();
  }
  /// How many groups are led here that another node could lead.
  std::size_t count_left_to_lead() const { return evacuation_.count_left(); }
  /// This node's disk hangs: others should lead.
  void hand_over_leaders() { evacuation_.move_leaders(); }
  /// The node pauses, or goes on: its clients are asked to go, new ones are refused.
  void pause_clients(std::string_view reason) { connections_.shut_down(reason); }
  void resume_clients() { connections_.reopen(); }

  /// Moves leaders away while the node is drained. Gives when it is due again.
  Duration evacuate() { return evacuation_.look(); }

  bool is_live(NodeId node) const { return health_of(node) == queue::NodeHealth::live; }

  // From other nodes.
  void on_remote(const queue::Leadership& leadership) { announce(leadership, false); }
  void on_remote(NodeId from, const queue::WhoLeads& question);
  void on_remote(queue::Relayed relayed) { queues_.on_mail(std::move(relayed)); }

  cluster::Shard& shard() { return shard_; }
  cluster::GroupHost& groups() { return groups_; }
  const cluster::GroupHost& groups() const { return groups_; }
  amqp::ConnectionSet& connections() { return connections_; }
  const queue::QueueDirectory& queues() const { return queues_; }
  queue::Courier& courier() { return courier_; }

  // queue::MailReceiver
  void on_mail(queue::QueueMail mail) override { queues_.on_mail(std::move(mail)); }
  void on_mail(queue::SessionMail mail) override;
  void on_mail(queue::Parcel parcel) override { queues_.on_mail(std::move(parcel)); }
  void on_mail(queue::Numbering numbering) override { queues_.on_mail(numbering); }

  // amqp::Surroundings
  const cluster::TopologyPtr& topology() const override { return view_; }
  const policy::PolicyBook& policies() const override { return policies_; }
  Random& random() override { return random_; }
  NodeId node() const override { return options_.node; }
  queue::SessionId begin(amqp::Session& session) override;
  void end(const queue::SessionId& id) override;
  std::size_t send(queue::QueueMail mail) override { return courier_.send(std::move(mail)); }
  void send(queue::SessionMail mail) override { switchboard_.send(std::move(mail)); }
  bool is_congested() const override { return groups_.is_congested(); }
  bool admit(Counted what, std::uint32_t limit) override;
  void leave(Counted what) override { --counter(what); }
  void remark(std::string text) override;
  std::vector<NodeId> place(std::size_t count) override;
  std::size_t initial_quorum_size() const override { return options_.initial_quorum_size; }
  NodeId choose_leader(cluster::QueueType type, const std::vector<NodeId>& members) override;
  bool has_lost_majority(const cluster::Queue& queue) const override;
  bool has_ended(const queue::SessionId& session) const override;
  void submit(const queue::SessionId& from, cluster::MetadataCommand command) override;
  bool may_lag() const override { return view_->nodes.size() > 1 || shard_.shard_count() > 1; }
  void fence(const queue::SessionId& from) override;

 private:
  /// Watches the recovery of the queues at the end of each turn.
  class RecoveryWatch final : public cluster::TurnHook {
   public:
    explicit RecoveryWatch(NodeShard& owner) : owner_(owner) {}
    bool on_turn_end() override;
    std::function<void()> on_recovered;

   private:
    NodeShard& owner_;
  };

  void follow(const cluster::TopologyPtr& topology);
  void end_departed();
  Placement::Fitness fitness_of(NodeId node) const;
  std::atomic<std::uint32_t>& counter(Counted what) {
    return what == Counted::connection ? options_.counters->connections : options_.counters->channels;
  }
  void request_delete(GroupId queue);
  void report_placed(GroupId queue, std::vector<raft::ReplicaId> members);
  void adopt(ShardId shard, GroupId queue, std::vector<queue::Adopted> consumers);
  void announce(const queue::Leadership& leadership, bool everywhere);
  void on_taken_over(const cluster::Queue& queue, std::optional<NodeId> before);
  void ask_here(GroupId queue);
  void give_to_session(queue::SessionMail mail);
  queue::NodeHealth health_of(NodeId node) const;
  void on_metadata(const queue::SessionId& to, const amqp::MetadataReply& reply);

  cluster::Shard& shard_;
  const Options options_;
  Random random_;
  queue::Switchboard switchboard_;
  queue::Courier courier_;
  queue::CacheBudget cache_budget_;
  queue::CacheBudget transient_bodies_;
  cluster::GroupHost groups_;
  cluster::HostTimer host_timer_;
  queue::QueueDirectory queues_;
  amqp::ConnectionSet connections_;
  RecoveryWatch recovery_;
  Evacuation evacuation_;
  Placement placement_;
  std::vector<NodeShard*> shards_;             // of the node, by id
  cluster::MetadataHost* metadata_ = nullptr;  // on shard 0
  cluster::TopologyPtr view_ = std::make_shared<const cluster::Topology>();
  policy::PolicyBook policies_;                                 // of view_
  std::unordered_map<std::uint64_t, amqp::Session*> sessions_;  // by serial, a connection's and its channels'
  std::unordered_map<std::uint64_t, std::move_only_function<void(queue::SessionMail)>> questions_;  // by serial
  std::uint64_t last_serial_ = 0;
  std::map<NodeId, queue::NodeHealth> health_;  // of the others
  bool stopping_ = false;
};

}  // namespace quorate

// Queue: a queue machine at work on its shard, or one replica of it. What sessions send in one turn goes through its
// EntryPacker into the log; the machine's effects are carried out, deliveries by its Outbox, which has the bodies that
// the machine only refers to.
//
// A durable queue proposes its entries to its Raft group and applies what comes back; a transient one numbers and
// applies them itself and keeps every body in memory. Of several replicas the leader's takes mail and carries out
// effects; the others only follow the state, and hand the leader's deliveries on to the sessions of their node with the
// bodies from their own log. A publication is answered with Taken, and a numbered command with Through,
// when the queue keeps its promise: in a durable queue when its entry is committed, which on several replicas means
// synced on a majority, on one replica synced for a persistent message and written for a transient one; in a transient
// queue when it is applied.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "broker/queue/body_cache.h"
#include "broker/queue/early_parcels.h"
#include "broker/queue/entry_packer.h"
#include "broker/queue/mail.h"
#include "broker/queue/outbox.h"
#include "broker/queue/queue_machine.h"
#include "broker/queue/serving_replicas.h"
#include "broker/queue/switchboard.h"
#include "broker/queue/switchover.h"
#include "cluster/group_host.h"
#include "cluster/metadata/topology.h"

namespace quorate::queue {

/// What is known of a node: it answers, it does not, or it has been silent for so long that its clients are given up.
enum class NodeHealth : std::uint8_t { live, silent, given_up };

/// What a queue needs from its shard.
struct QueueSurroundings {
  Switchboard& switchboard;
  cluster::GroupHost& groups;
  CacheBudget& cache_budget;      // of the durable queues
  CacheBudget& transient_bodies;  // counted only: they exist nowhere else
  NodeId node;
  Epoch epoch;
  bool after_crash = false;  // the epoch before did not end in order
  std::function<NodeHealth(NodeId)> health_of;
  /// How a queue is to behave, from its declaration and the policies that hold for it.
  std::function<Configure(const cluster::Queue&)> settings_of;
  /// The newest topology: which nodes there are, and in which epoch.
  std::function<const cluster::Topology&()> topology;
  /// To every courier of this node, and `everywhere` to those of the other nodes.
  std::function<void(const Leadership&, bool everywhere)> announce;
  /// This replica leads; before, one on that node did, if that is known. For the log.
  std::function<void(const cluster::Queue&, std::optional<NodeId> before)> on_taken_over;
  /// The group has the members it was to have; the answer is on_moved().
  std::function<void(GroupId, std::vector<raft::ReplicaId>)> report_placed;
  /// The shard's sessions number from now on, and these are consumers of theirs.
  std::function<void(ShardId, GroupId, std::vector<Adopted>)> adopt;
  /// Asks the metadata to delete this queue; the answer is on_deleted() or on_delete_timed_out().
  std::function<void(GroupId)> request_delete;
  /// This queue wants to be flushed at the end of the turn; the directory's to fill in, like what follows.
  std::function<void(GroupId)> mark_dirty;
  /// Asks for Queue::on_time() at `at`, which may not lie before now, and not at `before` any more. There may be calls
  /// that nobody asked for.
  std::function<void(GroupId, std::optional<Instant> before, Instant at)> wake_at;
  const cluster::Shard* shard = nullptr;  // its clocks
  /// A live entry cannot be read back: the node must stop.
  std::function<void(const Error&)> on_failure;
};

class Queue final : public cluster::GroupClient {
 public:
  Queue(cluster::QueuePtr definition, QueueSurroundings& surroundings);
  ~Queue() override { *alive_ = false; }

  /// Begins to work: a durable queue recovers its log first and keeps its mail until then. `is_new`: it has just been
  /// declared.
  Result<void> start(bool is_new);
  bool is_ready() const { return ready_; }

  void on_mail(QueueMail mail);
  void on_mail(Parcel parcel);
  void on_mail(const Numbering& numbering);
  void on_mail(Relayed relayed);
  /// Who leads, as far as this replica knows.
  Leadership leadership() const;
  /// The members have changed, or are to change.
  void on_moved(cluster::QueuePtr definition);
  /// There are other policies: what settings_of says may have changed.
  void on_policies_changed() {
    if (ready_) configure();
  }
  /// Nodes have started, or gone for good: their sessions of earlier epochs are over.
  void on_nodes_changed();
  /// The health of a node has changed.
  void on_node_health(NodeId node);
  /// What was sent there lately may be lost: its couriers are to ask for what their consumers have missed.
  void on_node_unreachable(NodeId node);
  /// End of turn: what was gathered becomes log entries, and questions are answered once what stood before them is
  /// applied. True while there is more to do in this turn.
  bool flush();
  /// The time it asked for has come.
  void on_time();

  /// The metadata has deleted the queue. Everybody who waits or consumes is told; the log goes.
  void on_deleted(const cluster::TopologyPtr& topology);
  /// The metadata has not done so, and will not.
  void on_delete_timed_out();

  const cluster::Queue& definition() const { return *definition_; }
  const QueueMachine& machine() const { return machine_; }

  // GroupClient
  std::string describe() const override;
  Result<void> restore(ByteView state) override;
  Result<void> apply(const raft::Entry& entry, cluster::ApplyMode mode) override;
  void on_leader() override;
  void on_follower() override;
  void on_leadership(raft::ReplicaId leader, Term term) override;
  void on_committed(LogIndex index) override;
  bool is_followed_closely() const override { return false; }  // only the leader talks to sessions
  Bytes save() const override { return machine_.serialize(); }
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const override;
  std::uint64_t reclaimable_bytes() const override { return machine_.reclaimable_bytes(); }
  std::uint64_t state_bytes() const override { return machine_.state_bytes(); }
  void mark_snapshot() override { machine_.mark_snapshot(); }

 private:
  /// Answered when everything that was proposed before is applied, and this replica is known to have led meanwhile.
  struct Asked {
    SessionId from;
    Question question;
    std::optional<LogIndex> after = std::nullopt;  // what was proposed before; nothing: it is yet to be proposed
    std::uint64_t serial = 0;  // while the majority is asked whether this replica leads; 0: no need, or it does
  };

  Result<void> open_group(bool is_new);
  bool may_have_run_ahead() const;
  void judge_replicas(const raft::Core& core);
  void stop_relaying();
  void follow(const raft::Entry& entry);
  void pursue_target();
  Switchover* switchover_of(const SessionId& session);
  bool bring_over();
  void bring_over(const std::vector<ShardId>& shards);
  void consider_end_of_switchover();
  void judge_those_to_come();
  void judge_sessions();
  void judge_node(NodeId node);
  bool is_of_the_past(const SessionId& session) const;
  void configure();
  Outbox::Surroundings outbox_surroundings();
  void take(QueueMail& mail);
  void take(Parcel& parcel);
  bool leads_in(Term term) const { return ready_ && term == term_; }
  void submit(PackedEntry entry);
  void propose(PackedEntry entry);
  void apply_at_once(PackedEntry entry);
  void ask(const SessionId& from, Question question);
  void on_vouched(std::uint64_t serial, bool leads);
  void answer_questions();
  void answer(const Asked& asked);
  void note_use();
  void watch_time();
  void wake_by(Instant due);
  void act_on_time(Instant now);
  bool is_unused() const;
  void propose_end();

  void carry_out_all();
  void carry_out(const effect::Deliver& effect);
  void carry_out(const effect::GetOk& effect);
  void carry_out(const effect::GetEmpty& effect);
  void carry_out(const effect::Attached& effect);
  void carry_out(const effect::Cancelled& effect);
  void carry_out(const effect::Purged& effect);
  void carry_out(const effect::EntryDead& effect);
  void carry_out(const effect::Unused& effect);
  void carry_out(const effect::Through& effect);
  void carry_out(const effect::Refused& effect);
  void carry_out(const effect::Forgotten& effect);

  /// A group of one applies before its disk has the entry. Who is on this node goes with it in a crash; others, whoever
  /// is given a promise, and everybody while others send, hear of it when it is committed.
  void send(const SessionId& to, SessionMailBody what, std::uint64_t answers = 0);
  bool goes_to_courier(const SessionId& to, const SessionMailBody& what) const;
  void post(SessionMail mail);
  bool is_numbered(const SessionId& session) const;
  /// About what came outside of any parcel.
  void send_untracked(const SessionId& to, const Taken& taken) {
    surroundings_.switchboard.send(SessionMail{.to = to, .queue = definition_->id, .what = taken});
  }
  bool is_quorum() const { return definition_->type == cluster::QueueType::quorum; }
  bool is_durable() const { return definition_->durable; }

  cluster::QueuePtr definition_;
  QueueSurroundings& surroundings_;
  QueueMachine machine_;
  bool ready_ = false;  // takes mail: it leads, or nobody else could
  bool deleting_ = false;
  bool told_placed_ = false;  // the metadata has heard, or will, that the group has its target
  raft::ReplicaId leader_ = raft::kNoReplica;
  std::optional<NodeId> led_by_;  // the last one that was known
  Term term_{1};                  // of a queue without a group: always this
  std::vector<QueueMail> early_;  // mail that came before the queue was ready
  EarlyParcels early_parcels_;    // for a leader that has not yet applied its history

  std::optional<Configure> asked_;   // what configure() said last
  Instant used_at_{};                // x-expires counts from here
  std::optional<Instant> wakes_at_;  // asked for
  Instant rests_until_{};            // nothing is proposed for the sake of time alone

  EntryPacker packer_;
  Outbox outbox_;
  ServingReplicas serving_;            // as the leader sees it
  std::optional<Instant> relayed_at_;  // as a follower: when the leader last sent something through it, in this term
  LogIndex last_proposed_;
  std::optional<LogIndex> judge_again_at_;  // when this is committed, sessions of nodes that ended are looked for again
  LogIndex committed_;
  /// Applied here, and not to be told before it is committed.
  struct Promised {
    LogIndex entry;
    SessionMail mail;
  };
  std::deque<Promised> promised_;  // as waiting_, for mail that must not be contradicted by a crash
  std::deque<Waiting> waiting_;    // Invariant: ascending entries, all of them not yet committed.
  std::vector<Asked> questions_;
  std::uint64_t last_serial_ = 0;
  /// Who waits for the deletion, under which number, and the count to report.
  struct Deleter {
    SessionId session;
    std::uint64_t question = 0;
    std::uint64_t count = 0;
  };
  std::vector<Deleter> deleters_;
  std::optional<Switchover> switchover_;                        // while this node's sessions begin to number
  Effects effects_;                                             // reused
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // false once destroyed: a late answer does nothing
};

}  // namespace quorate::queue

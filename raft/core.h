// One replica of a Raft group as arithmetic: inputs in, outputs out. No clock, disk, socket, thread or logger; time is
// an argument, chance a seed, and everything asynchronous comes back as an input, so a test can delay or lose it.
// Ongaro 2014 with PreVote (§9.6), CheckQuorum and leader stickiness (§6.2, §4.2.3), leadership transfer (§3.10),
// ReadIndex (§6.4), learners and joint membership in force from the append on (§4.3), and groups that sleep while
// nothing is going on. What must be durable before what leaves is decided here and nowhere else: core.cc, "durability".
//
// Operation: feed inputs with step(), the last of a turn being TurnEnd, which sends what the turn has gathered; carry
// out the Output; come back with Deadline when next_deadline() has passed. Roles: follower.cc, candidate.cc, leader.cc.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "raft/config_stack.h"
#include "raft/log.h"
#include "raft/message.h"
#include "raft/progress.h"
#include "raft/types.h"

namespace quorate::raft {

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

/// "The log that the leader of `term` last wrote to, up to `index`." A bare index would confirm entries that a later
/// leader has overwritten meanwhile.
struct LogMark {
  Term term;
  LogIndex index;
  bool operator==(const LogMark&) const = default;
};

struct Times {
  Instant now{};
  WallTime wall{};
};

/// Stand for election now; a group of one begins with this.
struct Campaign {};
/// next_deadline() has passed.
struct Deadline {};
/// The turn is over: what has gathered for the peers leaves.
struct TurnEnd {};
struct Receive {
  Message message;
};
/// Append a command (only a leader can; others refuse).
struct Propose {
  Bytes payload;
};
/// Change who takes part. `target` names voters, learners and joining; the core finds the way there, joint if need be.
struct ProposeConfiguration {
  Configuration target;
};
/// Asks up to where the log was committed when this was asked; Output::reads answers, or nobody does.
struct ReadIndex {
  std::uint64_t token = 0;
};
struct TransferTo {
  ReplicaId replica;
};
/// The append that carried `mark` is durable, and so is every append before it, with the newest hard state among them.
struct AppendDone {
  LogMark mark;
  std::optional<HardState> hard_state;
};
/// The disk refused; the replica must never acknowledge or vote again.
struct AppendFailed {};
/// The machine has applied everything up to here.
struct Applied {
  LogIndex index;
};
/// A snapshot at this position is durable: the log begins behind it.
struct Compacted {
  LogPosition position;
};
/// Since when `replica`'s node (and its shard) is known to be well, which may be before it was a member; nullopt: it is
/// not.
struct PeerLive {
  ReplicaId replica;
  std::optional<Instant> since;
};
/// Messages to `replica` were dropped or the stream broke: nothing under way may be counted on.
struct PeerUnreachable {
  ReplicaId replica;
};
/// Answer to Output::fetches; entries may be fewer than asked for. None: the log does not go back that far any more.
struct Fetched {
  ReplicaId to;
  LogPosition prev;
  std::vector<Entry> entries;
};
/// How the transfer asked for by Output::snapshots ended; at `index` the peer continues.
struct SnapshotSent {
  ReplicaId to;
  LogIndex index;
  bool accepted = false;
};
/// A leader's snapshot lies complete and verified beside the log. Output::install asks for the swap.
struct SnapshotStaged {
  ReplicaId from;
  Term term;
  SnapshotMeta meta;
};
/// The swap asked for by Output::install is durable (or has failed and left everything as it was).
struct Installed {
  LogPosition position;
  bool ok = false;
};

using Input = std::variant<Campaign, Deadline, TurnEnd, Receive, Propose, ProposeConfiguration, ReadIndex, TransferTo,
                           AppendDone, AppendFailed, Applied, Compacted, PeerLive, PeerUnreachable, Fetched,
                           SnapshotSent, SnapshotStaged, Installed>;

/// To be made durable in this order in one atomic write: truncation, entries, hard state. Report it with
/// AppendDone{mark, hard_state}.
struct LogWrite {
  std::optional<LogIndex> truncate_from;
  std::vector<Entry> entries;
  std::optional<HardState> hard_state;
  LogMark mark;
};

struct Fetch {
  ReplicaId to;
  LogPosition prev;
  LogIndex last;
};

/// Replaces log and machine by the staged snapshot, in one durable swap. `keeps_tail`: the log contains the snapshot's
/// last entry, so what follows it stays; otherwise everything in the log goes.
struct Install {
  SnapshotMeta meta;
  bool keeps_tail = false;
  LogIndex truncate_from;  // otherwise; what lies before it is committed
};

struct ReadReady {
  std::uint64_t token = 0;
  LogIndex index;
};

enum class Refusal : std::uint8_t {
  none,
  not_leader,      // leader() may know who is
  busy,            // too much is under way; later
  transferring,    // leadership is being handed over; later, perhaps elsewhere
  change_pending,  // one membership change at a time, and only after the term's first commit
  invalid,         // the change would leave no voter, or names a replica twice
  failed,          // the disk is gone
};

/// What one step wants done. The caller clears it between steps.
struct Output {
  std::vector<Message> messages;  // may leave at once
  std::optional<LogWrite> append;
  std::vector<Fetch> fetches;        // entries that are not in memory any more
  std::vector<ReplicaId> snapshots;  // peers that need one
  std::optional<Install> install;
  std::vector<ReadReady> reads;
  Refusal refused = Refusal::none;  // of the proposal, change, read or transfer just stepped
  bool became_leader = false;
  bool stepped_down = false;
  std::vector<ReplicaId> lost_data;  // leader: peers that proved to have lost what they acknowledged
  void clear();
};

class Core {
 public:
  struct Timing {
    Duration election_min = std::chrono::seconds(1);  // and up to twice that
    Duration heartbeat = std::chrono::milliseconds(150);
    Duration idle = std::chrono::milliseconds(500);         // without news before a group goes steady
    Duration wake_spread = std::chrono::milliseconds(150);  // after a leader's node has died
    Duration promotion = std::chrono::seconds(10);          // a joining learner's node is well this long first
    Duration snapshot_retry = std::chrono::seconds(1);      // after a failed transfer
  };
  struct Limits {
    std::size_t append_max_bytes = 1u << 20;  // of one message; a larger entry goes alone
    std::size_t append_max_entries = 1024;
    std::size_t window_messages = 256;
    std::size_t window_bytes = 8u << 20;
    std::size_t uncommitted_max_bytes = 16u << 20;
    std::size_t uncommitted_max_entries = 4096;
    std::size_t tail_max_bytes = 4u << 20;  // entries kept in memory behind what is applied, for slow peers
  };
  struct Options {
    ReplicaId self;
    std::uint64_t seed = 0;
    Epoch epoch;  // of the node's start, for AppendReply::ordinal
    std::uint32_t machine_version = 0;
    HardState hard_state;         // as found on disk
    LogPosition snapshot;         // everything up to here is in the machine already
    Configuration configuration;  // at `snapshot`
    WallTime last_ts{};           // of the last entry: time in the log never runs backwards
    std::vector<TermRun> runs;    // of the log behind `snapshot`
    LogIndex last;                // of the log on disk
    std::vector<std::pair<LogIndex, Configuration>> configurations;  // found in it
    Timing timing;
    Limits limits;
    /// Followers hear of a commit as soon as there is one. Otherwise with the next entries, or with the heartbeat: half
    /// the messages, for those whose followers have nothing to do with what they apply.
    bool tells_commits_at_once = true;
  };
  Core(const Options& options, Instant now);

  void step(const Times& times, Input input, Output& out);
  /// When to come back with Deadline; nullopt while the group sleeps.
  std::optional<Instant> next_deadline() const;

  Role role() const { return role_; }
  Term term() const { return hard_state_.term; }
  /// kNoReplica: unknown.
  ReplicaId leader() const { return leader_; }
  ReplicaId self() const { return self_; }
  LogIndex last_index() const { return log_.last().index; }
  /// Durable on a majority; what confirms wait for.
  LogIndex commit_index() const { return commit_; }
  /// What the machine may see. A group of one may apply before its own disk has the entry, because nothing can
  /// contradict the leader; whoever tells the outside that an entry is safe waits for commit_index() all the same.
  LogIndex applicable_index() const;
  /// Of the first entry of the term this replica leads; from there on its proposals are applied.
  LogIndex term_start() const { return term_start_; }
  const Log& log() const { return log_; }
  /// The newest appended, which is the one in force; at `index` for a snapshot's meta data.
  const Configuration& configuration() const { return configs_.current(); }
  const Configuration& configuration_at(LogIndex index) const { return configs_.at(index); }
  LogIndex configuration_index() const { return configs_.current_index(); }
  /// The members are on their way from one configuration to the next, or the newest is not yet committed.
  bool is_changing_members() const { return configuration().is_joint() || configuration_index() > commit_index(); }
  const HardState& hard_state() const { return hard_state_; }
  const HardState& durable_hard_state() const { return durable_hard_state_; }
  LogIndex durable_index() const { return durable_; }
  bool failed() const { return failed_; }
  bool is_steady() const { return steady_; }
  bool is_recovering() const { return hard_state_.recovering; }
  bool is_installing() const { return installing_.has_value(); }
  const Progress* progress(ReplicaId peer) const;
  /// About what this replica occupies in memory, its tail of entries included.
  std::size_t memory_bytes() const;

 private:
  /// A reply that waits for the disk: until the log is durable up to `index`, and the hard state as it is now.
  struct Held {
    LogIndex index;
    Message message;
  };
  struct Read {
    ReplicaId from;  // self: asked here
    std::uint64_t token = 0;
    std::uint64_t round = 0;
    LogIndex index;
  };
  struct Uncommitted {
    LogIndex index;
    std::size_t bytes = 0;
  };
  /// What only a leader has.
  struct Leadership {
    std::vector<Progress> peers;  // ascending, the members of the configuration in force without this replica
    Instant heartbeat_due{};
    Instant news_at{};  // the last sign of work
    ReplicaId transferee = kNoReplica;
    Instant transfer_due{};
    std::uint64_t round = 0;
    std::vector<Read> reads;    // Invariant: ascending rounds.
    std::vector<Read> unready;  // asked before the term's first commit
    Fifo<Uncommitted> uncommitted;
    std::size_t uncommitted_bytes = 0;
    bool steady_offered = false;  // somebody may sleep because this leader said so
    bool heartbeat_now = false;   // at the end of this turn
  };

  // core.cc: dispatch, terms, durability
  void on(Receive& input, Output& out);
  void on(AppendDone& input, Output& out);
  void on(AppendFailed& input, Output& out);
  void on(Applied& input, Output& out);
  void on(Compacted& input, Output& out);
  void on(PeerLive& input, Output& out);
  void on(Deadline& input, Output& out);
  void on(TurnEnd& input, Output& out);
  bool accept_term(const Message& message, Output& out);
  void answer_stale(const Message& message, Output& out);
  void become_follower(Term term, ReplicaId leader, Output& out);
  void send(ReplicaId to, Body body, Output& out) { send(to, hard_state_.term, std::move(body), out); }
  void send(ReplicaId to, Term term, Body body, Output& out);
  LogWrite& write(Output& out);
  void save_hard_state(Output& out);
  void append_to_log(Entry entry, Output& out);
  void hold(ReplicaId to, Body reply, LogIndex index, Output& out);
  bool is_durable(const Held& held) const;
  void release_held(Output& out);
  bool is_live(ReplicaId replica) const { return live_since(replica).has_value(); }
  std::optional<Instant> live_since(ReplicaId replica) const;
  void check_invariants() const;
  Duration jitter(Duration below);

  // candidate.cc
  void on(Campaign& input, Output& out);
  void receive(const Message& message, const PreVote& body, Output& out);
  void receive(const Message& message, const PreVoteReply& body, Output& out);
  void receive(const Message& message, const Vote& body, Output& out);
  void receive(const Message& message, const VoteReply& body, Output& out);
  void receive(const Message& message, const TimeoutNow& body, Output& out);
  bool may_campaign() const;
  bool has_lease() const;
  bool is_up_to_date(LogPosition last) const;
  void ask_for_pre_votes(Output& out);
  void campaign(bool is_transfer, Output& out);
  void count_votes(Output& out);
  void schedule_election(Duration from, Duration spread);

  // follower.cc
  void receive(const Message& message, const Append& body, Output& out);
  void receive(const Message& message, const Steady& body, Output& out);
  void receive(const Message& message, const Unsteady& body, Output& out);
  void receive(const Message& message, const UnsteadyReply& body, Output& out);
  void receive(const Message& message, const ReadReply& body, Output& out);
  void on(SnapshotStaged& input, Output& out);
  void on(Installed& input, Output& out);
  void hear_from_leader(ReplicaId leader);
  LogIndex take_entries(const Append& append, Output& out);
  void acknowledge(ReplicaId leader, LogIndex index, std::uint64_t round, Output& out);
  void begin_recovery(Output& out);
  void consider_recovered(Output& out);
  void wake_follower(Output& out);

  // leader.cc
  void on(Propose& input, Output& out);
  void on(ReadIndex& input, Output& out);
  void on(TransferTo& input, Output& out);
  void receive(const Message& message, const Wake& body, Output& out);
  void receive(const Message& message, const ReadRequest& body, Output& out);
  void become_leader(Output& out);
  void end_leadership(Output& out);
  void append_own(EntryType type, Bytes payload, Output& out);
  void consider_commit(Output& out);
  void after_commit(Output& out);
  void leader_deadline(Output& out);
  bool hears_quorum() const;
  void take_read(Read read, Output& out);
  void answer_reads(Output& out);
  void consider_transfer(Progress& peer, Output& out);
  void consider_steady(Output& out);
  void wake_leader();
  bool is_alone() const { return configs_.current().is_alone(self_); }
  Progress* find_peer(ReplicaId replica);

  // membership.cc
  void on(ProposeConfiguration& input, Output& out);
  bool may_change() const;
  void append_configuration(const Configuration& configuration, Output& out);
  void adopt_configuration();
  void consider_promotion(Output& out);
  void consider_machine_version(Output& out);
  void hand_over(Output& out);

  // replication.cc
  void receive(const Message& message, const AppendReply& body, Output& out);
  void receive(const Message& message, const SteadyReply& body, Output& out);
  void on(PeerUnreachable& input, Output& out);
  void on(Fetched& input, Output& out);
  void on(SnapshotSent& input, Output& out);
  void notice_loss(Progress& peer, const AppendReply& reply, Output& out);
  void declare_lost(Progress& peer, const AppendReply& reply, Output& out);
  void forget_match(Progress& peer, const AppendReply& reply);
  void send_what_is_due(Progress& peer, Output& out);
  void send_entries(Progress& peer, std::vector<Entry> entries, Output& out);
  void send_heartbeat(Progress& peer, Output& out);
  void send_append(Progress& peer, LogPosition prev, std::vector<Entry> entries, Output& out);
  std::vector<Entry> entries_for(const Progress& peer) const;
  void need_snapshot(Progress& peer, Output& out);
  LogIndex told_commit() const;
  LogIndex spare_entries() const;

  const ReplicaId self_;
  const std::uint32_t machine_version_;
  const Timing timing_;
  const Limits limits_;
  const bool tells_commits_at_once_;
  Random random_;
  Times times_;  // of the step under way

  Role role_ = Role::follower;
  HardState hard_state_;
  HardState durable_hard_state_;
  ReplicaId leader_ = kNoReplica;
  Log log_;
  ConfigStack configs_;
  WallTime last_ts_;
  LogIndex commit_;       // Invariant: it never falls.
  LogIndex applied_;      // Invariant: applied_ <= applicable_index().
  LogIndex durable_;      // Invariant: durable_ <= last index; it falls only when the log is truncated.
  Term mark_term_;        // of the leader that last wrote to this log: what marks under way must carry to count
  LogIndex alone_until_;  // where the configuration stands that ended a group of one
  std::vector<Held> held_;
  std::uint64_t ordinal_ = 0;
  bool failed_ = false;

  std::vector<PeerLive> live_;  // peers whose nodes are known to be well
  std::map<ReplicaId, bool> votes_;
  Instant election_due_{};
  Instant contact_at_{};  // the last word of the leader
  bool steady_ = false;
  std::vector<ReplicaId> dead_;         // follower: whom the leader named when the group went to sleep
  std::vector<ReplicaId> unsteady_to_;  // who may sleep because this replica led, and has not heard that it ended
  Instant unsteady_due_{};

  Term recover_term_;                   // recovering: the leader's term that recover_until_ belongs to
  LogIndex recover_until_;              // that leader's last index at first contact
  LogIndex recovered_to_;               // the log is known to be that leader's up to here
  std::uint64_t recovery_ordinal_ = 0;  // recovery began at this one
  std::optional<SnapshotMeta> installing_;
  ReplicaId install_from_ = kNoReplica;

  LogIndex term_start_;  // of the first entry of the term this replica leads
  std::unique_ptr<Leadership> leadership_;
};

}  // namespace quorate::raft

// Replica: one replica of one group at work: a core, the machine on top of it, and the disk below. It carries out what
// the core wants, feeds the machine in the order of the log, takes the snapshots that let the log forget, and replaces
// itself by a leader's snapshot.
// Operation: step() feeds the core at any time of a turn; settle() ends the turn. Concurrency: the shard's thread.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "cluster/group_client.h"
#include "cluster/host_context.h"
#include "cluster/snapshot_transfer.h"
#include "raft/core.h"
#include "storage/group_storage.h"

namespace quorate::cluster {

/// How a group begins when the disk does not know it.
struct Birth {
  raft::ReplicaId self;
  raft::Configuration configuration;
  bool campaign = false;  // of several new replicas one begins
};

/// As an operator is to read it: which group, what is wrong, and what to do when its data are damaged.
Error explain(const GroupClient& client, const Error& why);

class Replica {
 public:
  /// `incarnation` tells this opening of the group from every other.
  Replica(GroupId id, std::uint64_t incarnation, GroupClient& client, HostContext& host);

  /// Snapshot and log as the disk holds them, or a new group.
  Result<void> open(const Birth& birth);

  /// Whether a proposal, change, read or transfer was refused.
  raft::Refusal step(raft::Input input);
  /// The client hears nothing more, not even from what is on the stack.
  void close();
  /// `node` says that it does not lead this group in `term`: if this replica sleeps because of it, it wakes.
  void doubt_leader(NodeId node, Term term);
  /// The last step of a turn. True: there is more to do at once.
  bool settle();
  /// nullopt: nothing happens until somebody has news.
  std::optional<Instant> next_deadline() const;
  void on_time();

  void receive(const SnapshotOffer& offer);
  void receive(const SnapshotWant& want);
  void receive(SnapshotPart part);
  void receive(const SnapshotResult& result);
  void receive(const RepairRequest& request);
  void receive(RepairReply reply);
  /// `since`: nullopt when it is no longer well.
  void on_node_live(NodeId node, std::optional<Instant> since);
  void on_node_unreachable(NodeId node);

  void read_index(std::move_only_function<void(std::optional<LogIndex>)> done);
  /// Has the other members send the entry at `index`, which is damaged or missing here; `then` follows when it is back,
  /// or when nobody needs it any more.
  void repair(LogIndex index, std::move_only_function<void()> then);
  /// The first entry from `index` on that the machine still needs.
  std::optional<LogIndex> next_live(LogIndex index) const;

  const raft::Core& core() const { return *core_; }
  bool is_open() const { return core_ != nullptr; }
  bool is_leading() const { return leading_; }
  LogIndex applied() const { return applied_; }
  GroupClient& client() const { return client_; }
  std::uint64_t incarnation() const { return incarnation_; }
  std::size_t memory_bytes() const;

  bool dirty = false;                // stands in the host's list
  std::optional<Instant> armed_for;  // stands in the host's timers

 private:
  struct Remains {
    std::optional<storage::Snapshot> snapshot;
    storage::LogSummary log;
  };

  // replica.cc
  Result<void> load();
  Result<void> begin_with(Remains&& found);
  Result<void> restore(const std::optional<storage::Snapshot>& snapshot, raft::Core::Options& options);
  void begin_anew(const Birth& birth);
  void announce_live_nodes();
  void fail(const Error& why);
  void fail_until_restart(const std::string& why);
  raft::LogPosition configuration_position() const;
  raft::Refusal feed(raft::Input input);
  void carry_out();
  void tell_leadership();
  void answer(const std::vector<raft::ReadReady>& reads);
  void write(raft::LogWrite&& append);

  // replica_remains.cc
  Result<Remains> take_stock();
  Result<bool> is_of_this_log(const storage::Snapshot& snapshot) const;
  Remains begin_again(const std::string& why);
  void begin_recovery(const std::string& why);
  bool is_elsewhere(LogIndex known_to, const raft::Configuration& newest) const;
  bool has_others() const { return is_elsewhere(LogIndex(0), row_.configuration); }
  bool note_company(LogIndex since, bool has_others);
  bool note_who_is_left(const std::vector<raft::Entry>& entries);
  void on_configuration(LogIndex index, const raft::Configuration& committed);
  Result<void> judge_loss(const raft::Core::Options& options, const storage::LogSummary& log);

  // replica_apply.cc
  Result<void> apply_ready(bool& is_budget_spent);
  Result<void> apply_one(const raft::Entry& entry);
  void read_for_apply();
  void on_read_for_apply(LogIndex first, Result<std::vector<raft::Entry>> entries);
  void fetch(const raft::Fetch& fetch);
  void on_fetched(const raft::Fetch& fetch, Result<std::vector<raft::Entry>> entries);
  void give_up_log_to(LogIndex index);
  bool is_in_log(LogIndex index) const;
  bool is_live(LogIndex index) const;
  bool is_live_now(LogIndex index) const;
  void ask_for_repair();
  void forget_repairs(LogIndex from);
  bool is_repair_hopeless(Instant now);
  void end_repairs();
  void consider_snapshot();
  std::vector<std::pair<LogIndex, LogIndex>> live_up_to_here() const;
  void take_snapshot();
  void save_snapshot();
  bool is_pinned() const;
  LogIndex kept_from(LogIndex snapshot) const;

  // replica_transfer.cc: snapshots on their way, out and in
  void begin_sending(raft::ReplicaId to);
  void replace_snapshot(const Error& why);
  void offer(raft::ReplicaId to, SnapshotSending& sending);
  void send_part(const SnapshotWant& want, SnapshotSending& sending);
  void on_part_read(const SnapshotWant& want, std::uint64_t serial, LogIndex read_to,
                    Result<std::vector<raft::Entry>> entries);
  void mend_part(const SnapshotWant& want, const SnapshotSending& sending, const std::vector<raft::Entry>& entries);
  void end_sending(raft::ReplicaId to, bool accepted, LogIndex index);
  void ask_for_part();
  void end_receiving();
  void transfers_on_time(Instant now);
  template <class Body>
  void send_body(raft::ReplicaId to, Body body) {
    host_.send(to, {.group = id_, .body = std::move(body)});
  }

  // replica_install.cc: the steps of a snapshot's swap, each durable before the next begins
  void begin_install(const raft::Install& install);
  void commit_install();
  void move_staged_entries(LogIndex from);
  void promote_snapshot();
  void finish_install();
  void resume_install(const raft::LogPosition& position);
  void abandon_install(const Error& why);
  void discard_staging();

  /// A completion for storage that does nothing when this replica is gone.
  template <class Result, class Task>
  auto later(Task task) {
    return host_.on_this_shard<Result>(id_, incarnation_, std::move(task));
  }
  bool is_alone() const { return core_->configuration().is_alone(core_->self()); }

  const GroupId id_;
  const std::uint64_t incarnation_;
  GroupClient& client_;
  HostContext& host_;
  storage::GroupRow row_;  // as last handed to the disk
  std::unique_ptr<raft::Core> core_;
  raft::Output output_;  // reused; of the step under way only
  bool closed_ = false;
  bool was_recovering_ = false;  // since it was opened

  LogIndex applied_;
  WallTime applied_ts_{};    // of that entry
  LogIndex told_committed_;  // what the client knows
  bool leading_ = false;     // the client knows that it leads, since leading_term_
  Term leading_term_;
  raft::ReplicaId told_leader_ = raft::kNoReplica;  // what the client knows of leader and term
  Term told_term_;
  std::uint32_t machine_version_ = 0;          // as of applied_
  raft::LogPosition announced_configuration_;  // liveness of its members has been told to the core
  bool reading_ = false;                       // entries for the machine are on their way from the disk
  std::vector<raft::Fetch> early_fetches_;     // of entries that are not on the disk yet

  LogIndex snapshot_;                              // the last one taken
  std::uint64_t snapshot_bytes_ = 0;               // of it
  bool saving_ = false;                            // one is being saved
  bool snapshot_wanted_ = false;                   // the last one cannot be sent
  std::optional<storage::Snapshot> snapshot_due_;  // taken, and waiting for its log to be durable

  struct Repairs {
    std::set<LogIndex> indexes;
    std::vector<std::move_only_function<void()>> then;  // what stopped at one of them
    Instant ask_at{};
    std::optional<Instant> stuck_since;  // one of them is not applied yet
  };
  std::unique_ptr<Repairs> repairs_;
  std::map<raft::ReplicaId, SnapshotSending> sending_;
  std::unique_ptr<SnapshotReceiving> receiving_;
  std::uint64_t next_serial_ = 0;
  struct Installing {
    storage::Snapshot snapshot;
    raft::Install what;
    raft::ReplicaId from;  // the leader that sent it, in this term
    Term term;
    bool is_resumed = false;  // begun before a restart: the core does not know yet
  };
  std::unique_ptr<Installing> installing_;

  std::uint64_t next_read_ = 0;
  struct Read {
    std::move_only_function<void(std::optional<LogIndex>)> done;
    Instant give_up_at{};  // the question or the answer got lost
  };
  std::map<std::uint64_t, Read> reads_;  // by token, which is the order they were asked in
};

}  // namespace quorate::cluster

// All Raft replicas of one shard. It feeds their cores with what comes from the disk, the clock and the other nodes,
// hands everything a turn appended to the log writer at once, and passes on what they say to other nodes. Operation:
// propose(), receive() and completions step a replica; at the end of the turn replicas with news are settled and the
// turn's writes submitted. Whoever drives the shard gives it a turn at next_deadline(). A group whose disk failed never
// answers again: on_failure tells the node, which stops. Concurrency: the shard's thread only; completions of storage
// threads come back through the shard's mailbox.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "cluster/group_client.h"
#include "cluster/host_context.h"
#include "cluster/replica.h"
#include "cluster/shard.h"
#include "cluster/transport.h"
#include "storage/group_storage.h"

namespace quorate::cluster {

class GroupHost final : public TurnHook, public HostContext {
 public:
  using OnFailure = std::move_only_function<void(const Error&)>;
  /// `transport` may be absent while every group has one member. All parts outlive the host.
  GroupHost(Shard& shard, storage::GroupStorage& storage, Transport* transport, HostOptions options,
            OnFailure on_failure);
  ~GroupHost() override;

  /// Begins with what the disk holds: snapshot, then log; or as `birth` says. on_leader() follows some turns later, if
  /// this replica leads.
  Result<void> open(GroupId group, GroupClient& client, const Birth& birth);
  /// A group of one on this node.
  Result<void> open(GroupId group, GroupClient& client);
  /// The replica here goes with its log, promises and snapshot. The client hears nothing more. The group may be opened
  /// here again, as another replica.
  void drop(GroupId group);
  /// As drop(), of a group whose id never comes again.
  void forget(GroupId group);
  /// The client hears nothing more; the bytes stay.
  void close(GroupId group);

  /// Appends a command entry, which is applied when that is safe: in a group of one later in this turn. `durability`
  /// says whether anybody waits for the entry to be durable, if only this replica decides that. Gives the entry's
  /// place, which a later term may give to another entry; nothing when it was refused, and then nobody may be told that
  /// anything was kept.
  std::optional<raft::LogPosition> propose(GroupId group, Bytes payload, storage::Durability durability);
  raft::Refusal change(GroupId group, const raft::Configuration& target);
  raft::Refusal transfer(GroupId group, raft::ReplicaId to);
  /// `done` hears up to where the log was committed when this was asked, or nothing: ask again, perhaps elsewhere. It
  /// may also never be called, when messages are lost.
  void read_index(GroupId group, std::move_only_function<void(std::optional<LogIndex>)> done);

  /// From another node, on this shard's thread.
  void receive(NodeId from, PeerMessage message);
  void on_node_live(NodeId node, bool live);
  /// What was sent there lately may be lost.
  void on_node_unreachable(NodeId node);
  /// When a turn is needed even if nobody has news.
  std::optional<Instant> next_deadline() const;

  /// Reads live entries back; `done` runs on this shard, also after the group has gone.
  using ReadDone = std::move_only_function<void(Result<std::vector<raft::Entry>>)>;
  void read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done);

  /// The log writer is behind: publishers should wait.
  bool is_congested() const;
  /// The disk has failed: no client hears from its group any more.
  bool has_failed() const { return failed_; }

  bool on_turn_end() override;

  /// For tests and status: nullptr when the group is not open.
  const Replica* replica(GroupId group) const;
  /// For tests: nothing is known of any group.
  bool is_empty() const { return replicas_.empty() && reopened_.empty(); }

 private:
  struct Mark {
    GroupId group;
    std::uint64_t incarnation = 0;
    raft::LogMark mark;
    std::optional<raft::HardState> hard_state;
  };
  using Timer = std::pair<Instant, GroupId>;

  // HostContext
  Shard& shard() override { return shard_; }
  storage::GroupStorage& storage() override { return storage_; }
  const HostOptions& options() const override { return options_; }
  void send(raft::ReplicaId to, PeerMessage message) override;
  std::optional<Instant> live_since(NodeId node) const override;
  void write(storage::GroupWrite write, std::optional<raft::LogMark> mark, storage::Durability durability) override;
  void write(storage::GroupWrite write, std::move_only_function<void()> done) override;
  void mark_dirty(GroupId group) override;
  void fail(const Error& error) override;
  std::shared_ptr<const bool> alive() const override { return alive_; }
  bool is_here(GroupId group, std::uint64_t incarnation) const override;
  Epoch life_of(GroupId group) const override;
  bool begin_transfer(NodeId to) override;
  void end_transfer(NodeId to) override;

  /// A member that was told of the group a moment before this node.
  struct Early {
    GroupId group;
    NodeId from;
    PeerMessage message;
    Instant at{};
  };

  Replica* find(GroupId group);
  void keep_early(NodeId from, PeerMessage message);
  void receive_early(GroupId group);
  void run_due_timers();
  void arm(Replica& replica, GroupId group);
  void settle_dirty();
  void submit();
  void on_append_done(std::vector<Mark> marks, std::vector<std::move_only_function<void()>> done, Result<void> result);
  void audit_steady_groups();
  std::uint64_t steady_hash(NodeId node, bool leads, std::vector<std::pair<GroupId, Term>>* list) const;
  void receive(NodeId from, SteadyAudit audit);

  Shard& shard_;
  storage::GroupStorage& storage_;
  Transport* transport_;
  const HostOptions options_;
  OnFailure on_failure_;
  bool failed_ = false;
  std::unordered_map<GroupId, std::unique_ptr<Replica>> replicas_;
  std::vector<std::unique_ptr<Replica>> closed_;  // in this turn
  std::uint64_t incarnations_ = 0;
  std::unordered_map<GroupId, std::uint32_t> reopened_;  // how often it was closed, by this process
  std::map<NodeId, std::size_t> transfers_;              // snapshots on their way there
  std::vector<GroupId> dirty_;
  std::set<Timer> timers_;
  std::map<NodeId, Instant> live_nodes_;  // since then
  std::deque<Early> early_;               // the oldest first
  std::optional<Instant> audit_at_;       // while there are other nodes

  // What this turn hands to the log writer.
  std::vector<storage::GroupWrite> writes_;
  std::vector<Mark> marks_;
  std::vector<std::move_only_function<void()>> write_done_;
  std::size_t write_bytes_ = 0;
  storage::Durability write_durability_ = storage::Durability::buffered;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // false once destroyed: late completions do nothing
};

}  // namespace quorate::cluster

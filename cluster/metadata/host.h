// The metadata group at work on one node: every node has a replica of it, so everybody routes and checks from what it
// knows itself. Commands are numbered, packed into entries and sent to the leader, again and again until this node's
// own replica has applied them: that is the answer, so who asked sees on its node what it has done. An entry that
// arrives twice is applied once (Origin).
//
// Lives on shard 0; other shards reach it by posting there.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "cluster/group_host.h"
#include "cluster/metadata/machine.h"

namespace quorate::cluster {

class MetadataHost final : public GroupClient, public TurnHook {
 public:
  /// A committed version; called in order of the versions.
  using Publish = std::function<void(const TopologyPtr&, const QueueChanges&)>;
  using Done = std::move_only_function<void(Outcome, const TopologyPtr&)>;
  /// How long a command is worth waiting for: until it is done, or as long as somebody waits for its answer.
  enum class Patience : std::uint8_t { endless, limited };
  using Fenced = std::move_only_function<void(const TopologyPtr&)>;
  /// Takes an entry to the metadata group's replica on another node; may lose it.
  using Forward = std::function<void(NodeId leader, const Bytes& entry)>;

  struct Options {
    NodeId node;
    Epoch epoch;
    MetadataMachine::IndexFactory make_index;
    Forward forward;  // not needed by a node that is alone
    Duration patience = std::chrono::seconds(30);
  };
  MetadataHost(Shard& shard, GroupHost& groups, Options options);

  /// Recovers the group, or founds it.
  Result<void> start(const Birth& birth);
  /// From now on committed versions go to `publish`.
  void set_publish(Publish publish) { publish_ = std::move(publish); }

  /// `done` is called when the command is committed, applied here, and its version has been published; not before there
  /// is a leader. With limited patience it is called without a topology after `patience`, and the command is withdrawn;
  /// only if it stands in a log already may it be carried out later.
  void submit(MetadataCommand command, Done done, Patience patience = Patience::endless);
  /// Of a leader: into the log now, or never. For what must not be carried out late; nobody hears what became of it.
  void propose_once(MetadataCommand command);
  /// `done` is called when this replica has published everything that was committed anywhere before this was asked;
  /// with nothing when nobody could say within `patience` what that is.
  void fence(Fenced done);
  /// From another node: proposed if this replica leads; otherwise forgotten, for the sender repeats itself.
  void on_forwarded(const Bytes& entry);
  /// What was sent to that node lately may be lost.
  void on_node_unreachable(NodeId node);

  /// The newest version applied.
  const TopologyPtr& topology() const { return machine_.topology(); }
  /// The newest version told: set_publish()'s hears of the next ones.
  const TopologyPtr& published() const { return published_; }
  /// kNoReplica: none is known.
  raft::ReplicaId leader() const { return leader_; }
  bool is_leading() const { return leading_; }

  Shard& shard() { return shard_; }
  bool on_turn_end() override;

  // GroupClient
  std::string describe() const override { return "the metadata"; }
  Result<void> restore(ByteView state) override;
  Result<void> apply(const raft::Entry& entry, ApplyMode mode) override;
  void on_leader() override;
  void on_follower() override;
  void on_leadership(raft::ReplicaId leader, Term term) override;
  void on_committed(LogIndex index) override;
  Bytes save() const override { return machine_.serialize(); }
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const override { return {}; }
  std::uint64_t reclaimable_bytes() const override { return reclaimable_bytes_; }
  std::uint64_t state_bytes() const override { return 0; }
  void mark_snapshot() override { reclaimable_bytes_ = 0; }

 private:
  struct Gathered {
    MetadataCommand command;
    Done done;
    Patience patience = Patience::endless;
  };
  /// Sent under one number until it is applied.
  struct Asked {
    std::uint64_t number = 0;
    std::optional<Instant> give_up_at;  // limited patience
    Bytes entry;
    std::vector<Done> done;
    bool transient = false;  // nothing of it outlives a restart of the only node
    bool sent = false;
    Instant sent_at{};
  };
  /// Applied, and to be told to the world when the log up to `index` is durable.
  struct Applied {
    LogIndex index;
    TopologyPtr topology;
    QueueChanges queues;
    std::vector<Outcome> outcomes;
    std::vector<Done> done;  // as many, or none: somebody else's
  };

  /// Those who asked in one turn: first the leader says how far its log is committed, then this replica gets there.
  struct Fence {
    std::vector<Fenced> done;
    std::optional<Instant> ask_at;   // none while the question is under way
    std::optional<LogIndex> target;  // once answered
    Instant give_up_at{};
  };

  void pursue_nodes();
  void pack_gathered();
  Bytes encode_asked(std::uint64_t number, std::vector<MetadataCommand> commands) const;
  void give_up_asked();
  bool raise_fences();
  void ask_for_target(std::uint64_t number);
  void ask_again();
  void pass_fences();
  bool send_unsent();
  bool send(Asked& asked);
  storage::Durability durability_of(const Asked& asked) const;
  void send_again();
  std::vector<Done> take_asked(std::uint64_t number);

  Shard& shard_;
  GroupHost& groups_;
  const Options options_;
  MetadataMachine machine_;
  Publish publish_;
  bool leading_ = false;
  raft::ReplicaId leader_ = raft::kNoReplica;
  std::vector<Gathered> gathered_;  // in this turn
  std::uint64_t last_number_ = 0;
  std::deque<Asked> asked_;                // Invariant: consecutive numbers up to last_number_, none of them applied.
  std::deque<Applied> applied_;            // Invariant: ascending indexes, none of them told.
  TopologyPtr published_;                  // the newest that was told
  LogIndex told_;                          // committed and published up to here
  std::vector<Fenced> gathered_fences_;    // in this turn
  std::map<std::uint64_t, Fence> fences_;  // by number
  std::uint64_t last_fence_ = 0;
  std::uint64_t reclaimable_bytes_ = 0;
  /// What pursue_nodes() last found nothing to do about.
  std::optional<decltype(Topology::nodes)> settled_nodes_;
  LogIndex settled_configuration_;
};

}  // namespace quorate::cluster

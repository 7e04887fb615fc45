// The metadata group at work: gathers commands, applies what the log holds, and publishes each new topology with what
// came and went in it once it is durable. Lives on shard 0; other shards reach it by posting there.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "cluster/group_host.h"
#include "cluster/metadata/machine.h"

namespace quorate::cluster {

class MetadataHost final : public GroupClient, public TurnHook {
 public:
  /// A committed version; called in order of the versions.
  using Publish = std::function<void(const TopologyPtr&, const std::vector<QueuePtr>& created,
                                     const std::vector<QueuePtr>& deleted)>;
  using Done = std::move_only_function<void(Outcome, const TopologyPtr&)>;

  MetadataHost(Shard& shard, GroupHost& groups, MetadataMachine::IndexFactory make_index);

  /// Recovers the group; `on_ready` is called once, when history is applied and commands are accepted.
  Result<void> start(std::function<void()> on_ready);
  /// From now on committed versions go to `publish`.
  void set_publish(Publish publish) { publish_ = std::move(publish); }

  /// `done` is called when the command is durable and its version has been published.
  void submit(MetadataCommand command, Done done);
  /// The newest version applied.
  const TopologyPtr& topology() const { return machine_.topology(); }

  Shard& shard() { return shard_; }
  bool on_turn_end() override;

  // GroupClient
  std::string describe() const override { return "the metadata"; }
  Result<void> restore(ByteView state) override { return machine_.restore(state); }
  Result<void> apply(const raft::Entry& entry, ApplyMode mode) override;
  void on_leader() override;
  void on_committed(LogIndex index) override;
  Bytes save() const override { return machine_.serialize(); }
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const override { return {}; }
  std::uint64_t reclaimable_bytes() const override { return reclaimable_bytes_; }
  std::uint64_t state_bytes() const override { return 0; }
  void mark_snapshot() override { reclaimable_bytes_ = 0; }

 private:
  struct Pending {
    MetadataCommand command;
    Done done;
  };
  /// Applied, and to be told to the world when the log up to `index` is durable.
  struct Applied {
    LogIndex index;
    TopologyPtr topology;
    MetadataEffects effects;
    std::vector<Done> done;
  };

  Shard& shard_;
  GroupHost& groups_;
  MetadataMachine machine_;
  Publish publish_;
  std::function<void()> on_ready_;
  bool ready_ = false;
  std::vector<Pending> gathered_;        // in this turn
  std::deque<std::vector<Done>> asked_;  // one per proposed entry that is not yet applied
  std::deque<Applied> applied_;          // Invariant: ascending indexes, none of them committed.
  std::uint64_t reclaimable_bytes_ = 0;
};

}  // namespace quorate::cluster

// SimQueue: a real queue machine on one replica, with everything around it that a queue does in the product reduced to
// the bone: it proposes what clients send while it leads, answers them when it is committed, and hands messages out
// with the bodies read from the log.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/queue/queue_machine.h"
#include "cluster/group_client.h"
#include "raft/types.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class SimQueue;

/// Commands for one log entry, and the publications among them whose publishers wait.
struct Proposal {
  Bytes payload;
  std::vector<std::uint64_t> publications;
};

/// The clients, as a queue sees them.
class Audience {
 public:
  virtual ~Audience() = default;
  virtual void on_confirmed(GroupId group, NodeId node, const std::vector<std::uint64_t>& publications,
                            const raft::LogPosition& position, bool is_alone) = 0;
  virtual void on_unknown(const std::vector<std::uint64_t>& publications) = 0;
  virtual void on_effect(GroupId group, NodeId node, const queue::Effect& effect) = 0;
  /// A delivery with its body; `body` begins with the publication's number.
  virtual void on_delivery(GroupId group, NodeId node, const queue::effect::Deliver& delivery, const Bytes& body) = 0;
};

/// The process that a queue lives in, and those who check what it does.
class QueueOwner {
 public:
  virtual ~QueueOwner() = default;
  /// Nothing this process does has an effect any more.
  virtual bool is_dying() const = 0;
  virtual std::optional<raft::LogPosition> propose(GroupId group, Bytes payload) = 0;
  virtual bool is_alone(GroupId group) const = 0;
  /// `done` runs in a turn of the process.
  virtual void read(GroupId group, LogIndex index, std::move_only_function<void(const Bytes*)> done) = 0;
  virtual void on_applied(const SimQueue& queue, const raft::Entry& entry) = 0;
  virtual void on_restored(const SimQueue& queue) = 0;
};

class SimQueue final : public cluster::GroupClient {
 public:
  SimQueue(Stage& stage, GroupId group, NodeId node, QueueOwner& owner, Audience& audience)
      : stage_(stage), group_(group), node_(node), owner_(owner), audience_(audience) {}
  ~SimQueue() override { *alive_ = false; }

  GroupId group() const { return group_; }
  NodeId node() const { return node_; }
  bool is_leading() const { return leading_; }
  const queue::QueueMachine& machine() const { return machine_; }
  /// A checksum of everything that must be equal on every replica at the same index.
  std::uint32_t state_checksum() const { return checksum_of(machine_); }
  static std::uint32_t checksum_of(const queue::QueueMachine& machine);

  /// False: somebody else leads, or the group has too much to do.
  bool propose(Proposal proposal);

  // GroupClient
  std::string describe() const override;
  Result<void> restore(ByteView state) override;
  Result<void> apply(const raft::Entry& entry, cluster::ApplyMode mode) override;
  void on_leader() override;
  void on_follower() override;
  void on_committed(LogIndex index) override;
  void on_machine_version(std::uint32_t version) override;
  Bytes save() const override { return machine_.serialize(); }
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const override { return machine_.live_entries(); }
  std::uint64_t reclaimable_bytes() const override { return machine_.reclaimable_bytes(); }
  std::uint64_t state_bytes() const override { return machine_.state_bytes(); }
  void mark_snapshot() override { machine_.mark_snapshot(); }

 private:
  struct Waiting {
    raft::LogPosition position;
    std::vector<std::uint64_t> publications;
  };
  void carry_out(const queue::Effect& effect);
  void deliver(const queue::effect::Deliver& delivery);
  void read_and_deliver(const queue::effect::Deliver& delivery);
  void remember(LogIndex index, Bytes payload);

  Stage& stage_;
  const GroupId group_;
  const NodeId node_;
  QueueOwner& owner_;
  Audience& audience_;
  queue::QueueMachine machine_;
  queue::Effects effects_;
  bool leading_ = false;
  std::deque<Waiting> waiting_;
  std::map<LogIndex, Bytes> cache_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace quorate::sim

// GroupClient: what stands on top of one group: a queue, the metadata, a simulated one. Called on the shard's thread,
// from the host's turn.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "raft/types.h"

namespace quorate::cluster {

/// `replay`: history, or another replica's work: it changes the state and nothing else. `live`: this replica leads and
/// proposed the entry itself, so what follows from it is carried out here.
enum class ApplyMode : std::uint8_t { replay, live };

class GroupClient {
 public:
  virtual ~GroupClient() = default;
  /// What an operator calls it: "queue 'orders' in vhost '/'".
  virtual std::string describe() const = 0;
  /// The state as of a snapshot, in place of whatever state there is.
  virtual Result<void> restore(ByteView state) = 0;
  /// The next command entry. An error is a damaged or unknown entry and stops the node.
  virtual Result<void> apply(const raft::Entry& entry, ApplyMode mode) = 0;
  /// History is applied and proposals are accepted from now on.
  virtual void on_leader() = 0;
  /// No longer. What was proposed and not reported by on_committed() may or may not happen.
  virtual void on_follower() {}
  /// Who leads, as far as this replica knows (kNoReplica: nobody), and in which term; told when it changes.
  virtual void on_leadership(raft::ReplicaId leader, Term term) {
    static_cast<void>(leader);
    static_cast<void>(term);
  }
  /// Everything up to `index` is durable on a majority and applied here.
  virtual void on_committed(LogIndex index) = 0;
  /// From the next entry on, `version` of the machine applies.
  virtual void on_machine_version(std::uint32_t version) { static_cast<void>(version); }

  /// Followers apply what is committed at once, at the price of a message and its answer. Otherwise a moment later.
  virtual bool is_followed_closely() const { return true; }

  virtual Bytes save() const = 0;
  virtual std::vector<std::pair<LogIndex, LogIndex>> live_entries() const = 0;
  /// What a snapshot now would let the log give back, and about what it would cost.
  virtual std::uint64_t reclaimable_bytes() const = 0;
  virtual std::uint64_t state_bytes() const = 0;
  /// save() follows and its result will be made durable: reclaimable_bytes() starts again.
  virtual void mark_snapshot() = 0;
};

}  // namespace quorate::cluster

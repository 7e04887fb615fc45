// Switchover: how a queue that lived on this node alone comes to be served by couriers (decision 17), so that it may
// get members elsewhere. Until then its sessions are all of this node and send what they have as it is; from then on
// everything is numbered. Every shard of the node goes over by itself: it says so, or its first parcel does. What it
// sent before is here by then; once that is applied, its courier is told what its consumers have had so far, and its
// parcels are taken. When all shards have gone over and all that was not numbered is answered and committed, nothing
// depends any more on this replica being the leader.
//
// Pure; the queue owns it for as long as it takes.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "broker/queue/commands.h"
#include "broker/queue/early_parcels.h"
#include "broker/queue/mail.h"

namespace quorate::queue {

class Switchover {
 public:
  explicit Switchover(std::size_t shards) : shards_(shards) {}

  /// The shard's sessions number what they send from now on.
  void on_numbering(ShardId shard);
  /// Its courier knows of its consumers, so deliveries may be counted.
  bool is_over(ShardId shard) const { return shards_[shard.value()].over; }
  bool is_over(const SessionId& session) const {
    const ShardId shard = shard_of(session);
    return shard.value() >= shards_.size() || is_over(shard);  // of an earlier start with more shards
  }

  /// From a shard that is not over yet; it has begun to number. One that finds no room comes again.
  void keep(Parcel parcel);
  /// The shards that number and have not been told, which is to happen now.
  std::vector<ShardId> go_over();
  /// What was kept of that shard.
  std::vector<Parcel> release(ShardId shard);
  /// The queue does not lead any more: whoever sent something sends it again.
  void forget_parcels();

  /// When the last shard went over the log ended at `last`: what was not numbered stands before. Remembers the first.
  std::optional<LogIndex> end(LogIndex last);

 private:
  struct Progress {
    bool numbers = false;
    bool over = false;
    EarlyParcels kept;
  };
  std::vector<Progress> shards_;
  std::optional<LogIndex> end_;
};

}  // namespace quorate::queue

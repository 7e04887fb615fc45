// What travels between channels and queues. A channel sends QueueMail to the shard of the queue, the queue answers with
// SessionMail to the shard of the channel; both ends may be the same shard. Mail from one sender to one receiver
// arrives in order.
#pragma once
#include <cstdint>
#include <optional>
#include <variant>

#include "base/ids.h"
#include "broker/message/message.h"
#include "broker/queue/commands.h"
#include "broker/queue/queue_machine.h"
#include "cluster/metadata/topology.h"

namespace quorate::queue {

/// The shard a session lives on stands in its serial, so that whoever knows a session can write to it.
inline constexpr unsigned kShardBits = 8;
inline ShardId shard_of(const SessionId& session) {
  return ShardId(static_cast<std::uint32_t>(session.serial & ((1u << kShardBits) - 1)));
}
inline std::uint64_t make_serial(ShardId shard, std::uint64_t count) { return (count << kShardBits) | shard.value(); }

struct Publish {
  Message message;
  std::uint32_t body_size = 0;
  bool persistent = false;
  std::uint8_t priority = 0;
  PublishSeq seq;  // 0: nobody waits for a confirm
};

/// How many messages are ready, how many consumers attached.
struct Count {};

/// Delete the queue if the conditions hold.
struct DeleteIf {
  bool unused = false;
  bool empty = false;
};

struct QueueMail {
  GroupId queue;
  SessionId from;
  std::variant<Publish, Settle, Credit, Attach, Cancel, Return, Discard, Get, Purge, Down, Count, DeleteIf> what;
};

struct Delivery {
  std::uint32_t link = 0;
  std::uint64_t id = 0;
  Message message;
  bool redelivered = false;
  bool settled = false;
};

/// The queue has taken a publication of `bytes` and keeps its promise about it. seq 0: only the bytes matter.
struct Taken {
  PublishSeq seq;
  std::uint64_t bytes = 0;
};

struct Attached {
  std::uint32_t link = 0;
  AttachResult result = AttachResult::attached;
};
struct Cancelled {
  std::uint32_t link = 0;
};
struct GetOk {
  Delivery delivery;
  std::uint64_t ready_left = 0;
};
struct GetEmpty {};
struct Purged {
  std::uint64_t count = 0;
};
struct Counted {
  std::uint64_t ready = 0;
  std::uint64_t consumers = 0;
};

enum class DeleteOutcome : std::uint8_t { deleted, in_use, not_empty };
struct Deleted {
  DeleteOutcome outcome = DeleteOutcome::deleted;
  std::uint64_t count = 0;
  cluster::TopologyPtr topology;  // in which the queue is gone
};

/// The queue went away while the session had a request or a consumer there. With `link`: that consumer has ended.
struct Gone {
  std::uint32_t link = 0;
};

struct SessionMail {
  SessionId to;
  GroupId queue;
  std::variant<Delivery, Taken, Attached, Cancelled, GetOk, GetEmpty, Purged, Counted, Deleted, Gone> what;
};

class Switchboard;
/// Answers mail to a queue that does not exist any more: publications count as taken, requests hear Gone.
void refuse_mail(const QueueMail& mail, Switchboard& switchboard);

}  // namespace quorate::queue

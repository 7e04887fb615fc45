// What travels between channels and queues. A channel sends QueueMail to its courier. A queue that lives in this
// process alone gets it as it is, on its shard; a queue that is or was replicated, or lives on another node, gets it in
// Parcels, whose commands are numbered, so that nothing is lost or done twice when leaders change and streams break.
// The queue answers with SessionMail to the shard of the channel. Mail from one sender to one receiver arrives in
// order.
#pragma once
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

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
  bool has_priority = false;  // the publisher gave one
  std::uint8_t priority = 0;
  std::optional<std::uint64_t> ttl_ms;  // its `expiration`
  PublishSeq seq;                       // 0: nobody waits for a confirm
};

/// How many messages are ready, how many consumers attached.
struct Count {};

/// Delete the queue if the conditions hold.
struct DeleteIf {
  bool unused = false;
  bool empty = false;
};

using QueueMailBody =
    std::variant<Publish, Settle, Credit, Attach, Cancel, Return, Discard, Get, Purge, Down, Count, DeleteIf>;

/// What a publication weighs while it is under way; everything else weighs nothing.
std::size_t flight_bytes(const Publish& publish);
std::size_t flight_bytes(const QueueMailBody& what);

struct QueueMail {
  GroupId queue;
  SessionId from;
  QueueMailBody what;
};

/// What is not logged, and answered after the commands that came before it. Numbered apart from them, so that an echo
/// is not taken for the answer to a later one.
struct Question {
  std::uint64_t number = 0;
  std::variant<Count, DeleteIf> what;
};

/// "Of this consumer's deliveries I have those up to `received`": what it holds beyond is to be sent again.
struct Resume {
  std::uint32_t link = 0;
  std::uint64_t received = 0;
};

/// What one session has for one queue, in the order it was sent.
struct Parcel {
  GroupId queue;
  SessionId from;
  Term term;                            // of the leader that it is meant for; any other refuses it
  std::uint64_t first = 0;              // number of the first command
  std::uint64_t heard = 0;              // the sender knows the fate of its commands up to here
  std::vector<QueueMailBody> commands;  // all but questions
  std::vector<Resume> resumes;
  std::vector<Question> questions;
};

/// What a parcel takes of the memory.
std::size_t weight(const Parcel& parcel);

/// From now on this shard's sessions number what they send to the queue; what they sent before is there already.
struct Numbering {
  GroupId queue;
  ShardId shard;
  std::uint64_t version = 0;  // of the topology that says so
};

/// What a consumer, or a getter, has had so far of a queue whose deliveries are numbered from now on.
struct Adopted {
  ConsumerKey consumer;
  std::uint64_t last = 0;  // delivery
  bool cancelled = false;
  bool no_ack = false;
};

/// Who leads a queue, told by a replica of it. No leader: the parcel was refused, and nobody is known.
struct Leadership {
  GroupId queue;
  std::optional<NodeId> leader;
  Term term;
};
/// Asks a replica for its Leadership.
struct WhoLeads {
  GroupId queue;
};

struct Delivery {
  std::uint32_t link = 0;
  std::uint64_t id = 0;
  Message message;
  bool redelivered = false;
  bool settled = false;
  bool counts = false;  // the two below are to be told to the client
  std::uint32_t delivery_count = 0;
  std::uint32_t acquired_count = 0;
};

/// A delivery to a node whose own replica of the queue has the message, and fills it in on the way to the session.
struct Referred {
  Delivery delivery;  // without its message
  Position position;
  Term term;  // of the leader who knows that it is there
};

/// The queue has taken a publication of `bytes` and keeps its promise about it. seq 0: only the bytes matter.
struct Taken {
  PublishSeq seq;
  std::uint64_t bytes = 0;
  bool refused = false;  // it is full, and says so
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
  bool unreachable = false;  // it may come back, but is not to be reached: said by the courier alone
};

/// The session's commands from `first` to `number` are carried out and will stay so, and what there is to say about
/// them has been said. Who has heard of fewer than `first` - 1 has missed something, and sends again.
struct Through {
  std::uint64_t first = 0;
  std::uint64_t number = 0;
};
/// The publication of this number was refused.
struct Refused {
  std::uint64_t number = 0;
};
/// The queue has given the session up: what was unsettled there went to others. Nothing it sends counts any more.
struct Forgotten {};

using SessionMailBody = std::variant<Delivery, Taken, Attached, Cancelled, GetOk, GetEmpty, Purged, Counted, Deleted,
                                     Gone, Through, Refused, Forgotten, Referred>;

struct SessionMail {
  SessionId to;
  GroupId queue;
  SessionMailBody what;
  bool tracked = false;       // of a queue that gets parcels: the courier has a say in it
  std::uint64_t answers = 0;  // the number of the command or question that this answers; an echo is answered again
};

/// On its way to the session by the queue's replica on the session's node: what belongs to a consumer takes this way,
/// all of it in order, as long as that replica delivers.
struct Relayed {
  SessionMail mail;
};

class Switchboard;
/// Answers mail to a queue that does not exist any more: publications count as taken, requests hear Gone.
void refuse_mail(const QueueMail& mail, Switchboard& switchboard);

}  // namespace quorate::queue

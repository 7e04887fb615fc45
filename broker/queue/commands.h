// What can be asked of a queue, as it stands in the queue's log: one log entry packs the commands of one turn.
//   entry   := command*
//   command := kind:u8 body            (bodies in commands.cc; integers big-endian or LEB128 varint)
// The grammar is docs/formats/queue_commands.md. A command that a later version adds gets a new kind.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/ids.h"

namespace quorate::queue {

/// A channel (or whatever else publishes and consumes) for as long as it is open; never used again afterwards.
struct SessionId {
  NodeId node;
  Epoch epoch;  // of the node; a newer epoch proves that every session of an older one is gone
  std::uint64_t serial = 0;
  auto operator<=>(const SessionId&) const = default;
};

/// One consumer of a session. Link 0 stands for what the session fetched with basic.get.
struct ConsumerKey {
  SessionId session;
  std::uint32_t link = 0;
  auto operator<=>(const ConsumerKey&) const = default;
};
inline constexpr std::uint32_t kGetLink = 0;

/// Closed range of a consumer's message ids, which count its deliveries from 1.
struct IdRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool operator==(const IdRange&) const = default;
};

struct Enqueue {
  bool persistent = false;
  bool has_priority = false;  // the publisher has said so; a priority above 0 speaks for itself
  std::uint8_t priority = 0;
  std::optional<std::uint64_t> ttl_ms;  // how long it may wait for a consumer, as its publisher said
  std::uint32_t body_size = 0;          // of the body alone, for counters and windows
  ByteView message;                     // Message::encoded(); opaque here
};

struct Attach {
  ConsumerKey consumer;
  bool no_ack = false;     // a delivery settles itself
  bool exclusive = false;  // no other consumer before or beside this one
  std::int32_t priority = 0;
  std::uint32_t prefetch = 0;  // deliveries without settlement; 0 = any number
  std::uint64_t window = 0;    // bytes that may be under way to the client, see Credit
};

/// No more deliveries; what is unsettled stays with the consumer until it settles or the session ends.
struct Cancel {
  ConsumerKey consumer;
};

/// The client has the messages and answers for them: they are gone.
struct Settle {
  ConsumerKey consumer;
  std::vector<IdRange> ids;
};

enum class ReturnReason : std::uint8_t {
  requeued = 0,  // the client gave it back: redelivered from now on, and one more failed delivery
  unseen = 1,    // it never left the node: as if it had not been delivered
  released = 2,  // redelivered from now on, but nobody failed to process it
  late = 3,      // as released; the consumer had it for too long and is cancelled before anything goes back
};

/// Back to where the messages stood in the queue.
struct Return {
  ConsumerKey consumer;
  ReturnReason reason = ReturnReason::requeued;
  std::vector<IdRange> ids;
};

/// Rejected without requeue: gone (dead-lettering will look here).
struct Discard {
  ConsumerKey consumer;
  std::vector<IdRange> ids;
};

/// `bytes` more have left for the client, so that as many may follow.
struct Credit {
  ConsumerKey consumer;
  std::uint64_t bytes = 0;
};

struct Get {
  SessionId session;
  bool no_ack = false;
};

/// Drops what is ready; unsettled deliveries stay.
struct Purge {
  SessionId session;
};

/// The session ended: its consumers go and what they held returns.
struct Down {
  SessionId session;
};

/// A node has started: its sessions of earlier epochs are gone and with them every transient message of a classic
/// queue.
struct NodeUp {
  NodeId node;
  Epoch epoch;
  /// The epoch before did not end in order. Deliveries run ahead of the log, so any message may have been seen by a
  /// client: all of them count as redelivered.
  bool after_crash = false;
  /// It has become a quorum queue, whose promise covers transient messages too.
  bool keeps_transient = false;
};

/// No session sends as much as this.
inline constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 62;

/// What follows, up to the next From or the end of the entry, was sent by `session` to this queue as its commands
/// `first`, `first` + 1, … A session numbers everything it sends from 1 and sends it again, in order, until it has
/// heard effect::Through about it. The queue forgets a session with its Down, and would take an echo of its first
/// command for a new session: so the Down is sent when everything before it has been heard of.
struct From {
  SessionId session;
  std::uint64_t first = 0;  // 0: what follows is not numbered
  std::uint64_t heard = 0;  // it has heard all answers up to here
};

/// A node does not answer: its consumers of this epoch get nothing new, and keep what they hold.
struct NodeSuspected {
  NodeId node;
  Epoch epoch;
};
/// It answers again.
struct NodeTrusted {
  NodeId node;
  Epoch epoch;
};
/// Every session of the node with a lower epoch is ended as by Down.
struct SessionsGone {
  NodeId node;
  Epoch below;
  /// The node was suspected for too long. Its clients may live: what they held returns without counting as failed, and
  /// the sessions stay forgotten, even if one sends its first command again, until the node's next epoch is seen.
  bool expired = false;
};

enum class Overflow : std::uint8_t { drop_head = 0, reject_publish = 1 };

/// What is given back waits before it is tried again: the nth failure n times as long as the first, up to a bound.
struct DelayedRetry {
  bool failed = false;    // what was rejected, or its consumer was lost
  bool returned = false;  // what was given back by somebody who has not failed
  std::uint64_t min_ms = 0;
  std::uint64_t max_ms = 0;
  bool is_on() const { return failed || returned; }
  bool operator==(const DelayedRetry&) const = default;
};

/// How the queue behaves from here on; all of it, what is not said included.
struct Configure {
  /// As quorum queues do: every message is kept over restarts, and what is given back is served first.
  bool quorum = false;
  /// Whatever is handed out is held until its session settles it: where another node may lead tomorrow, nobody settles
  /// by handing out.
  bool holds_all = false;
  bool single_active_consumer = false;
  std::uint8_t priority_max = 0;  // 0: no priorities; kQuorumPriorityMax: strict ones, 4 when the publisher said none
  std::optional<std::uint32_t> delivery_limit;    // failed deliveries after which a message is given up
  std::optional<std::uint64_t> max_length;        // of ready messages
  std::optional<std::uint64_t> max_length_bytes;  // of their bodies
  Overflow overflow = Overflow::drop_head;
  std::optional<std::uint64_t> message_ttl_ms;  // as Enqueue::ttl_ms, for all; the lesser one counts
  std::optional<std::uint64_t> expires_ms;      // the queue is deleted when nobody has used it for so long
  DelayedRetry delayed_retry;
  bool operator==(const Configure&) const = default;
};
inline constexpr std::uint8_t kQuorumPriorityMax = 31;
inline constexpr std::uint8_t kQuorumPriorityDefault = 4;

/// Nothing but the time of its entry: a queue that nobody talks to lets its messages expire.
struct Expire {};

using Command = std::variant<Enqueue, Attach, Cancel, Settle, Return, Discard, Credit, Get, Purge, Down, NodeUp, From,
                             NodeSuspected, NodeTrusted, SessionsGone, Configure, Expire>;

void encode_command(const Command& command, std::vector<std::byte>& out);
/// The commonest one, without the detour over the variant.
void encode_command(const Enqueue& command, std::vector<std::byte>& out);

/// All of an Enqueue but the message's bytes, which follow last.
void encode_command_head(const Enqueue& command, std::vector<std::byte>& out);

/// False at the end of the entry or when the bytes are no command; reader.failed() tells which. `command` borrows from
/// the reader's bytes.
bool decode_command(ByteReader& reader, Command& command);

/// The message bytes of the Enqueue that stands at `offset` of an entry's payload; empty when there is none.
Bytes message_at(const Bytes& payload, std::size_t offset);

}  // namespace quorate::queue

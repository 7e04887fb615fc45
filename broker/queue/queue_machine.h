// The one deterministic queue: commands in, effects out. It carries every queue type; what differs is who replicates
// the commands. It knows references to messages, never bodies; it has no clock, socket, disk or thread, and equal
// commands lead to equal states on every replica.
//
// A message is in exactly one place: ready, returned, or with one consumer. Ready messages are handed out in the order
// of the log; returned ones stand before them, at the place they had. Consumers of one priority take turns.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "broker/queue/commands.h"
#include "broker/queue/numbered.h"

namespace quorate::queue {

/// Where a message stands in the log, and so its place in the queue: the entry's index and the offset of its Enqueue in
/// the payload. Ordered as the messages arrived.
struct Position {
  std::uint64_t packed = 0;
  static constexpr unsigned kOffsetBits = 16;
  static constexpr std::size_t kOffsetEnd = std::size_t{1} << kOffsetBits;
  static Position of(LogIndex index, std::size_t offset);
  LogIndex index() const { return LogIndex(packed >> kOffsetBits); }
  std::size_t offset() const { return packed & (kOffsetEnd - 1); }
  auto operator<=>(const Position&) const = default;
};

struct MessageRef {
  Position position;
  std::uint32_t body_size = 0;
  std::uint16_t delivery_count = 0;  // how often it was handed out and came back
  std::uint8_t priority = 0;
  bool persistent : 1 = false;
  bool redelivered : 1 = false;
  bool operator==(const MessageRef&) const = default;
};
static_assert(sizeof(MessageRef) == 16, "a deep queue keeps one of these per message");

enum class AttachResult : std::uint8_t { attached, in_exclusive_use };

namespace effect {

struct Attached {
  ConsumerKey consumer;
  AttachResult result = AttachResult::attached;
};
/// Checked out to the consumer under `id`. `settled`: it is gone already (no_ack), only its body is still owed.
struct Deliver {
  ConsumerKey consumer;
  std::uint64_t id = 0;
  MessageRef message;
  bool settled = false;
};
struct Cancelled {
  ConsumerKey consumer;
};
/// basic.get found nothing.
struct GetEmpty {
  SessionId session;
};
/// basic.get found `delivery`; `ready_left` remain.
struct GetOk {
  Deliver delivery;
  std::uint64_t ready_left = 0;
};
struct Purged {
  SessionId session;
  std::uint64_t count = 0;
};
/// No message of this entry is needed any more.
struct EntryDead {
  LogIndex index;
};
/// The last consumer has gone.
struct Unused {};

}  // namespace effect

using Effect = std::variant<effect::Deliver, effect::GetOk, effect::GetEmpty, effect::Attached, effect::Cancelled,
                            effect::Purged, effect::EntryDead, effect::Unused>;
using Effects = std::vector<Effect>;

class QueueMachine {
 public:
  /// Applies the commands packed in `payload`, which is entry `index` of the log, and appends what follows to `out`.
  /// An error means that the bytes are no commands: corruption, or an entry of a newer version.
  Result<void> apply(LogIndex index, ByteView payload, Effects& out);

  std::uint64_t ready_count() const { return ready_.size() + returned_.size(); }
  std::uint64_t unsettled_count() const { return unsettled_count_; }
  std::uint64_t message_bytes() const { return message_bytes_; }
  std::size_t consumer_count() const { return consumer_count_; }
  LogIndex applied() const { return applied_; }
  /// Attached consumers in the order of their keys.
  std::vector<ConsumerKey> consumers() const;
  /// A message of this entry still exists.
  bool is_live(LogIndex index) const;

  /// Entries that hold a message still needed, as closed ascending ranges.
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const;
  /// Bytes of messages that died since the last mark_snapshot(): what a snapshot would let the log give back.
  std::uint64_t reclaimable_bytes() const { return reclaimable_bytes_; }
  void mark_snapshot() { reclaimable_bytes_ = 0; }
  /// About how long serialize() is.
  std::uint64_t state_bytes() const { return 64 + 5 * (ready_count() + unsettled_count_); }

  /// The whole state; equal states give equal bytes. Grammar: docs/formats/queue_snapshot.md.
  Bytes serialize() const;
  static Result<QueueMachine> deserialize(ByteView bytes);

  /// Recounts everything and CHECKs it against the running counters; for tests.
  void check_invariants() const;

 private:
  struct Consumer {
    ConsumerKey key;
    bool no_ack = false;
    bool exclusive = false;
    bool cancelled = false;   // or a getter, which never gets deliveries of itself
    bool in_service = false;  // stands in service_
    std::int32_t priority = 0;
    std::uint32_t prefetch = 0;
    std::int64_t window = 0;  // below zero after a message larger than what was left; at most kWindowMax
    std::uint64_t next_id = 1;
    Numbered<MessageRef> held;  // by id: what is not settled
  };
  static constexpr std::int64_t kWindowMax = std::int64_t{1} << 60;
  static constexpr std::uint64_t kNextIdMax = std::uint64_t{1} << 62;
  // By key: the order of serialisation. Held by pointer because service_ points at them.
  using Consumers = std::map<ConsumerKey, std::unique_ptr<Consumer>>;

  void on(const Enqueue& command, Effects& out);
  void on(const Attach& command, Effects& out);
  void on(const Cancel& command, Effects& out);
  void on(const Settle& command, Effects& out);
  void on(const Return& command, Effects& out);
  void on(const Discard& command, Effects& out);
  void on(const Credit& command, Effects& out);
  void on(const Get& command, Effects& out);
  void on(const Purge& command, Effects& out);
  void on(const Down& command, Effects& out);
  void on(const NodeUp& command, Effects& out);

  static std::int64_t clamp_window(std::uint64_t bytes);
  static bool is_servable(const Consumer& consumer);
  void enter_service(Consumer& consumer);
  Consumer* next_in_service();
  void check_out(Effects& out);
  bool has_ready() const { return !ready_.empty() || !returned_.empty(); }
  MessageRef take_next();
  effect::Deliver hand_to(Consumer& consumer, MessageRef message);

  Consumer* find(const ConsumerKey& key);
  template <class Visit>
  void take_held(Consumer& consumer, const std::vector<IdRange>& ids, Visit&& visit);
  void give_back(MessageRef message, ReturnReason reason);
  void return_all_and_remove(Consumers::iterator at, Effects& out);
  void remove_if_done(const ConsumerKey& key);
  void settle_ids(const ConsumerKey& key, const std::vector<IdRange>& ids, Effects& out);
  void count_out_consumer(Effects& out);
  void drop_transient(Effects& out);
  void bury(const MessageRef& message, Effects& out);
  void bury_entry_if_empty(LogIndex index, Effects& out);
  void count_live(LogIndex index);
  bool read_messages(ByteReader& r);
  bool read_consumers(ByteReader& r);
  static bool read_consumer(ByteReader& r, Consumer& consumer);
  bool restore_live_counts();

  LogIndex applied_;
  std::size_t offset_ = 0;  // of the command being applied

  std::deque<MessageRef> ready_;             // Invariant: ascending positions.
  std::map<Position, MessageRef> returned_;  // Served before ready_ whenever its first position is lower.
  Consumers consumers_;
  std::map<std::int32_t, std::deque<Consumer*>, std::greater<>> service_;  // Who can take a message, by priority.
  std::size_t consumer_count_ = 0;                                         // attached and not cancelled
  std::uint64_t unsettled_count_ = 0;
  std::uint64_t message_bytes_ = 0;
  std::uint64_t reclaimable_bytes_ = 0;

  Numbered<std::uint32_t>
      live_;  // How many messages of an entry still exist, by its index; 0 only while it is being applied.
};

}  // namespace quorate::queue

// The one deterministic queue: commands in, effects out. It carries every queue type; what differs is who replicates
// the commands. It knows references to messages, never bodies; it has no clock, socket, disk or thread, and equal
// commands lead to equal states on every replica.
//
// A message is in exactly one place: the backlog, with one consumer, or delayed until it is tried again. Consumers of
// one priority take turns.
//
// The commands of a session that numbers them (From) have their effect once and in order, whatever was lost, repeated
// or overtaken on the way; answers to a repeated one are repeated. See senders.h.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "broker/queue/backlog.h"
#include "broker/queue/commands.h"
#include "broker/queue/delayed.h"
#include "broker/queue/effects.h"
#include "broker/queue/expiries.h"
#include "broker/queue/numbered.h"
#include "broker/queue/senders.h"

namespace quorate::queue {

/// Why a message is given up, in the words of features.md E028.
enum class DeathReason : std::uint8_t { rejected, delivery_limit, maxlen, expired };
inline constexpr std::size_t kDeathReasons = 4;

struct StoredMessage;  // in a snapshot

class QueueMachine {
 public:
  /// Applies the commands packed in `payload`, which is entry `index` of the log and of the time `ts`, and appends what
  /// follows to `out`. An error means that the bytes are no commands: corruption, or an entry of a newer version.
  Result<void> apply(LogIndex index, WallTime ts, ByteView payload, Effects& out);

  std::uint64_t ready_count() const { return backlog_.size(); }
  std::uint64_t unsettled_count() const { return unsettled_count_; }
  std::uint64_t delayed_count() const { return delayed_.size(); }
  std::uint64_t message_bytes() const { return message_bytes_; }
  std::size_t consumer_count() const { return consumer_count_; }
  LogIndex applied() const { return applied_; }
  /// The time of the queue: that of the last entry.
  WallTime now() const { return now_; }
  /// When the next message expires, unless it is handed out before.
  std::optional<WallTime> next_expiry() const { return expiries_.next(); }
  /// When the next one that was given back is to be tried again.
  std::optional<WallTime> next_retry() const { return delayed_.next(); }
  /// The earlier of the two.
  std::optional<WallTime> next_due() const;
  /// Messages given up for this reason since the machine was made; no part of the state.
  std::uint64_t death_count(DeathReason reason) const { return deaths_[static_cast<std::size_t>(reason)]; }
  const Configure& settings() const { return settings_; }
  /// The single active consumer, where the queue has one.
  const std::optional<ConsumerKey>& active_consumer() const { return active_; }
  /// Attached consumers in the order of their keys.
  std::vector<ConsumerKey> consumers() const;
  /// Commands of this session were numbered, and its Down has not been seen.
  bool knows(const SessionId& session) const { return senders_.find(session) != nullptr; }
  bool has_senders() const { return !senders_.empty(); }
  /// Everybody who numbers commands or consumes, each once, ascending.
  std::vector<SessionId> sessions() const;
  /// Calls `visit(effect::Deliver)` for what the consumer holds with an id above `after`, in the order of ids: what may
  /// have been lost on the way to it. False when there is no such consumer.
  template <class Visit>
  bool held_by(const ConsumerKey& key, std::uint64_t after, Visit&& visit) const {
    const auto at = consumers_.find(key);
    if (at == consumers_.end()) return false;
    at->second->held.for_each_after(after, [&](std::uint64_t id, const MessageRef& message) {
      visit(effect::Deliver{.consumer = key, .id = id, .message = message, .acquired_count = acquired_count(message)});
    });
    return true;
  }
  /// Calls `visit(key, last, cancelled, no_ack)` for each consumer and getter; `last` is the id of its last delivery,
  /// or 0.
  template <class Visit>
  void for_each_consumer(Visit&& visit) const {
    for (const auto& [key, consumer] : consumers_) {
      visit(key, consumer->next_id - 1, consumer->cancelled, consumer->no_ack);
    }
  }
  /// The node has consumers that are suspected, or that are not.
  bool has_consumers(NodeId node, bool suspected) const;
  /// A message of this entry still exists.
  bool is_live(LogIndex index) const;

  /// Entries that hold a message still needed, as closed ascending ranges.
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const;
  /// Bytes of messages that died since the last mark_snapshot(): what a snapshot would let the log give back.
  std::uint64_t reclaimable_bytes() const { return reclaimable_bytes_; }
  void mark_snapshot() { reclaimable_bytes_ = 0; }
  /// About how long serialize() is.
  std::uint64_t state_bytes() const {
    return 64 + 5 * (ready_count() + unsettled_count_) + kExpiryBytes * expiries_.size() +
           kDelayedBytes * delayed_.size();
  }

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
    bool suspected = false;   // its node does not answer: gets nothing new
    bool in_service = false;  // stands in service_
    std::int32_t priority = 0;
    std::uint32_t prefetch = 0;
    std::int64_t window = 0;  // below zero after a message larger than what was left; at most kWindowMax
    std::uint64_t next_id = 1;
    std::uint64_t attach_number = 0;  // above that of all who were there before it
    Numbered<MessageRef> held;        // by id: what is not settled
  };
  static constexpr std::uint64_t kExpiryBytes = 6;
  static constexpr std::uint64_t kDelayedBytes = 15;
  static constexpr WallTime kTimeMax{std::chrono::milliseconds(std::int64_t{1} << 60)};
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
  void on(const From& command, Effects& out);
  void on(const NodeSuspected& command, Effects& out);
  void on(const NodeTrusted& command, Effects& out);
  void on(const SessionsGone& command, Effects& out);
  void on(const Configure& command, Effects& out);
  void on(const Expire&, Effects&) {}

  bool has_its_turn(const Command& command, Effects& out);
  std::uint64_t remember(Reply::Kind kind, std::uint64_t value, std::uint64_t ready_left = 0);
  void answer(effect::Attached reply, Effects& out);
  void answer(effect::Cancelled reply, Effects& out);
  void answer(effect::Purged reply, Effects& out);
  void answer(effect::GetOk reply, Effects& out);
  void answer(effect::GetEmpty reply, Effects& out);
  void answer_again(const Command& command, Effects& out) const;
  void get_again(const Get& command, const Reply& reply, Effects& out) const;

  static std::int64_t clamp_window(std::uint64_t bytes);
  bool is_servable(const Consumer& consumer) const;
  void enter_service(Consumer& consumer);
  Consumer* next_in_service();
  void check_out(Effects& out);
  effect::Deliver hand_to(Consumer& consumer, MessageRef message);

  Consumer* find(const ConsumerKey& key);
  const Consumer* find(const ConsumerKey& key) const { return const_cast<QueueMachine*>(this)->find(key); }
  template <class Visit>
  void take_held(Consumer& consumer, const std::vector<IdRange>& ids, Visit&& visit);
  void give_back(MessageRef message, ReturnReason reason, Effects& out);
  std::uint64_t retry_delay(const MessageRef& message, ReturnReason reason) const;
  void delay(const MessageRef& message, std::uint64_t delay_ms);
  void end_delays(Effects& out);
  void make_ready(const MessageRef& message);
  bool is_expired(const MessageRef& message) const;
  void give_up(const MessageRef& message, DeathReason reason, Effects& out);
  std::uint16_t acquired_count(const MessageRef& message) const;
  void follow_clock(WallTime ts);
  void fix_expiry(const Enqueue& command, Position position);
  void expire_due(Effects& out);
  void obey_settings();
  void pass_time(Effects& out);
  bool is_full_for(const Enqueue& command) const;
  void refuse(const Enqueue& command, Effects& out);
  effect::Refused refusal() const;
  void skip(const Enqueue& command);
  void drop_excess(Effects& out);
  Consumer* best_candidate();
  void choose_active();
  void return_all_and_remove(Consumers::iterator at, ReturnReason reason, Effects& out);
  void suspect(NodeId node, Epoch epoch, bool suspected);
  void cancel(Consumer& consumer, Effects& out);
  void remove_if_done(const ConsumerKey& key);
  template <class Visit>
  void take_from(const ConsumerKey& key, const std::vector<IdRange>& ids, Visit&& visit);
  void drop_transient(Effects& out);
  void bury(const MessageRef& message, Effects& out);
  void bury_entry_if_empty(LogIndex index, Effects& out);
  void count_live(LogIndex index);
  bool read_backlog(ByteReader& r, std::uint8_t format);
  bool read_level(ByteReader& r);
  bool read_delayed(ByteReader& r);
  StoredMessage stored(const MessageRef& message) const;
  bool restore_details(const StoredMessage& stored);
  bool restore_waiting(const StoredMessage& stored);
  bool read_consumers(ByteReader& r);
  bool read_consumer(ByteReader& r, Consumer& consumer);
  bool restore_active(const ConsumerKey& key);
  bool restore_live_counts();

  LogIndex applied_;
  WallTime now_{};
  std::size_t offset_ = 0;        // of the command being applied
  bool skipped_message_ = false;  // the entry being applied carries one that the queue did not take

  Configure settings_;
  bool drops_excess_ = false;  // follows from the settings
  Backlog backlog_;
  std::map<Position, std::uint16_t> acquired_;  // How often those were handed out that came back; all are redelivered.
  Expiries expiries_;                           // Invariant: those of the backlog wait, and later than now_.
  Delayed delayed_;                             // Invariant: until later than now_.
  Senders senders_;
  Consumers consumers_;
  std::map<std::int32_t, std::deque<Consumer*>, std::greater<>> service_;  // Who can take a message, by priority.
  std::optional<ConsumerKey> active_;  // attached; none unless there is a single active consumer
  bool active_is_yielding_ = false;    // follows from the consumers: one with a higher priority waits
  std::size_t consumer_count_ = 0;     // attached and not cancelled
  std::uint64_t unsettled_count_ = 0;
  std::uint64_t message_bytes_ = 0;
  std::uint64_t reclaimable_bytes_ = 0;
  std::array<std::uint64_t, kDeathReasons> deaths_{};

  Numbered<std::uint32_t>
      live_;  // How many messages of an entry still exist, by its index; 0 only while it is being applied.
};

}  // namespace quorate::queue

// The state of a QueueMachine as bytes.
//   state := format:u8 applied:varint now:varint settings levels returned delayed consumers turns senders
// docs/formats/queue_snapshot.md has the grammar and the rules; the senders are written by senders.cc.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "broker/queue/queue_machine.h"
#include "broker/queue/session_codec.h"
#include "broker/queue/settings_codec.h"

namespace quorate::queue {

/// A message and what the machine keeps elsewhere about it.
struct StoredMessage {
  MessageRef message;
  std::uint16_t acquired = 0;
  WallTime expiry{};
};

namespace {

constexpr std::uint8_t kFormat = 5;
constexpr std::uint8_t kFormatWithTime = 4;  // still read, and the one before
constexpr std::uint8_t kFormatMin = 3;
constexpr std::uint8_t kPersistent = 1;
constexpr std::uint8_t kRedelivered = 2;
constexpr std::uint8_t kExpires = 4;
constexpr std::uint8_t kNoAck = 1;
constexpr std::uint8_t kExclusive = 2;
constexpr std::uint8_t kCancelled = 4;
constexpr std::uint8_t kSuspected = 8;

void put(ByteWriter& w, WallTime time) { w.write_varint(static_cast<std::uint64_t>(time.time_since_epoch().count())); }

void put(ByteWriter& w, const StoredMessage& stored, Position before) {
  const MessageRef& message = stored.message;
  w.write_varint(message.position.packed - before.packed);
  w.write_varint(message.body_size);
  w.write(static_cast<std::uint8_t>((message.persistent ? kPersistent : 0) | (message.redelivered ? kRedelivered : 0) |
                                    (message.expires ? kExpires : 0)));
  w.write(message.priority);
  w.write_varint(message.delivery_count);
  if (message.redelivered) w.write_varint(stored.acquired);
  if (message.expires) put(w, stored.expiry);
}

using queue::get;

bool get(ByteReader& r, std::uint16_t& value) {
  std::uint64_t wide = 0;
  if (!r.read_varint(wide) || wide > UINT16_MAX) return false;
  value = static_cast<std::uint16_t>(wide);
  return true;
}

/// Beyond `max` is no time.
bool get(ByteReader& r, WallTime& time, WallTime max) {
  std::uint64_t count = 0;
  if (!r.read_varint(count) || count > static_cast<std::uint64_t>(max.time_since_epoch().count())) return false;
  time = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(count)));
  return true;
}

bool get(ByteReader& r, StoredMessage& stored, Position before) {
  MessageRef& message = stored.message;
  std::uint64_t delta = 0;
  std::uint8_t flags = 0;
  if (!r.read_varint(delta) || !get(r, message.body_size) || !r.read(flags) || !r.read(message.priority) ||
      !get(r, message.delivery_count)) {
    return false;
  }
  message.position.packed = before.packed + delta;
  message.persistent = (flags & kPersistent) != 0;
  message.redelivered = (flags & kRedelivered) != 0;
  message.expires = (flags & kExpires) != 0;
  stored.acquired = 0;
  if (message.redelivered && !get(r, stored.acquired)) return false;
  if (message.expires && !get(r, stored.expiry, WallTime::max())) return false;
  return message.position.index().value() > 0;
}

}  // namespace

Bytes QueueMachine::serialize() const {
  std::vector<std::byte> buffer;
  buffer.reserve(state_bytes());
  ByteWriter w(buffer);
  w.write(kFormat);
  w.write_varint(applied_.value());
  put(w, now_);
  put(w, settings_);
  std::uint64_t levels = 0;
  backlog_.for_each_level([&](std::size_t, const Level&) { ++levels; });
  w.write_varint(levels);
  backlog_.for_each_level([&](std::size_t, const Level& level) {
    w.write_varint(level.size());
    Position before;
    level.for_each(
        [&](const MessageRef& message) { put(w, stored(message), std::exchange(before, message.position)); });
  });
  w.write_varint(backlog_.returned_count());
  backlog_.for_each_returned([&](const MessageRef& message) { put(w, stored(message), {}); });
  w.write_varint(delayed_.size());
  delayed_.for_each([&](WallTime until, const MessageRef& message) {
    put(w, until);
    put(w, stored(message), {});
  });

  w.write_varint(consumers_.size());
  std::map<const Consumer*, std::uint64_t> places;
  for (const auto& [key, consumer] : consumers_) {
    places.emplace(consumer.get(), places.size());
    put(w, key);
    w.write(static_cast<std::uint8_t>((consumer->no_ack ? kNoAck : 0) | (consumer->exclusive ? kExclusive : 0) |
                                      (consumer->cancelled ? kCancelled : 0) | (consumer->suspected ? kSuspected : 0)));
    w.write(static_cast<std::uint32_t>(consumer->priority));
    w.write_varint(consumer->prefetch);
    w.write(static_cast<std::uint64_t>(consumer->window));
    w.write_varint(consumer->next_id);
    w.write_varint(consumer->attach_number);
    w.write_varint(consumer->held.size());
    std::uint64_t id_before = 0;
    consumer->held.for_each([&](std::uint64_t id, const MessageRef& message) {
      w.write_varint(id - std::exchange(id_before, id));
      put(w, stored(message), {});
    });
  }
  w.write_varint(active_ ? places.at(consumers_.at(*active_).get()) + 1 : 0);
  std::vector<std::uint64_t> turns;
  for (const auto& [priority, waiting] : service_) {
    for (const Consumer* consumer : waiting) turns.push_back(places.at(consumer));
  }
  w.write_varint(turns.size());
  for (const std::uint64_t place : turns) w.write_varint(place);
  senders_.write(w);
  return Bytes::copy_of(buffer);
}

Result<QueueMachine> QueueMachine::deserialize(ByteView bytes) {
  QueueMachine machine;
  ByteReader r(bytes);
  std::uint8_t format = 0;
  const bool is_known = r.read(format) && format >= kFormatMin && format <= kFormat;
  if (!is_known || !machine.read_backlog(r, format) || !machine.read_consumers(r) || !machine.senders_.read(r) ||
      !r.done() || !machine.restore_live_counts()) {
    return failure(ErrorCode::corruption, "not the snapshot of a queue");
  }
  return machine;
}

bool QueueMachine::read_backlog(ByteReader& r, std::uint8_t format) {
  std::uint64_t applied = 0;
  std::uint64_t levels = 0;
  if (!r.read_varint(applied)) return false;
  applied_ = LogIndex(applied);
  if (format >= kFormatWithTime && !get(r, now_, kTimeMax)) return false;
  if (!get(r, settings_) || !r.read_varint(levels)) return false;
  obey_settings();
  for (; levels > 0; --levels) {
    if (!read_level(r)) return false;
  }
  std::uint64_t count = 0;
  if (!r.read_varint(count)) return false;
  StoredMessage next;
  for (; count > 0; --count) {
    if (!get(r, next, {}) || !backlog_.restore_returned(next.message) || !restore_waiting(next)) return false;
  }
  return format < kFormat || read_delayed(r);
}

bool QueueMachine::read_delayed(ByteReader& r) {
  std::uint64_t count = 0;
  if (!r.read_varint(count)) return false;
  StoredMessage next;
  WallTime until{};
  WallTime before{};
  for (; count > 0; --count) {
    if (!get(r, until, WallTime::max()) || until <= now_ || until < before || !get(r, next, {})) return false;
    const bool outlives_itself = next.message.expires && next.expiry < until;
    if (outlives_itself || !restore_details(next) || !delayed_.add(until, next.message)) return false;
    before = until;
  }
  return true;
}

bool QueueMachine::read_level(ByteReader& r) {
  std::uint64_t count = 0;
  if (!r.read_varint(count)) return false;
  StoredMessage next;
  for (Position before; count > 0; --count) {
    if (!get(r, next, before) || !backlog_.restore_ready(next.message) || !restore_waiting(next)) return false;
    before = next.message.position;
  }
  return true;
}

StoredMessage QueueMachine::stored(const MessageRef& message) const {
  return {.message = message,
          .acquired = acquired_count(message),
          .expiry = message.expires ? expiries_.of(message.position) : WallTime{}};
}

bool QueueMachine::restore_details(const StoredMessage& stored) {
  const Position position = stored.message.position;
  if (stored.acquired > 0 && !acquired_.emplace(position, stored.acquired).second) return false;
  return !stored.message.expires || expiries_.add(position, stored.expiry);
}

bool QueueMachine::restore_waiting(const StoredMessage& stored) {
  if (!restore_details(stored)) return false;
  if (!stored.message.expires) return true;
  expiries_.wait(stored.message.position);
  return stored.expiry > now_;
}

bool QueueMachine::read_consumers(ByteReader& r) {
  std::uint64_t count = 0;
  if (!r.read_varint(count)) return false;
  std::vector<Consumer*> places;
  for (; count > 0; --count) {
    auto consumer = std::make_unique<Consumer>();
    if (!read_consumer(r, *consumer)) return false;
    const bool ascends = consumers_.empty() || consumers_.rbegin()->first < consumer->key;
    if (!ascends) return false;
    unsettled_count_ += consumer->held.size();
    consumer_count_ += consumer->cancelled ? 0 : 1;
    places.push_back(consumer.get());
    const ConsumerKey key = consumer->key;
    consumers_.emplace_hint(consumers_.end(), key, std::move(consumer));
  }
  std::uint64_t active = 0;
  if (!r.read_varint(active)) return false;
  if (active > places.size() || (active > 0 && !restore_active(places[active - 1]->key))) return false;
  if (!r.read_varint(count)) return false;
  for (; count > 0; --count) {
    std::uint64_t place = 0;
    if (!r.read_varint(place) || place >= places.size() || places[place]->in_service) return false;
    places[place]->in_service = true;
    service_[places[place]->priority].push_back(places[place]);
  }
  return true;
}

bool QueueMachine::read_consumer(ByteReader& r, Consumer& consumer) {
  std::uint8_t flags = 0;
  std::uint32_t priority = 0;
  std::uint64_t window = 0;
  std::uint64_t held = 0;
  ConsumerKey& key = consumer.key;
  if (!get(r, key) || !r.read(flags) || !r.read(priority) || !get(r, consumer.prefetch) || !r.read(window) ||
      !r.read_varint(consumer.next_id) || !r.read_varint(consumer.attach_number) || !r.read_varint(held)) {
    return false;
  }
  consumer.no_ack = (flags & kNoAck) != 0;
  consumer.exclusive = (flags & kExclusive) != 0;
  consumer.cancelled = (flags & kCancelled) != 0;
  consumer.suspected = (flags & kSuspected) != 0;
  consumer.priority = static_cast<std::int32_t>(priority);
  consumer.window = static_cast<std::int64_t>(window);
  for (std::uint64_t id = 0; held > 0; --held) {
    std::uint64_t delta = 0;
    StoredMessage next;
    if (!r.read_varint(delta) || delta == 0 || delta > kNextIdMax || !get(r, next, {})) return false;
    id += delta;
    if (id >= consumer.next_id || !consumer.held.insert(id, next.message)) return false;
    if (!restore_details(next)) return false;
  }
  const bool is_bounded = consumer.prefetch == 0 || consumer.held.size() <= consumer.prefetch;
  const bool is_getter_cancelled = key.link != kGetLink || consumer.cancelled;
  return is_bounded && is_getter_cancelled && consumer.window <= kWindowMax && consumer.next_id <= kNextIdMax &&
         consumer.attach_number <= kNextIdMax;
}

bool QueueMachine::restore_active(const ConsumerKey& key) {
  const Consumer& active = *consumers_.at(key);
  const Consumer* best = best_candidate();
  active_ = key;
  active_is_yielding_ = best != nullptr && best->priority > active.priority;
  return settings_.single_active_consumer && !active.cancelled;
}

/// False when a message stands in two places or comes from an entry that has not been applied.
bool QueueMachine::restore_live_counts() {
  std::vector<Position> positions;
  const auto add = [&](const MessageRef& message) {
    positions.push_back(message.position);
    message_bytes_ += message.body_size;
  };
  backlog_.for_each(add);
  delayed_.for_each([&](WallTime, const MessageRef& message) { add(message); });
  for (const auto& [key, consumer] : consumers_) {
    consumer->held.for_each([&](std::uint64_t, const MessageRef& message) { add(message); });
  }
  std::ranges::sort(positions);
  if (std::ranges::adjacent_find(positions) != positions.end()) return false;
  if (!positions.empty() && positions.back().index() > applied_) return false;
  for (const Position position : positions) count_live(position.index());
  return true;
}

}  // namespace quorate::queue

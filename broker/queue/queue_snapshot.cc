// The state of a QueueMachine as bytes.
//   state := format:u8 applied:varint refs(ready) refs(returned) consumers turns senders
// docs/formats/queue_snapshot.md has the grammar and the rules; the senders are written by senders.cc.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "broker/queue/queue_machine.h"
#include "broker/queue/session_codec.h"

namespace quorate::queue {
namespace {

constexpr std::uint8_t kFormat = 3;
constexpr std::uint8_t kFormatWithoutSenders = 2;  // still read
constexpr std::uint8_t kPersistent = 1;
constexpr std::uint8_t kRedelivered = 2;
constexpr std::uint8_t kNoAck = 1;
constexpr std::uint8_t kExclusive = 2;
constexpr std::uint8_t kCancelled = 4;
constexpr std::uint8_t kSuspected = 8;

void put(ByteWriter& w, const MessageRef& message, Position& before) {
  w.write_varint(message.position.packed - before.packed);
  w.write_varint(message.body_size);
  w.write(static_cast<std::uint8_t>((message.persistent ? kPersistent : 0) | (message.redelivered ? kRedelivered : 0)));
  w.write(message.priority);
  w.write_varint(message.delivery_count);
  before = message.position;
}

using queue::get;

/// The next of an ascending list; `before` moves on.
bool get(ByteReader& r, MessageRef& message, Position& before) {
  std::uint64_t delta = 0;
  std::uint8_t flags = 0;
  std::uint32_t deliveries = 0;
  if (!r.read_varint(delta) || !get(r, message.body_size) || !r.read(flags) || !r.read(message.priority) ||
      !get(r, deliveries) || deliveries > UINT16_MAX) {
    return false;
  }
  message.position.packed = before.packed + delta;
  message.persistent = (flags & kPersistent) != 0;
  message.redelivered = (flags & kRedelivered) != 0;
  message.delivery_count = static_cast<std::uint16_t>(deliveries);
  const bool ascends = message.position > before;
  before = message.position;
  return ascends && message.position.index().value() > 0;
}

}  // namespace

Bytes QueueMachine::serialize() const {
  std::vector<std::byte> buffer;
  buffer.reserve(state_bytes());
  ByteWriter w(buffer);
  w.write(kFormat);
  w.write_varint(applied_.value());
  w.write_varint(ready_.size());
  Position before;
  for (const MessageRef& message : ready_) put(w, message, before);
  w.write_varint(returned_.size());
  before = {};
  for (const auto& [position, message] : returned_) put(w, message, before);

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
    w.write_varint(consumer->held.size());
    std::uint64_t id_before = 0;
    consumer->held.for_each([&](std::uint64_t id, const MessageRef& message) {
      w.write_varint(id - std::exchange(id_before, id));
      Position zero;
      put(w, message, zero);
    });
  }
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
  const bool is_known = r.read(format) && (format == kFormat || format == kFormatWithoutSenders);
  if (!is_known || !machine.read_messages(r) || !machine.read_consumers(r) ||
      (format != kFormatWithoutSenders && !machine.senders_.read(r)) || !r.done() || !machine.restore_live_counts()) {
    return failure(ErrorCode::corruption, "not the snapshot of a queue");
  }
  return machine;
}

bool QueueMachine::read_messages(ByteReader& r) {
  std::uint64_t applied = 0;
  std::uint64_t count = 0;
  if (!r.read_varint(applied)) return false;
  applied_ = LogIndex(applied);
  MessageRef message;
  if (!r.read_varint(count)) return false;
  for (Position before; count > 0; --count) {
    if (!get(r, message, before)) return false;
    ready_.push_back(message);
  }
  if (!r.read_varint(count)) return false;
  for (Position before; count > 0; --count) {
    if (!get(r, message, before)) return false;
    returned_.emplace_hint(returned_.end(), message.position, message);
  }
  return true;
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
      !r.read_varint(consumer.next_id) || !r.read_varint(held)) {
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
    MessageRef message;
    Position zero;
    if (!r.read_varint(delta) || delta == 0 || delta > kNextIdMax || !get(r, message, zero)) return false;
    id += delta;
    if (id >= consumer.next_id || !consumer.held.insert(id, message)) return false;
  }
  const bool is_bounded = consumer.prefetch == 0 || consumer.held.size() <= consumer.prefetch;
  const bool is_getter_cancelled = key.link != kGetLink || consumer.cancelled;
  return is_bounded && is_getter_cancelled && consumer.window <= kWindowMax && consumer.next_id <= kNextIdMax;
}

/// False when a message stands in two places or comes from an entry that has not been applied.
bool QueueMachine::restore_live_counts() {
  std::vector<Position> positions;
  const auto add = [&](const MessageRef& message) {
    positions.push_back(message.position);
    message_bytes_ += message.body_size;
  };
  for (const MessageRef& message : ready_) add(message);
  for (const auto& [position, message] : returned_) add(message);
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

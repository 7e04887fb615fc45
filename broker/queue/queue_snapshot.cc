// The state of a QueueMachine as bytes.
//   state     := format:u8=1 applied:varint reclaimable:varint refs(ready) refs(returned) count:varint consumer* service
//   refs      := count:varint ref*           ref := position_delta:varint size:varint flags:u8 priority:u8 deliveries:varint
//   consumer  := node epoch serial link flags:u8 priority:varint prefetch window next_id held
//   held      := count:varint slot*          slot := 0 | 1 ref
//   service   := count:varint (count of consumers before it in key order)*   the order of turns, highest priority first
// Positions are delta coded within one refs list and absolute within held.
#include <algorithm>

#include "base/check.h"
#include "base/cursor.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kPersistent = 1;
constexpr std::uint8_t kRedelivered = 2;
constexpr std::uint8_t kNoAck = 1;
constexpr std::uint8_t kExclusive = 2;
constexpr std::uint8_t kCancelled = 4;

void put(ByteWriter& w, const MessageRef& message, Position& before) {
  w.write_varint(message.position.packed - before.packed);
  w.write_varint(message.body_size);
  w.write(static_cast<std::uint8_t>((message.persistent ? kPersistent : 0) |
                                    (message.redelivered ? kRedelivered : 0)));
  w.write(message.priority);
  w.write_varint(message.delivery_count);
  before = message.position;
}

bool get(ByteReader& r, MessageRef& message, Position& before) {
  std::uint64_t delta = 0;
  std::uint64_t size = 0;
  std::uint8_t flags = 0;
  std::uint64_t deliveries = 0;
  if (!r.read_varint(delta) || !r.read_varint(size) || !r.read(flags) || !r.read(message.priority) ||
      !r.read_varint(deliveries)) {
    return false;
  }
  before.packed += delta;
  message.position = before;
  message.body_size = static_cast<std::uint32_t>(size);
  message.persistent = (flags & kPersistent) != 0;
  message.redelivered = (flags & kRedelivered) != 0;
  message.delivery_count = static_cast<std::uint16_t>(deliveries);
  return message.position.index().value() > 0;
}

Error bad_state() { return {.code = ErrorCode::corruption, .text = "not the snapshot of a queue"}; }

}  // namespace

Bytes QueueMachine::serialize() const {
  std::vector<std::byte> buffer;
  buffer.reserve(state_bytes());
  ByteWriter w(buffer);
  w.write(kFormat);
  w.write_varint(applied_.value());
  w.write_varint(reclaimable_bytes_);
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
    w.write_varint(key.session.node.value());
    w.write_varint(key.session.epoch.value());
    w.write_varint(key.session.serial);
    w.write_varint(key.link);
    w.write(static_cast<std::uint8_t>((consumer->no_ack ? kNoAck : 0) | (consumer->exclusive ? kExclusive : 0) |
                                      (consumer->cancelled ? kCancelled : 0)));
    w.write(static_cast<std::uint32_t>(consumer->priority));
    w.write_varint(consumer->prefetch);
    w.write(static_cast<std::uint64_t>(consumer->window));
    w.write_varint(consumer->next_id);
    w.write_varint(consumer->held.size());
    for (const MessageRef& message : consumer->held) {
      const bool settled = message == MessageRef{};
      w.write(static_cast<std::uint8_t>(settled ? 0 : 1));
      Position zero;
      if (!settled) put(w, message, zero);
    }
  }
  std::vector<std::uint64_t> turns;
  for (const auto& [priority, waiting] : service_) {
    for (const Consumer* consumer : waiting) turns.push_back(places.at(consumer));
  }
  w.write_varint(turns.size());
  for (const std::uint64_t place : turns) w.write_varint(place);
  return Bytes::copy_of(buffer);
}

Result<QueueMachine> QueueMachine::deserialize(ByteView bytes) {
  QueueMachine machine;
  ByteReader r(bytes);
  std::uint8_t format = 0;
  std::uint64_t applied = 0;
  std::uint64_t count = 0;
  if (!r.read(format) || format != kFormat || !r.read_varint(applied) || !r.read_varint(machine.reclaimable_bytes_) ||
      !r.read_varint(count)) {
    return std::unexpected(bad_state());
  }
  machine.applied_ = LogIndex(applied);
  Position before;
  for (; count > 0; --count) {
    MessageRef message;
    if (!get(r, message, before)) return std::unexpected(bad_state());
    if (!machine.ready_.empty() && machine.ready_.back().position >= message.position) {
      return std::unexpected(bad_state());
    }
    machine.ready_.push_back(message);
  }
  if (!r.read_varint(count)) return std::unexpected(bad_state());
  before = {};
  for (; count > 0; --count) {
    MessageRef message;
    if (!get(r, message, before)) return std::unexpected(bad_state());
    if (!machine.returned_.try_emplace(message.position, message).second) return std::unexpected(bad_state());
  }
  if (!r.read_varint(count)) return std::unexpected(bad_state());
  std::vector<Consumer*> places;
  for (; count > 0; --count) {
    auto consumer = std::make_unique<Consumer>();
    std::uint64_t node = 0;
    std::uint64_t epoch = 0;
    std::uint64_t link = 0;
    std::uint8_t flags = 0;
    std::uint32_t priority = 0;
    std::uint64_t prefetch = 0;
    std::uint64_t window = 0;
    std::uint64_t held = 0;
    ConsumerKey& key = consumer->key;
    if (!r.read_varint(node) || !r.read_varint(epoch) || !r.read_varint(key.session.serial) || !r.read_varint(link) ||
        !r.read(flags) || !r.read(priority) || !r.read_varint(prefetch) || !r.read(window) ||
        !r.read_varint(consumer->next_id) || !r.read_varint(held) || held > r.remaining() ||
        held >= consumer->next_id) {
      return std::unexpected(bad_state());
    }
    key.session.node = NodeId(static_cast<std::uint32_t>(node));
    key.session.epoch = Epoch(static_cast<std::uint32_t>(epoch));
    key.link = static_cast<std::uint32_t>(link);
    consumer->no_ack = (flags & kNoAck) != 0;
    consumer->exclusive = (flags & kExclusive) != 0;
    consumer->cancelled = (flags & kCancelled) != 0;
    consumer->priority = static_cast<std::int32_t>(priority);
    consumer->prefetch = static_cast<std::uint32_t>(prefetch);
    consumer->window = static_cast<std::int64_t>(window);
    for (; held > 0; --held) {
      std::uint8_t present = 0;
      MessageRef message;
      Position zero;
      if (!r.read(present) || present > 1 || (present == 1 && !get(r, message, zero))) {
        return std::unexpected(bad_state());
      }
      consumer->held.push_back(message);
      consumer->held_count += present;
    }
    machine.unsettled_count_ += consumer->held_count;
    machine.consumer_count_ += consumer->cancelled ? 0 : 1;
    places.push_back(consumer.get());
    if (!machine.consumers_.try_emplace(key, std::move(consumer)).second) return std::unexpected(bad_state());
  }
  if (!r.read_varint(count)) return std::unexpected(bad_state());
  for (; count > 0; --count) {
    std::uint64_t place = 0;
    if (!r.read_varint(place) || place >= places.size() || places[place]->in_service) {
      return std::unexpected(bad_state());
    }
    places[place]->in_service = true;
    machine.service_[places[place]->priority].push_back(places[place]);
  }
  if (!r.done()) return std::unexpected(bad_state());
  machine.restore_live_counts();
  return machine;
}

void QueueMachine::restore_live_counts() {
  std::vector<LogIndex> indexes;
  const auto add = [&](const MessageRef& message) {
    if (message == MessageRef{}) return;
    indexes.push_back(message.position.index());
    message_bytes_ += message.body_size;
  };
  for (const MessageRef& message : ready_) add(message);
  for (const auto& [position, message] : returned_) add(message);
  for (const auto& [key, consumer] : consumers_) std::ranges::for_each(consumer->held, add);
  std::ranges::sort(indexes);
  for (const LogIndex index : indexes) count_live(index);
}

}  // namespace quorate::queue

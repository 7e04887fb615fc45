#include "broker/queue/commands.h"

#include "base/check.h"
#include "broker/queue/session_codec.h"
#include "broker/queue/settings_codec.h"

namespace quorate::queue {
namespace {

constexpr std::uint8_t kPersistentFlag = 1;
constexpr std::uint8_t kHasPriorityFlag = 2;
constexpr std::uint8_t kHasTtlFlag = 4;
constexpr std::uint8_t kNoAckFlag = 1;
constexpr std::uint8_t kExclusiveFlag = 2;
constexpr std::uint8_t kAfterCrashFlag = 1;
constexpr std::uint8_t kKeepsTransientFlag = 2;
constexpr std::uint8_t kExpiredFlag = 1;
constexpr auto kReasonMax = static_cast<std::uint8_t>(ReturnReason::late);

// Kind on the wire = place in the variant, counted from 1; a test pins the numbers.
template <class T, std::size_t Index = 0>
consteval std::uint8_t kind_of() {
  if constexpr (std::is_same_v<T, std::variant_alternative_t<Index, Command>>)
    return Index + 1;
  else
    return kind_of<T, Index + 1>();
}

constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

void head(ByteWriter& w, const Enqueue& c) {
  w.write(static_cast<std::uint8_t>((c.persistent ? kPersistentFlag : 0) | (c.has_priority ? kHasPriorityFlag : 0) |
                                    (c.ttl_ms ? kHasTtlFlag : 0)));
  w.write(c.priority);
  if (c.ttl_ms) w.write_varint(*c.ttl_ms);
  w.write_varint(c.body_size);
  w.write_varint(c.message.size());
}
void body(ByteWriter& w, const Enqueue& c) {
  head(w, c);
  w.write_bytes(c.message);
}
bool body(ByteReader& r, Enqueue& c) {
  std::uint8_t flags = 0;
  c.ttl_ms.reset();
  if (!r.read(flags) || !r.read(c.priority)) return false;
  if ((flags & kHasTtlFlag) != 0 && !r.read_varint(c.ttl_ms.emplace())) return false;
  if (!get(r, c.body_size) || !r.read_sized(c.message)) return false;
  c.persistent = (flags & kPersistentFlag) != 0;
  c.has_priority = (flags & kHasPriorityFlag) != 0;
  return c.body_size <= c.message.size();
}
void body(ByteWriter& w, const Attach& c) {
  put(w, c.consumer);
  w.write(static_cast<std::uint8_t>((c.no_ack ? kNoAckFlag : 0) | (c.exclusive ? kExclusiveFlag : 0)));
  w.write_varint(zigzag(c.priority));
  w.write_varint(c.prefetch);
  w.write_varint(c.window);
}
bool body(ByteReader& r, Attach& c) {
  std::uint8_t flags = 0;
  std::uint64_t priority = 0;
  if (!get(r, c.consumer) || !r.read(flags) || !r.read_varint(priority) || !get(r, c.prefetch) ||
      !r.read_varint(c.window)) {
    return false;
  }
  c.no_ack = (flags & kNoAckFlag) != 0;
  c.exclusive = (flags & kExclusiveFlag) != 0;
  c.priority = static_cast<std::int32_t>(unzigzag(priority));
  return c.consumer.link != kGetLink && priority <= UINT32_MAX;
}
void body(ByteWriter& w, const Cancel& c) { put(w, c.consumer); }
bool body(ByteReader& r, Cancel& c) { return get(r, c.consumer); }
void body(ByteWriter& w, const Settle& c) {
  put(w, c.consumer);
  put(w, c.ids);
}
bool body(ByteReader& r, Settle& c) { return get(r, c.consumer) && get(r, c.ids); }
void body(ByteWriter& w, const Return& c) {
  put(w, c.consumer);
  w.write(static_cast<std::uint8_t>(c.reason));
  put(w, c.ids);
}
bool body(ByteReader& r, Return& c) {
  std::uint8_t reason = 0;
  if (!get(r, c.consumer) || !r.read(reason) || reason > kReasonMax || !get(r, c.ids)) return false;
  c.reason = static_cast<ReturnReason>(reason);
  return true;
}
void body(ByteWriter& w, const Discard& c) {
  put(w, c.consumer);
  put(w, c.ids);
}
bool body(ByteReader& r, Discard& c) { return get(r, c.consumer) && get(r, c.ids); }
void body(ByteWriter& w, const Credit& c) {
  put(w, c.consumer);
  w.write_varint(c.bytes);
}
bool body(ByteReader& r, Credit& c) { return get(r, c.consumer) && r.read_varint(c.bytes); }
void body(ByteWriter& w, const Get& c) {
  put(w, c.session);
  w.write(static_cast<std::uint8_t>(c.no_ack ? kNoAckFlag : 0));
}
bool body(ByteReader& r, Get& c) {
  std::uint8_t flags = 0;
  if (!get(r, c.session) || !r.read(flags)) return false;
  c.no_ack = (flags & kNoAckFlag) != 0;
  return true;
}
void body(ByteWriter& w, const Purge& c) { put(w, c.session); }
bool body(ByteReader& r, Purge& c) { return get(r, c.session); }
void body(ByteWriter& w, const Down& c) { put(w, c.session); }
bool body(ByteReader& r, Down& c) { return get(r, c.session); }
void body(ByteWriter& w, const NodeUp& c) {
  put(w, c.node, c.epoch);
  w.write(
      static_cast<std::uint8_t>((c.after_crash ? kAfterCrashFlag : 0) | (c.keeps_transient ? kKeepsTransientFlag : 0)));
}
bool body(ByteReader& r, NodeUp& c) {
  std::uint8_t flags = 0;
  if (!get(r, c.node, c.epoch) || !r.read(flags)) return false;
  c.after_crash = (flags & kAfterCrashFlag) != 0;
  c.keeps_transient = (flags & kKeepsTransientFlag) != 0;
  return true;
}

void body(ByteWriter& w, const From& c) {
  put(w, c.session);
  w.write_varint(c.first);
  w.write_varint(c.heard);
}
bool body(ByteReader& r, From& c) {
  return get(r, c.session) && r.read_varint(c.first) && r.read_varint(c.heard) && c.first <= kNumberMax &&
         c.heard <= kNumberMax;
}
void body(ByteWriter& w, const NodeSuspected& c) { put(w, c.node, c.epoch); }
bool body(ByteReader& r, NodeSuspected& c) { return get(r, c.node, c.epoch); }
void body(ByteWriter& w, const NodeTrusted& c) { put(w, c.node, c.epoch); }
bool body(ByteReader& r, NodeTrusted& c) { return get(r, c.node, c.epoch); }
void body(ByteWriter& w, const SessionsGone& c) {
  put(w, c.node, c.below);
  w.write(static_cast<std::uint8_t>(c.expired ? kExpiredFlag : 0));
}
bool body(ByteReader& r, SessionsGone& c) {
  std::uint8_t flags = 0;
  if (!get(r, c.node, c.below) || !r.read(flags)) return false;
  c.expired = (flags & kExpiredFlag) != 0;
  return true;
}

void body(ByteWriter& w, const Configure& c) { put(w, c); }
bool body(ByteReader& r, Configure& c) { return get(r, c); }
void body(ByteWriter&, const Expire&) {}
bool body(ByteReader&, Expire&) { return true; }

template <std::size_t Index = 0>
bool decode_kind(std::uint8_t kind, ByteReader& reader, Command& command) {
  if constexpr (Index < std::variant_size_v<Command>) {
    if (kind != Index + 1) return decode_kind<Index + 1>(kind, reader, command);
    auto& alternative = command.index() == Index ? std::get<Index>(command) : command.emplace<Index>();
    return body(reader, alternative);
  } else {
    return false;
  }
}

}  // namespace

void encode_command(const Enqueue& command, std::vector<std::byte>& out) {
  ByteWriter writer(out);
  writer.write(kind_of<Enqueue>());
  body(writer, command);
}

void encode_command_head(const Enqueue& command, std::vector<std::byte>& out) {
  ByteWriter writer(out);
  writer.write(kind_of<Enqueue>());
  head(writer, command);
}

void encode_command(const Command& command, std::vector<std::byte>& out) {
  ByteWriter writer(out);
  writer.write(static_cast<std::uint8_t>(command.index() + 1));
  std::visit([&](const auto& alternative) { body(writer, alternative); }, command);
}

bool decode_command(ByteReader& reader, Command& command) {
  if (reader.failed() || reader.remaining() == 0) return false;
  std::uint8_t kind = 0;
  if (reader.read(kind) && decode_kind(kind, reader, command)) return true;
  reader.fail();
  return false;
}

Bytes message_at(const Bytes& payload, std::size_t offset) {
  if (offset >= payload.size()) return {};
  ByteReader reader(payload.view().subspan(offset));
  std::uint8_t kind = 0;
  Enqueue enqueue;
  if (!reader.read(kind) || kind != kind_of<Enqueue>() || !body(reader, enqueue)) return {};
  return payload.slice(static_cast<std::size_t>(enqueue.message.data() - payload.data()), enqueue.message.size());
}

}  // namespace quorate::queue

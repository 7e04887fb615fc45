#include "broker/queue/commands.h"

#include "base/check.h"

namespace quorate::queue {
namespace {

constexpr std::uint8_t kPersistentFlag = 1;
constexpr std::uint8_t kNoAckFlag = 1;
constexpr std::uint8_t kExclusiveFlag = 2;
constexpr std::uint8_t kAfterCrashFlag = 1;

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

/// A number that must fit where it goes: cut down it would name something else.
bool get(ByteReader& r, std::uint32_t& value) {
  std::uint64_t wide = 0;
  if (!r.read_varint(wide) || wide > UINT32_MAX) return false;
  value = static_cast<std::uint32_t>(wide);
  return true;
}

void put(ByteWriter& w, const SessionId& id) {
  w.write_varint(id.node.value());
  w.write_varint(id.epoch.value());
  w.write_varint(id.serial);
}
bool get(ByteReader& r, SessionId& id) {
  std::uint32_t node = 0;
  std::uint32_t epoch = 0;
  if (!get(r, node) || !get(r, epoch) || !r.read_varint(id.serial)) return false;
  id.node = NodeId(node);
  id.epoch = Epoch(epoch);
  return true;
}
void put(ByteWriter& w, const ConsumerKey& key) {
  put(w, key.session);
  w.write_varint(key.link);
}
bool get(ByteReader& r, ConsumerKey& key) { return get(r, key.session) && get(r, key.link); }
void put(ByteWriter& w, const std::vector<IdRange>& ids) {
  w.write_varint(ids.size());
  for (const IdRange& range : ids) {
    w.write_varint(range.first);
    w.write_varint(range.last - range.first);
  }
}
bool get(ByteReader& r, std::vector<IdRange>& ids) {
  std::uint64_t count = 0;
  if (!r.read_varint(count) || count > r.remaining()) return false;
  ids.clear();
  ids.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    IdRange range;
    std::uint64_t more = 0;
    if (!r.read_varint(range.first) || !r.read_varint(more)) return false;
    range.last = range.first + more;
    if (range.last < range.first) return false;
    ids.push_back(range);
  }
  return true;
}

void head(ByteWriter& w, const Enqueue& c) {
  w.write(static_cast<std::uint8_t>(c.persistent ? kPersistentFlag : 0));
  w.write(c.priority);
  w.write_varint(c.body_size);
  w.write_varint(c.message.size());
}
void body(ByteWriter& w, const Enqueue& c) {
  head(w, c);
  w.write_bytes(c.message);
}
bool body(ByteReader& r, Enqueue& c) {
  std::uint8_t flags = 0;
  if (!r.read(flags) || !r.read(c.priority) || !get(r, c.body_size) || !r.read_sized(c.message)) return false;
  c.persistent = (flags & kPersistentFlag) != 0;
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
  if (!get(r, c.consumer) || !r.read(reason) || reason > 1 || !get(r, c.ids)) return false;
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
  w.write_varint(c.node.value());
  w.write_varint(c.epoch.value());
  w.write(static_cast<std::uint8_t>(c.after_crash ? kAfterCrashFlag : 0));
}
bool body(ByteReader& r, NodeUp& c) {
  std::uint32_t node = 0;
  std::uint32_t epoch = 0;
  std::uint8_t flags = 0;
  if (!get(r, node) || !get(r, epoch) || !r.read(flags)) return false;
  c = {.node = NodeId(node), .epoch = Epoch(epoch), .after_crash = (flags & kAfterCrashFlag) != 0};
  return true;
}

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

#include "broker/message/message.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/cursor.h"

namespace quorate {
namespace {

constexpr std::size_t kNameMaxBytes = 255;
constexpr std::size_t kVarintMaxBytes = 10;

struct Layout {
  std::uint32_t properties_at = 0;
  std::uint32_t body_at = 0;
};

bool read_short(ByteReader& reader, ByteView& out) {
  std::uint8_t size = 0;
  return reader.read(size) && reader.read_bytes(size, out);
}

bool read_layout(ByteView encoded, Layout& layout) {
  ByteReader reader(encoded);
  ByteView exchange;
  ByteView routing_key;
  ByteView properties;
  if (!read_short(reader, exchange) || !read_short(reader, routing_key) || !reader.read_sized(properties)) return false;
  layout.body_at = static_cast<std::uint32_t>(encoded.size() - reader.remaining());
  layout.properties_at = static_cast<std::uint32_t>(layout.body_at - properties.size());
  return true;
}

std::byte* put(std::byte* to, ByteView bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

std::byte* put_short(std::byte* to, std::string_view text) {
  *to = static_cast<std::byte>(text.size());
  return put(to + 1, as_bytes(text));
}

/// The text whose size stands in the octet at `offset`.
std::string_view short_at(ByteView encoded, std::size_t offset) {
  return as_text(encoded.subspan(offset + 1, static_cast<std::size_t>(encoded[offset])));
}

std::size_t put_varint(std::byte* to, std::uint64_t value) {
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) to[size++] = static_cast<std::byte>(value | 0x80);
  to[size++] = static_cast<std::byte>(value);
  return size;
}

}  // namespace

Result<Message> Message::parse(Bytes encoded) {
  Layout layout;
  if (encoded.size() > UINT32_MAX || !read_layout(encoded.view(), layout)) {
    return failure(ErrorCode::corruption, "a stored message is cut short or malformed");
  }
  Message message;
  message.encoded_ = std::move(encoded);
  message.properties_at_ = layout.properties_at;
  message.body_at_ = layout.body_at;
  return message;
}

std::string_view Message::exchange() const { return encoded_.empty() ? "" : short_at(encoded_.view(), 0); }

std::string_view Message::routing_key() const {
  return encoded_.empty() ? "" : short_at(encoded_.view(), 1 + exchange().size());
}

ByteView Message::properties() const { return encoded_.view().subspan(properties_at_, body_at_ - properties_at_); }

ByteView Message::body() const { return encoded_.view().subspan(body_at_); }

MessageBuilder::MessageBuilder(std::string_view exchange, std::string_view routing_key, ByteView properties,
                               std::uint64_t body_size) {
  CHECK_LE(exchange.size(), kNameMaxBytes);
  CHECK_LE(routing_key.size(), kNameMaxBytes);
  std::byte size_octets[kVarintMaxBytes];
  const std::size_t size_octet_count = put_varint(size_octets, properties.size());
  const std::uint64_t properties_at = 2 + exchange.size() + routing_key.size() + size_octet_count;
  total_size_ = properties_at + properties.size() + body_size;
  CHECK_LE(total_size_, std::uint64_t{UINT32_MAX});
  properties_at_ = static_cast<std::uint32_t>(properties_at);
  body_at_ = static_cast<std::uint32_t>(properties_at + properties.size());
  filled_ = body_at_;
  memory_ = Bytes::allocate(std::min<std::uint64_t>(total_size_, std::max<std::uint64_t>(body_at_, kUpFrontBytes)));
  std::byte* at = put_short(memory_.mutable_data(), exchange);
  at = put_short(at, routing_key);
  at = put(at, {size_octets, size_octet_count});
  at = put(at, properties);
  CHECK_EQ(at - memory_.mutable_data(), std::ptrdiff_t{body_at_});
}

void MessageBuilder::append_body(ByteView part) {
  CHECK_LE(part.size(), body_missing());
  const std::uint64_t needed = filled_ + part.size();
  if (needed > memory_.size()) {
    Bytes larger = Bytes::allocate(std::min(total_size_, std::max(needed, 2 * std::uint64_t{memory_.size()})));
    put(larger.mutable_data(), memory_.view().first(filled_));
    memory_ = std::move(larger);
  }
  put(memory_.mutable_data() + filled_, part);
  filled_ = needed;
}

Message MessageBuilder::finish() {
  CHECK_EQ(body_missing(), 0u);
  CHECK_EQ(memory_.size(), total_size_);
  Message message;
  message.encoded_ = std::move(memory_);
  message.properties_at_ = properties_at_;
  message.body_at_ = body_at_;
  *this = MessageBuilder();
  return message;
}

Message make_message(std::string_view exchange, std::string_view routing_key, ByteView properties, ByteView body) {
  MessageBuilder builder(exchange, routing_key, properties, body.size());
  builder.append_body(body);
  return builder.finish();
}

}  // namespace quorate

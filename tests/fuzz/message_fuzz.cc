// Any bytes as a stored message: either corrupt, or all of its parts lie inside it.
#include "base/check.h"
#include "broker/message/message.h"

using namespace quorate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto message = Message::parse(Bytes::copy_of(bytes));
  if (!message) {
    CHECK(message.error().code == ErrorCode::corruption);
    return 0;
  }
  const Message again =
      make_message(message->exchange(), message->routing_key(), message->properties(), message->body());
  CHECK_LE(again.encoded().size(), size);  // smaller if the varint was longer than need be
  CHECK(again.exchange() == message->exchange());
  CHECK(again.routing_key() == message->routing_key());
  CHECK(as_text(again.properties()) == as_text(message->properties()));
  CHECK(as_text(again.body()) == as_text(message->body()));
  return 0;
}

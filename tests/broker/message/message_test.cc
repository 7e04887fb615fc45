// Message: one piece of memory from the socket to the log and back.
#include "broker/message/message.h"

#include <gtest/gtest.h>

#include <string>

namespace quorate {
namespace {

Message sample() { return make_message("exchange", "routing.key", as_bytes("properties"), as_bytes("body")); }

Bytes cut(const Message& message, std::size_t size) { return Bytes::copy_of(message.encoded().view().first(size)); }

TEST(Message, PartsAreFoundInTheEncodedWhole) {
  const Message message = sample();
  EXPECT_EQ(message.exchange(), "exchange");
  EXPECT_EQ(message.routing_key(), "routing.key");
  EXPECT_EQ(as_text(message.properties()), "properties");
  EXPECT_EQ(as_text(message.body()), "body");
  EXPECT_EQ(message.encoded().text(),
            "\x08"
            "exchange"
            "\x0b"
            "routing.key"
            "\x0a"
            "propertiesbody");
}

TEST(Message, IsReadBackFromItsBytes) {
  const Message message = sample();
  const auto parsed = Message::parse(Bytes::copy_of(message.encoded().view()));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, message);
  EXPECT_EQ(as_text(parsed->body()), "body");
}

TEST(Message, CutBeforeTheBodyIsCorrupt) {
  const Message message = sample();
  const std::size_t body_at = message.encoded().size() - message.body().size();
  for (std::size_t size = 0; size < body_at; ++size) {
    const auto parsed = Message::parse(cut(message, size));
    ASSERT_FALSE(parsed.has_value()) << size;
    EXPECT_EQ(parsed.error().code, ErrorCode::corruption);
  }
  EXPECT_TRUE(Message::parse(cut(message, body_at)).has_value());  // a shorter body is a body: the log checks sizes
}

TEST(Message, CopiesShareTheBytes) {
  const Message message = sample();
  const Message copy = message;
  EXPECT_EQ(copy.encoded().data(), message.encoded().data());
  EXPECT_LE(sizeof(Message), 32u);
}

TEST(Message, DefaultHasNothing) {
  const Message message;
  EXPECT_EQ(message.exchange(), "");
  EXPECT_EQ(message.routing_key(), "");
  EXPECT_TRUE(message.properties().empty());
  EXPECT_TRUE(message.body().empty());
}

TEST(Message, LongNamesAndPropertiesKeepTheirSizes) {
  const std::string name(255, 'n');
  const std::string properties(100'000, 'p');
  const Message message = make_message(name, name, as_bytes(properties), {});
  EXPECT_EQ(message.exchange(), name);
  EXPECT_EQ(message.routing_key(), name);
  EXPECT_EQ(as_text(message.properties()), properties);
  EXPECT_TRUE(message.body().empty());
}

}  // namespace
}  // namespace quorate

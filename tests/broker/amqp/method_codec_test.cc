// Methods as bytes and as text: every one goes both ways and survives being cut anywhere.
#include "broker/amqp/method_codec.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/broker/amqp/every_method.h"

namespace quorate::amqp {
namespace {

std::vector<std::byte> encoded(const Method& method) {
  std::vector<std::byte> out;
  encode_method(method, out);
  return out;
}

std::vector<std::byte> octets(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(MethodCodec, EveryMethodIsReadAsItWasWritten) {
  for_each_method([](const Method& method) {
    const auto payload = encoded(method);
    const auto decoded = decode_method(payload);
    ASSERT_TRUE(decoded.has_value()) << method_name(method);
    EXPECT_EQ(decoded->index(), method.index()) << method_name(method);
    EXPECT_EQ(encoded(*decoded), payload) << method_name(method);
    EXPECT_EQ(print(*decoded), print(method));
  });
}

TEST(MethodCodec, EveryMethodCutAtEveryByteIsTruncated) {
  for_each_method([](const Method& method) {
    const auto payload = encoded(method);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      const std::vector<std::byte> cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
      const auto decoded = decode_method(cut);
      ASSERT_FALSE(decoded.has_value()) << method_name(method) << " cut to " << size;
      EXPECT_EQ(decoded.error().kind, MethodError::Kind::truncated) << method_name(method);
    }
  });
}

TEST(MethodCodec, EveryMethodWithAnOctetTooManyIsRefused) {
  for_each_method([](const Method& method) {
    auto payload = encoded(method);
    payload.push_back(std::byte{0});
    const auto decoded = decode_method(payload);
    ASSERT_FALSE(decoded.has_value()) << method_name(method);
    EXPECT_EQ(decoded.error(), (MethodError{MethodError::Kind::trailing_bytes, full_id(method)}));
  });
}

TEST(MethodCodec, EveryMethodIsReadBackFromItsText) {
  for_each_method([](const Method& method) {
    const auto parsed = parse_method(print(method));
    ASSERT_TRUE(parsed.has_value()) << print(method) << ": " << parsed.error();
    EXPECT_EQ(print(parsed->method()), print(method));
    EXPECT_TRUE(parsed->others.empty()) << print(method);
  });
}

TEST(MethodCodec, UnknownMethodIsNamedByItsId) {  // P046
  const auto decoded = decode_method(octets({0, 60, 0, 99}));
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error(), (MethodError{MethodError::Kind::unknown_method, (60u << 16) | 99u}));
  EXPECT_EQ(to_amqp_error(decoded.error()).reply_text(), "NOT_IMPLEMENTED - unknown method {60,99}");
}

TEST(MethodCodec, NeighbouringBitsShareAnOctetFromTheLowest) {
  const Method method = QueueDeclare{.queue = "q", .durable = true, .no_wait = true};
  EXPECT_EQ(encoded(method), octets({0, 50, 0, 10, 0, 0, 1, 'q', 0b10010, 0, 0, 0, 0}));
}

TEST(MethodCodec, PrintsWhatIsSet) {
  const Method publish = BasicPublish{.exchange = "amq.direct", .routing_key = "nowhere", .mandatory = true};
  EXPECT_EQ(print(publish), "basic.publish exchange=amq.direct routing_key=nowhere mandatory=true");
  EXPECT_EQ(print(BasicAck{.delivery_tag = 0}), "basic.ack delivery_tag=0");
  EXPECT_EQ(print(ChannelClose{.reply_code = 404, .reply_text = "NOT_FOUND - no queue 'q'", .class_id = 50}),
            "channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'q'\" class_id=50 method_id=0");
  EXPECT_EQ(print(QueueDeclare{.queue = "q", .arguments = sample_table()}),
            "queue.declare queue=q arguments={x-max-length=10,x-mode=\"a b\"}");
}

TEST(MethodCodec, PrintsATableItCannotReadAsMalformed) {
  const auto garbage = octets({1, 'a', '?'});
  EXPECT_EQ(print(QueueDeclare{.arguments = garbage}), "queue.declare arguments=malformed");
}

TEST(MethodCodec, ParsesTranscriptLines) {
  const auto parsed = parse_method("basic.publish exchange=amq.direct routing_key=\"a b\" mandatory=true body=hi");
  ASSERT_TRUE(parsed.has_value()) << parsed.error();
  const auto publish = std::get<BasicPublish>(parsed->method());
  EXPECT_EQ(publish.exchange.text, "amq.direct");
  EXPECT_EQ(publish.routing_key.text, "a b");
  EXPECT_TRUE(publish.mandatory);
  EXPECT_FALSE(publish.immediate);
  EXPECT_EQ(parsed->others, (std::vector<Assignment>{{.name = "body", .value = "hi"}}));
}

TEST(MethodCodec, RefusesTextThatIsNoMethod) {
  const auto error = [](std::string_view text) {
    const auto parsed = parse_method(text);
    return parsed ? "accepted" : parsed.error();
  };
  EXPECT_EQ(error("basic.pubish"), "'basic.pubish' is no method");
  EXPECT_EQ(error(""), "'' is no method");
  EXPECT_EQ(error("basic.ack delivery_tag"), "'delivery_tag' is not of the form name=value");
  EXPECT_EQ(error("basic.ack delivery_tag=-1"), "basic.ack delivery_tag: '-1' is no number of 64 bits");
  EXPECT_EQ(error("basic.ack multiple=yes"), "basic.ack multiple: expected true or false");
  EXPECT_EQ(error("queue.declare arguments={a"), "queue.declare arguments: '=' is missing after 'a'");
  EXPECT_EQ(error("queue.declare queue=" + std::string(256, 'q')), "queue.declare queue: longer than 255 octets");
}

TEST(MethodCodec, ReferencePageIsWhatTheRowsPrint) {
  std::ifstream file(QUORATE_SOURCE_DIR "/docs/reference/methods.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), print_method_reference());
}

}  // namespace
}  // namespace quorate::amqp

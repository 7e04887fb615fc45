// Publishes put together from frames, and the errors of features.md P043.
#include "broker/amqp/content.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/amqp/properties.h"

namespace quorate::amqp {
namespace {

constexpr std::uint32_t kPublish = MethodInfo<BasicPublish>::id;

/// An assembler and the frames that a client would send.
class ContentAssemblerTest : public testing::Test {
 protected:
  using Outcome = std::expected<std::optional<Publication>, AmqpError>;

  void publish() { assembler_.begin(BasicPublish{.exchange = "x", .routing_key = "k", .mandatory = true}); }

  Outcome header(std::uint64_t body_size, std::uint16_t class_id = 60) {
    buffer_.clear();
    append_content_header(buffer_, ChannelId{1}, class_id, body_size, properties_);
    return feed();
  }
  Outcome body(std::string_view text) {
    buffer_.clear();
    append_frame_header(buffer_, FrameType::body, ChannelId{1}, static_cast<std::uint32_t>(text.size()));
    for (const char octet : text) buffer_.push_back(static_cast<std::byte>(octet));
    buffer_.push_back(kFrameEnd);
    return feed();
  }
  Outcome method() {
    buffer_.clear();
    append_method_frame(buffer_, ChannelId{1}, BasicAck{});
    return feed();
  }
  static std::string error(const Outcome& outcome) { return outcome ? "no error" : outcome.error().reply_text(); }

  Outcome feed() {
    ByteView input = buffer_;
    FrameDecoder decoder;
    decoder.set_frame_max(0);
    const Frame frame = std::get<Frame>(decoder.next(input));
    Outcome outcome = assembler_.on(frame);
    std::ranges::fill(buffer_, std::byte{0xEE});  // what was borrowed is gone now
    return outcome;
  }

  ContentAssembler assembler_;
  std::vector<std::byte> properties_ = encode_properties(Properties{.delivery_mode = std::uint8_t{2}});
  std::vector<std::byte> buffer_;
};

TEST_F(ContentAssemblerTest, HeaderAndBodiesBecomeOneMessage) {
  publish();
  EXPECT_FALSE(assembler_.is_idle());
  EXPECT_FALSE(header(11)->has_value());
  EXPECT_FALSE(body("hello ")->has_value());
  const auto whole = body("world");
  ASSERT_TRUE(whole.has_value() && whole->has_value());
  const Publication& publication = **whole;
  EXPECT_EQ(publication.message.exchange(), "x");
  EXPECT_EQ(publication.message.routing_key(), "k");
  EXPECT_EQ(as_text(publication.message.body()), "hello world");
  EXPECT_EQ(as_text(publication.message.properties()), as_text(properties_));
  EXPECT_TRUE(publication.mandatory);
  EXPECT_FALSE(publication.immediate);
  EXPECT_TRUE(assembler_.is_idle());
}

TEST_F(ContentAssemblerTest, EmptyBodyNeedsNoBodyFrame) {  // P043
  publish();
  const auto whole = header(0);
  ASSERT_TRUE(whole.has_value() && whole->has_value());
  EXPECT_TRUE((**whole).message.body().empty());
  EXPECT_TRUE(assembler_.is_idle());
}

TEST_F(ContentAssemblerTest, EmptyBodyFramesAreTolerated) {
  publish();
  EXPECT_FALSE(header(2)->has_value());
  EXPECT_FALSE(body("")->has_value());
  EXPECT_TRUE(body("ab")->has_value());
}

TEST_F(ContentAssemblerTest, ABodyBeyondTheUpFrontSizeArrivesWhole) {
  const std::string part(700'000, 'p');
  publish();
  EXPECT_FALSE(header(4 * part.size())->has_value());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(body(part)->has_value());
  const auto whole = body(part);
  ASSERT_TRUE(whole.has_value() && whole->has_value());
  EXPECT_EQ(as_text((**whole).message.body()), part + part + part + part);
}

TEST_F(ContentAssemblerTest, AHugeAnnouncedSizeCostsNothing) {
  publish();
  EXPECT_FALSE(header(limits::kBodySizeMaxBytes)->has_value());
  EXPECT_FALSE(body("a little")->has_value());
}

TEST_F(ContentAssemblerTest, ContentWithoutMethod) {  // P043
  const auto outcome = body("x");
  EXPECT_EQ(error(outcome), "UNEXPECTED_FRAME - expected method frame, got non method frame instead");
  EXPECT_EQ(outcome.error().method_id, 0u);
}

TEST_F(ContentAssemblerTest, HeaderOfAnotherClass) {  // P043
  publish();
  const auto outcome = header(1, 50);
  EXPECT_EQ(error(outcome), "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead");
  EXPECT_EQ(outcome.error().method_id, kPublish);
}

TEST_F(ContentAssemblerTest, MethodOrBodyInsteadOfHeader) {  // P043
  const std::string expected =
      "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead";
  publish();
  EXPECT_EQ(error(method()), expected);
  EXPECT_EQ(error(body("x")), expected);
}

TEST_F(ContentAssemblerTest, MethodInsteadOfBody) {  // P043
  publish();
  EXPECT_FALSE(header(1)->has_value());
  EXPECT_EQ(error(method()), "UNEXPECTED_FRAME - expected content body, got non content body frame instead");
}

TEST_F(ContentAssemblerTest, BodyLongerThanAnnounced) {  // P043
  publish();
  EXPECT_FALSE(header(1)->has_value());
  EXPECT_EQ(error(body("ab")), "FRAME_ERROR - content body frame exceeds remaining content size");
}

TEST_F(ContentAssemblerTest, AnnouncedSizeBeyondTheLargest) {  // P043
  publish();
  EXPECT_EQ(error(header(limits::kBodySizeMaxBytes + 1)),
            "FRAME_ERROR - content body size 536870913 exceeds maximum allowed size 536870912");
}

}  // namespace
}  // namespace quorate::amqp

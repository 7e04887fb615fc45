// The outbox keeps frames in order, copies what is small and borrows what is large.
#include "broker/amqp/outbox.h"

#include <gtest/gtest.h>

#include <string>

#include "broker/amqp/content.h"
#include "broker/amqp/properties.h"

namespace quorate::amqp {
namespace {

constexpr std::uint32_t kFrameMax = 4096;
constexpr ChannelId kChannel{7};

Message message_of(std::size_t body_size) {
  std::string body(body_size, 'b');
  for (std::size_t i = 0; i < body.size(); i += 100) body[i] = static_cast<char>('a' + i / 100 % 26);
  return make_message("e", "k", encode_properties(Properties{}), as_bytes(body));
}

class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest() { outbox_.set_frame_max(kFrameMax); }

  std::vector<std::byte> written() {
    OutboxBatch batch;
    outbox_.take(batch);
    std::vector<std::byte> bytes;
    batch.for_each_piece([&](ByteView piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); });
    EXPECT_EQ(bytes.size(), batch.size);
    return bytes;
  }
  /// The frames as their types, and the bodies put together.
  std::string frames(ByteView bytes) {
    const FrameDecoder decoder(kFrameMax);
    std::string types;
    body_.clear();
    while (!bytes.empty()) {
      const FrameResult result = decoder.next(bytes);
      const auto* frame = std::get_if<Frame>(&result);
      if (frame == nullptr) return types + "?";
      types += "?MHB????h"[static_cast<std::size_t>(frame->type)];
      if (frame->type == FrameType::body) body_ += as_text(frame->payload);
    }
    return types;
  }

  Outbox outbox_;
  std::string body_;
};

TEST_F(OutboxTest, IsEmptyUntilSomethingIsSaid) {
  EXPECT_TRUE(outbox_.empty());
  EXPECT_EQ(outbox_.size(), 0u);
  outbox_.heartbeat();
  EXPECT_FALSE(outbox_.empty());
  EXPECT_EQ(written().size(), 8u);
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, AnEmptyBodyHasNoFrame) {
  outbox_.content(kChannel, message_of(0));
  EXPECT_EQ(frames(written()), "H");
}

TEST_F(OutboxTest, ASmallBodyIsCopied) {
  outbox_.content(kChannel, message_of(100));
  OutboxBatch batch;
  outbox_.take(batch);
  EXPECT_TRUE(batch.cuts.empty());
  EXPECT_EQ(frames(batch.buffer), "HB");
  EXPECT_EQ(body_.size(), 100u);
}

TEST_F(OutboxTest, ALargeBodyIsBorrowedAndCutAtTheFrameMaximum) {
  const Message message = message_of(20'000);
  outbox_.method(kChannel, BasicGetEmpty{});
  outbox_.content(kChannel, message);
  outbox_.heartbeat();
  const std::size_t announced = outbox_.size();
  OutboxBatch batch;
  outbox_.take(batch);
  EXPECT_EQ(batch.size, announced);
  ASSERT_EQ(batch.cuts.size(), 5u);
  EXPECT_EQ(batch.cuts.front().body.data(), message.body().data());  // where it lies, not a copy
  std::vector<std::byte> bytes;
  batch.for_each_piece([&](ByteView piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); });
  EXPECT_EQ(frames(bytes), "MHBBBBBh");
  EXPECT_EQ(body_, as_text(message.body()));
}

TEST_F(OutboxTest, SizesAroundTheBorderComeOutWhole) {
  for (std::size_t size : {1u, 4087u, 4088u, 4089u, 8191u, 8192u, 8193u, 8176u, 16'352u, 16'353u}) {
    const Message message = message_of(size);
    outbox_.content(kChannel, message);
    outbox_.content(kChannel, message);
    const std::vector<std::byte> bytes = written();
    frames(bytes);
    EXPECT_EQ(body_, std::string(as_text(message.body())) + std::string(as_text(message.body()))) << size;
  }
}

TEST_F(OutboxTest, TakingGivesBackTheMemoryOfTheLastBatch) {
  OutboxBatch batch;
  outbox_.heartbeat();
  outbox_.take(batch);
  const std::byte* memory = batch.buffer.data();
  OutboxBatch second;
  outbox_.take(second);
  outbox_.take(batch);
  outbox_.heartbeat();
  OutboxBatch third;
  outbox_.take(third);
  EXPECT_EQ(third.buffer.data(), memory);
}

}  // namespace
}  // namespace quorate::amqp

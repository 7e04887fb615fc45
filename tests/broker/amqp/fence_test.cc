// A client that uses on this node what was declared on another, of which this one has not heard yet.
#include <gtest/gtest.h>

#include "broker/amqp/method_codec.h"
#include "broker/amqp/properties.h"
#include "tests/fuzz/plain_surroundings.h"

namespace quorate::amqp {
namespace {

class Fence : public testing::Test {
 protected:
  Fence() {
    offer(login_bytes());
    answer();
    heard();
  }
  ~Fence() override {
    session_.on_disconnected();
    session_.flush();
  }

  void send(const Method& method) {
    std::vector<std::byte> bytes;
    append_method_frame(bytes, ChannelId(1), method);
    offer(bytes);
  }
  void publish(std::string_view exchange, std::string_view routing_key, std::string_view body) {
    send(BasicPublish{.exchange = exchange, .routing_key = routing_key});
    std::vector<std::byte> bytes;
    append_content_header(bytes, ChannelId(1), 60, body.size(), encode_properties(Properties{}));
    append_body_frames(bytes, ChannelId(1), as_bytes(body), 8192);
    offer(bytes);
  }
  void answer() {
    while (surroundings_.answer(session_)) session_.flush();
  }
  /// The methods that the client has got since it last looked.
  std::vector<std::string> heard() {
    session_.flush();
    OutboxBatch batch;
    session_.outbox().take(batch);
    std::vector<std::string> methods;
    ByteView rest(batch.buffer);
    while (!rest.empty()) {
      const FrameResult result = FrameDecoder(0).next(rest);
      const auto& frame = std::get<Frame>(result);
      if (frame.type == FrameType::method) methods.push_back(print(*decode_method(frame.payload)));
    }
    return methods;
  }
  using Lines = std::vector<std::string>;

  SessionOptions options_{.frame_max_bytes = 8192, .channel_max = 10};
  PlainSurroundings surroundings_;
  Session session_{options_, Peer{.name = "test", .is_loopback = true}, surroundings_, Instant{}};

 private:
  void offer(ByteView bytes) { EXPECT_EQ(session_.on_bytes(bytes, Instant{}), bytes.size()); }
};

const cluster::MetadataCommand kDeclareQueue =
    cluster::DeclareQueue{.queue = {.vhost = "/", .name = "q", .durable = true}, .nodes = {NodeId(1)}};
const cluster::MetadataCommand kDeclareExchange =
    cluster::DeclareExchange{.exchange = {.vhost = "/", .name = "e", .type = "fanout", .durable = true}};

TEST_F(Fence, WhatIsNotKnownYetIsLookedUpOnceMore) {
  surroundings_.do_elsewhere(kDeclareQueue);
  send(QueueDeclare{.queue = "q", .passive = true});
  send(BasicQos{});
  EXPECT_EQ(heard(), Lines{});  // the second request waits its turn
  answer();
  EXPECT_EQ(heard(), (Lines{"queue.declare-ok queue=q message_count=0 consumer_count=0", "basic.qos-ok"}));
}

TEST_F(Fence, WhatIsNowhereIsRefusedOnce) {
  send(QueueDeclare{.queue = "q", .passive = true});
  answer();
  EXPECT_EQ(heard(), Lines{"channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'q' in vhost '/'\" "
                           "class_id=50 method_id=10"});
}

TEST_F(Fence, APublicationIsKeptUntilItsExchangeIsKnown) {
  surroundings_.do_elsewhere(kDeclareExchange);
  send(ConfirmSelect{});
  publish("e", "", "first");
  publish("e", "", "second");
  answer();
  EXPECT_EQ(heard(), (Lines{"confirm.select-ok", "basic.ack delivery_tag=1", "basic.ack delivery_tag=2"}));
  publish("f", "", "third");
  answer();
  EXPECT_EQ(heard(), Lines{"channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'f' in vhost '/'\" "
                           "class_id=60 method_id=40"});
}

TEST_F(Fence, APublicationIsKeptUntilItIsCertainThatNoQueueWantsIt) {
  send(ConfirmSelect{});
  surroundings_.do_elsewhere(kDeclareQueue);
  publish("", "q", "first");
  EXPECT_EQ(heard(), Lines{"confirm.select-ok"});
  answer();
  EXPECT_EQ(heard(), Lines{"basic.ack delivery_tag=1"});
  EXPECT_EQ(surroundings_.published_count(), 1u);
  publish("", "nobody", "second");
  answer();
  EXPECT_EQ(heard(), Lines{"basic.ack delivery_tag=2"});
  EXPECT_EQ(surroundings_.published_count(), 1u);
}

TEST_F(Fence, OneLookServesAllThatCameBeforeIt) {
  send(ConfirmSelect{});
  for (int i = 0; i < 1000; ++i) publish("", "nobody", "x");
  answer();
  EXPECT_EQ(heard(),
            (Lines{"confirm.select-ok", "basic.ack delivery_tag=1", "basic.ack delivery_tag=1000 multiple=true"}));
  EXPECT_EQ(surroundings_.fence_count(), 2u);
  publish("", "nobody", "x");
  answer();
  EXPECT_EQ(surroundings_.fence_count(), 3u);
}

TEST_F(Fence, AQueueThatWasDeletedElsewhereIsDeclaredAnew) {
  send(QueueDeclare{.queue = "q", .durable = true});
  answer();
  heard();
  const GroupId before = surroundings_.topology()->find_queue("/", "q")->id;
  surroundings_.do_elsewhere(cluster::DeleteQueue{.id = before});
  send(QueueDeclare{.queue = "q", .durable = true});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.declare-ok queue=q message_count=0 consumer_count=0"});
  EXPECT_NE(surroundings_.topology()->find_queue("/", "q")->id, before);
}

TEST_F(Fence, AQueueThatIsNotKnownYetIsDeleted) {
  surroundings_.do_elsewhere(kDeclareQueue);
  send(QueueDelete{.queue = "q"});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.delete-ok message_count=0"});
  EXPECT_EQ(surroundings_.topology()->find_queue("/", "q"), nullptr);
  send(QueueDelete{.queue = "q"});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.delete-ok message_count=0"});
}

TEST_F(Fence, AChannelMayEndWhileItWaits) {
  send(QueueDeclare{.queue = "q", .passive = true});
  session_.on_disconnected();
  answer();
  EXPECT_EQ(session_.channel_count(), 0u);
}

}  // namespace
}  // namespace quorate::amqp

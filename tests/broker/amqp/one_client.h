// One client with channel 1 open, and a world that answers when a test says so.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "broker/amqp/method_codec.h"
#include "broker/amqp/properties.h"
#include "tests/fuzz/plain_surroundings.h"

namespace quorate::amqp {

class OneClient : public testing::Test {
 protected:
  /// `properties`: what it says of itself, encoded.
  explicit OneClient(const std::vector<std::byte>& properties = {}) {
    offer(login_bytes(properties));
    answer();
    heard();
  }
  ~OneClient() override {
    session_.on_disconnected();
    session_.flush();
  }

  void send(const Method& method) {
    std::vector<std::byte> bytes;
    append_method_frame(bytes, ChannelId(1), method);
    offer(bytes);
  }
  void publish(std::string_view exchange, std::string_view routing_key, std::string_view body,
               const Properties& properties = {}) {
    send(BasicPublish{.exchange = exchange, .routing_key = routing_key});
    std::vector<std::byte> bytes;
    append_content_header(bytes, ChannelId(1), 60, body.size(), encode_properties(properties));
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

}  // namespace quorate::amqp

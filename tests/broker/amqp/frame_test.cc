// Frames from bytes that arrive in any pieces, and RabbitMQ's words for broken ones (features.md P001-P005, P018,
// P040-P042).
#include "broker/amqp/frame.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/amqp/method_codec.h"

namespace quorate::amqp {
namespace {

std::vector<std::byte> octets(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

std::vector<std::byte> raw_frame(int type, int channel, std::string_view payload, int end = 0xCE) {
  std::vector<std::byte> out;
  append_frame_header(out, static_cast<FrameType>(type), ChannelId(static_cast<std::uint16_t>(channel)),
                      static_cast<std::uint32_t>(payload.size()));
  for (const char octet : payload) out.push_back(static_cast<std::byte>(octet));
  out.push_back(static_cast<std::byte>(end));
  return out;
}

/// The reply to a broken frame, or "" if it is a good or unfinished one.
std::string complaint(const std::vector<std::byte>& bytes, FrameDecoder decoder = FrameDecoder()) {
  ByteView input = bytes;
  const FrameResult result = decoder.next(input);
  const auto* error = std::get_if<FrameError>(&result);
  return error == nullptr ? "" : to_amqp_error(*error).reply_text();
}

/// method, header, two bodies and a heartbeat.
std::vector<std::byte> conversation() {
  std::vector<std::byte> out;
  const ChannelId channel{7};
  append_method_frame(out, channel, BasicPublish{.exchange = "x", .routing_key = "k"});
  append_content_header(out, channel, 60, 5000, octets(std::string_view("\0\0", 2)));
  append_body_frames(out, channel, std::vector<std::byte>(5000, std::byte{'b'}), limits::kFrameMinBytes);
  append_heartbeat_frame(out);
  return out;
}

TEST(Frame, WholeFramesAreTakenOffTheInputOneByOne) {
  const auto bytes = conversation();
  ByteView input = bytes;
  const FrameDecoder decoder;
  std::string seen;
  while (!input.empty()) {
    const Frame frame = std::get<Frame>(decoder.next(input));
    seen += fmt::format("{}:{}:{} ", static_cast<int>(frame.type), frame.channel.value(), frame.payload.size());
  }
  EXPECT_EQ(seen, "1:7:11 2:7:14 3:7:4088 3:7:912 8:0:0 ");
}

TEST(Frame, InputCutAtEveryByteAsksForMoreAndIsLeftAlone) {
  const auto bytes = conversation();
  const FrameDecoder decoder;
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    ByteView input = ByteView(bytes).first(cut);
    std::size_t taken = 0;
    FrameResult result = decoder.next(input);
    for (; std::holds_alternative<Frame>(result); result = decoder.next(input)) {
      taken = cut - input.size();
    }
    const auto* more = std::get_if<NeedMore>(&result);
    ASSERT_NE(more, nullptr) << cut;
    EXPECT_GT(more->input_size, input.size()) << cut;
    EXPECT_EQ(taken + input.size(), cut);
    ByteView whole = ByteView(bytes).subspan(taken);
    if (more->input_size > kFrameHeaderBytes) {
      ByteView exact = whole.first(more->input_size);
      EXPECT_TRUE(std::holds_alternative<Frame>(decoder.next(exact))) << cut;
      EXPECT_TRUE(exact.empty());
    }
  }
}

TEST(Frame, AnnouncedSizeBeyondFrameMaxIsRefusedBeforeThePayloadArrives) {  // P040
  FrameDecoder decoder(8192);
  std::vector<std::byte> bytes;
  append_frame_header(bytes, FrameType::body, ChannelId{1}, 8193);
  EXPECT_EQ(complaint(bytes, decoder), "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,8193,8184}");
}

TEST(Frame, EightOctetsBeyondFrameMaxAreTolerated) {  // P040
  EXPECT_EQ(complaint(raw_frame(3, 1, std::string(8192, 'x')), FrameDecoder(8192)), "");
}

TEST(Frame, FrameMaxZeroIsBoundedByTheLargestBody) {
  FrameDecoder decoder;
  decoder.set_frame_max(0);
  std::vector<std::byte> bytes;
  append_frame_header(bytes, FrameType::body, ChannelId{1}, kUnlimitedPayloadMaxBytes);
  EXPECT_EQ(complaint(bytes, decoder), "");
  bytes.clear();
  append_frame_header(bytes, FrameType::body, ChannelId{1}, kUnlimitedPayloadMaxBytes + 1);
  EXPECT_EQ(complaint(bytes, decoder),
            "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,536870913,536870912}");
}

TEST(Frame, BadEndOctetIsReportedWithThePayload) {  // P041
  EXPECT_EQ(complaint(raw_frame(3, 1, "ab\n", 7)),
            "FRAME_ERROR - type 3, all octets = <<\"ab\\n\">>: {invalid_frame_end_marker,7}");
  EXPECT_EQ(
      complaint(raw_frame(3, 1, std::string(17, '\1'), 0)),
      "FRAME_ERROR - type 3, first 16 octets = <<1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1>>: {invalid_frame_end_marker,0}");
}

TEST(Frame, UnknownTypesAndCrippledPayloadsAreUnknownFrames) {  // P042
  EXPECT_EQ(complaint(raw_frame(4, 1, "x")), "FRAME_ERROR - type 4, all octets = <<\"x\">>: unknown_frame");
  EXPECT_EQ(complaint(raw_frame(1, 1, "abc")), "FRAME_ERROR - type 1, all octets = <<\"abc\">>: unknown_frame");
  EXPECT_EQ(complaint(raw_frame(2, 1, "hello world")),
            "FRAME_ERROR - type 2, all octets = <<\"hello world\">>: unknown_frame");
  EXPECT_EQ(complaint(raw_frame(8, 0, "x")), "FRAME_ERROR - type 8, all octets = <<\"x\">>: unknown_frame");
}

TEST(Frame, HeartbeatBelongsToChannelZero) {  // P042
  EXPECT_EQ(complaint(raw_frame(8, 0, "")), "");
  EXPECT_EQ(complaint(raw_frame(8, 3, "")), "UNEXPECTED_FRAME - type 8, all octets = <<>>");
}

TEST(Frame, BodyIsSplitAtFrameMaxAndAnEmptyBodyHasNoFrame) {
  std::vector<std::byte> out;
  append_body_frames(out, ChannelId{1}, {}, 8192);
  EXPECT_TRUE(out.empty());
  const std::vector<std::byte> body(2 * 8184, std::byte{1});
  append_body_frames(out, ChannelId{1}, body, 8192);
  EXPECT_EQ(out.size(), 2u * 8192);
  out.clear();
  append_body_frames(out, ChannelId{1}, body, 0);
  EXPECT_EQ(out.size(), body.size() + kEmptyFrameBytes);
}

ProtocolHeader recognized(std::string_view text) {
  const auto bytes = octets(text);
  return recognize_protocol_header(std::span<const std::byte, kProtocolHeaderBytes>(bytes.data(), bytes.size()));
}

TEST(Frame, ProtocolHeadersAreRecognized) {
  using namespace std::string_view_literals;
  EXPECT_EQ(recognized("AMQP\0\0\x09\x01"sv), ProtocolHeader::amqp_0_9_1);                        // P001
  EXPECT_EQ(recognized("AMQP\x01\x01\0\x09"sv), ProtocolHeader::amqp_0_9);                        // P002
  EXPECT_EQ(recognized("AMQP\x03\x01\0\0"sv), ProtocolHeader::amqp_1_0_sasl);                     // P003
  EXPECT_EQ(recognized("AMQP\0\x01\0\0"sv), ProtocolHeader::amqp_1_0_plain);                      // P003
  EXPECT_EQ(recognized("AMQP\x02\x01\0\0"sv), ProtocolHeader::amqp_1_0_plain);                    // P003
  EXPECT_EQ(recognized("AMQP\0\0\x0a\0"sv), ProtocolHeader::bad_version);                         // P004
  EXPECT_EQ(recognized("AMQP\x01\x01\x08\0"sv), ProtocolHeader::not_amqp);                        // P004
  EXPECT_EQ(recognized("SSH-2.0-"sv), ProtocolHeader::not_amqp);                                  // P004
  EXPECT_EQ(recognized("GET / HT"sv), ProtocolHeader::http);                                      // P005
  EXPECT_EQ(recognized("\x16\x03\x01\x02\x00\x01\x00\x01"sv), ProtocolHeader::tls_client_hello);  // P005
}

TEST(Frame, RefusedHeadersAreToldWhatWeSpeak) {  // P003, P004
  EXPECT_EQ(as_text(refusal_bytes(ProtocolHeader::bad_version)), std::string_view("AMQP\0\0\x09\x01", 8));
  EXPECT_EQ(as_text(refusal_bytes(ProtocolHeader::not_amqp)), std::string_view("AMQP\x03\x01\0\0", 8));
  EXPECT_EQ(as_text(refusal_bytes(ProtocolHeader::http)), std::string_view("AMQP\x03\x01\0\0", 8));
  EXPECT_TRUE(is_accepted(ProtocolHeader::amqp_0_9));
  EXPECT_FALSE(is_accepted(ProtocolHeader::amqp_1_0_plain));
}

}  // namespace
}  // namespace quorate::amqp

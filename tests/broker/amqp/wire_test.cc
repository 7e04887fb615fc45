// What real clients and a real RabbitMQ said to each other, recorded byte for byte in wire/*.hex: we read each frame as
// the line above it says, and write the same bytes again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "broker/amqp/content.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/properties.h"

namespace quorate::amqp {
namespace {

/// One recorded frame, or the protocol header.
struct Recorded {
  std::string text;
  std::vector<std::byte> bytes;
};

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

/// Lines starting with '#' are for the reader, those with '=' describe the line of hex below.
std::vector<Recorded> read_recording(const std::filesystem::path& path) {
  std::vector<Recorded> frames;
  std::ifstream file(path);
  std::string text;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '=') {
      text = line.substr(2);
    } else {
      frames.push_back({.text = text, .bytes = from_hex(line)});
    }
  }
  return frames;
}

std::vector<std::filesystem::path> recordings() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(QUORATE_SOURCE_DIR "/tests/broker/amqp/wire")) {
    if (entry.path().extension() == ".hex") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

std::string print_header(const ContentHeader& header) {
  const auto properties = PropertiesView::parse(header.properties);
  if (!properties) return properties.error().text;
  const std::string printed = print(*properties);
  return fmt::format("header class={} body_size={}{}{}", header.class_id, header.body_size, printed.empty() ? "" : " ",
                     printed);
}

std::string print_payload(const Frame& frame) {
  switch (frame.type) {
    case FrameType::method: {
      const auto method = decode_method(frame.payload);
      return method ? print(*method) : "malformed method";
    }
    case FrameType::header:
      return print_header(decode_content_header(frame.payload));
    case FrameType::body:
      return fmt::format("body size={}", frame.payload.size());
    case FrameType::heartbeat:
      return "heartbeat";
  }
  return "impossible";
}

std::string print_bytes(ByteView bytes) {
  if (as_text(bytes).starts_with("AMQP")) return "protocol header 0-9-1";
  FrameDecoder decoder(131'072);
  const FrameResult result = decoder.next(bytes);
  const auto* frame = std::get_if<Frame>(&result);
  if (frame == nullptr || !bytes.empty()) return "not one frame";
  return fmt::format("{} {}", frame->channel.value(), print_payload(*frame));
}

/// The bytes that we would have sent for the same frame.
std::vector<std::byte> written_again(ByteView bytes) {
  FrameDecoder decoder(131'072);
  const Frame frame = std::get<Frame>(decoder.next(bytes));
  std::vector<std::byte> out;
  if (frame.type == FrameType::method) {
    append_method_frame(out, frame.channel, *decode_method(frame.payload));
  } else if (frame.type == FrameType::header) {
    const ContentHeader header = decode_content_header(frame.payload);
    const auto properties = encode_properties(Properties::from(*PropertiesView::parse(header.properties)));
    append_content_header(out, frame.channel, header.class_id, header.body_size, properties);
  } else if (frame.type == FrameType::body) {
    append_body_frames(out, frame.channel, frame.payload, 131'072);
  } else {
    append_heartbeat_frame(out);
  }
  return out;
}

TEST(Wire, ThereAreRecordings) { EXPECT_GE(recordings().size(), 10u); }

TEST(Wire, EachFrameReadsAsItsLineSays) {
  for (const auto& path : recordings()) {
    for (const Recorded& frame : read_recording(path)) EXPECT_EQ(print_bytes(frame.bytes), frame.text) << path;
  }
}

TEST(Wire, EachFrameIsWrittenAsItWasRecorded) {
  for (const auto& path : recordings()) {
    for (const Recorded& frame : read_recording(path)) {
      if (as_text(frame.bytes).starts_with("AMQP")) continue;
      EXPECT_EQ(written_again(frame.bytes), frame.bytes) << path << ": " << frame.text;
    }
  }
}

TEST(Wire, EachMethodIsReadBackFromItsLine) {
  for (const auto& path : recordings()) {
    for (const Recorded& frame : read_recording(path)) {
      const std::string text = frame.text.substr(frame.text.find(' ') + 1);
      const auto method = parse_method(text);
      if (!method) continue;  // a header or a body
      EXPECT_EQ(print(method->method()), text) << path;
    }
  }
}

TEST(Wire, StreamsReadTheSameInPiecesOfAnySize) {
  for (const auto& path : recordings()) {
    std::vector<std::byte> stream;
    std::size_t frame_count = 0;
    for (const Recorded& frame : read_recording(path)) {
      if (as_text(frame.bytes).starts_with("AMQP")) continue;
      stream.insert(stream.end(), frame.bytes.begin(), frame.bytes.end());
      ++frame_count;
    }
    const FrameDecoder decoder(131'072);
    for (std::size_t piece = 1; piece <= stream.size(); piece += 1 + piece / 8) {
      std::size_t consumed = 0;
      std::size_t seen = 0;
      for (std::size_t arrived = 0; arrived < stream.size();) {
        arrived = std::min(arrived + piece, stream.size());
        ByteView input = ByteView(stream).subspan(consumed, arrived - consumed);
        while (std::holds_alternative<Frame>(decoder.next(input))) ++seen;
        consumed = arrived - input.size();
      }
      EXPECT_EQ(seen, frame_count) << path << " in pieces of " << piece;
    }
  }
}

}  // namespace
}  // namespace quorate::amqp

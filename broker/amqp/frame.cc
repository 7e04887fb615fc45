#include "broker/amqp/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "broker/amqp/method_codec.h"

namespace quorate::amqp {
namespace {

constexpr std::size_t kMethodPayloadMinBytes = 4;
constexpr std::size_t kContentHeaderMinBytes = 12;

constexpr ProtocolHeaderBytes header_bytes(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {std::byte{'A'}, std::byte{'M'}, std::byte{'Q'}, std::byte{'P'},
          std::byte{a},   std::byte{b},   std::byte{c},   std::byte{d}};
}

/// The octet as RabbitMQ's printer writes it inside a string, or "" if it makes the whole a list of numbers.
std::string printable(std::byte octet) {
  static constexpr std::pair<char, std::string_view> kEscapes[] = {
      {'\b', "\\b"}, {'\t', "\\t"}, {'\n', "\\n"}, {'\v', "\\v"},  {'\f', "\\f"},
      {'\r', "\\r"}, {0x1b, "\\e"}, {'"', "\\\""}, {'\\', "\\\\"},
  };
  const char character = static_cast<char>(octet);
  for (const auto& [escaped, text] : kEscapes) {
    if (character == escaped) return std::string(text);
  }
  return character >= ' ' && character <= '~' ? std::string(1, character) : std::string();
}

/// A binary as Erlang prints it: <<"GET /">>, <<0,1,255>>, <<>>.
std::string print_binary(ByteView bytes) {
  std::string text;
  std::string numbers;
  bool is_text = !bytes.empty();
  for (const std::byte octet : bytes) {
    const std::string character = printable(octet);
    is_text = is_text && !character.empty();
    text += character;
    numbers += fmt::format("{}{}", numbers.empty() ? "" : ",", static_cast<unsigned>(octet));
  }
  return is_text ? "<<\"" + text + "\">>" : "<<" + numbers + ">>";
}

/// "type 3, first 16 octets = <<...>>".
std::string print_frame(std::uint8_t type, ByteView payload) {
  constexpr std::size_t kSnippetBytes = 16;
  const bool is_whole = payload.size() <= kSnippetBytes;
  return fmt::format("type {}, {} octets = {}", type, is_whole ? "all" : "first 16",
                     print_binary(is_whole ? payload : payload.first(kSnippetBytes)));
}

bool is_well_formed(std::uint8_t type, ByteView payload) {
  switch (type) {
    case std::to_underlying(FrameType::method):
      return payload.size() >= kMethodPayloadMinBytes;
    case std::to_underlying(FrameType::header):
      return payload.size() >= kContentHeaderMinBytes;
    case std::to_underlying(FrameType::body):
      return true;
    case std::to_underlying(FrameType::heartbeat):
      return payload.empty();
    default:
      return false;
  }
}

}  // namespace

ProtocolHeader recognize_protocol_header(std::span<const std::byte, kProtocolHeaderBytes> bytes) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("GET ")) return ProtocolHeader::http;
  if (text.starts_with("\x16\x03") && text[5] == 0x01) return ProtocolHeader::tls_client_hello;
  if (!text.starts_with("AMQP")) return ProtocolHeader::not_amqp;
  const std::string_view version = text.substr(4);
  if (version == std::string_view("\0\0\x09\x01", 4)) return ProtocolHeader::amqp_0_9_1;
  if (version == std::string_view("\x01\x01\0\x09", 4)) return ProtocolHeader::amqp_0_9;
  if (version.substr(1) == std::string_view("\x01\0\0", 3)) {
    return version[0] == 3 ? ProtocolHeader::amqp_1_0_sasl : ProtocolHeader::amqp_1_0_plain;
  }
  const bool is_newer_0_9 = version[0] == 0 && version[1] == 0 && static_cast<std::uint8_t>(version[2]) >= 9;
  return is_newer_0_9 ? ProtocolHeader::bad_version : ProtocolHeader::not_amqp;
}

bool is_accepted(ProtocolHeader header) {
  return header == ProtocolHeader::amqp_0_9_1 || header == ProtocolHeader::amqp_0_9 ||
         header == ProtocolHeader::amqp_1_0_sasl;
}

ProtocolHeaderBytes refusal_bytes(ProtocolHeader header) {
  return header == ProtocolHeader::bad_version ? header_bytes(0, 0, 9, 1) : header_bytes(3, 1, 0, 0);
}

AmqpError to_amqp_error(const FrameError& error) {
  const std::string frame = print_frame(error.type, error.payload);
  switch (error.kind) {
    case FrameError::Kind::too_large:
      return {.code = ReplyCode::frame_error,
              .text = fmt::format("{}: {{frame_too_large,{},{}}}", frame, error.size, error.limit)};
    case FrameError::Kind::bad_end:
      return {.code = ReplyCode::frame_error,
              .text = fmt::format("{}: {{invalid_frame_end_marker,{}}}", frame, error.end)};
    case FrameError::Kind::unknown_frame:
      return {.code = ReplyCode::frame_error, .text = fmt::format("{}: unknown_frame", frame)};
    case FrameError::Kind::heartbeat_on_channel:
      return {.code = ReplyCode::unexpected_frame, .text = frame};
  }
  std::unreachable();
}

void FrameDecoder::set_frame_max(std::uint32_t frame_max_bytes) {
  CHECK(frame_max_bytes == 0 || frame_max_bytes >= limits::kFrameMinBytes);
  payload_limit_ = payload_max(frame_max_bytes);
  payload_max_ = frame_max_bytes == 0 ? payload_limit_ : frame_max_bytes;
}

FrameResult FrameDecoder::next(ByteView& input) const {
  if (input.size() < kFrameHeaderBytes) return NeedMore{kFrameHeaderBytes};
  ByteReader reader(input);
  std::uint8_t type = 0;
  std::uint16_t channel = 0;
  std::uint32_t size = 0;
  ByteView payload;
  reader.read(type);
  reader.read(channel);
  reader.read(size);
  const ChannelId id{channel};
  if (size > payload_max_) {
    return FrameError{
        .kind = FrameError::Kind::too_large, .type = type, .channel = id, .size = size, .limit = payload_limit_};
  }
  const std::size_t frame_size = kEmptyFrameBytes + size;
  if (input.size() < frame_size) return NeedMore{frame_size};
  reader.read_bytes(size, payload);
  const std::byte end = reader.rest().front();
  if (end != kFrameEnd) {
    return FrameError{.kind = FrameError::Kind::bad_end,
                      .type = type,
                      .channel = id,
                      .payload = payload,
                      .end = static_cast<std::uint8_t>(end)};
  }
  if (!is_well_formed(type, payload)) {
    return FrameError{.kind = FrameError::Kind::unknown_frame, .type = type, .channel = id, .payload = payload};
  }
  if (FrameType{type} == FrameType::heartbeat && channel != 0) {
    return FrameError{.kind = FrameError::Kind::heartbeat_on_channel, .type = type, .channel = id};
  }
  input = input.subspan(frame_size);
  return Frame{.type = FrameType{type}, .channel = id, .payload = payload};
}

void append_frame_header(std::vector<std::byte>& out, FrameType type, ChannelId channel, std::uint32_t payload_size) {
  std::array<std::byte, kFrameHeaderBytes> bytes{};
  const std::uint16_t raw_channel = big_endian(channel.value());
  const std::uint32_t raw_size = big_endian(payload_size);
  bytes[0] = std::byte{std::to_underlying(type)};
  std::memcpy(&bytes[1], &raw_channel, sizeof(raw_channel));
  std::memcpy(&bytes[3], &raw_size, sizeof(raw_size));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_method_frame(std::vector<std::byte>& out, ChannelId channel, const Method& method) {
  append_frame_header(out, FrameType::method, channel, 0);
  const std::size_t payload_at = out.size();
  encode_method(method, out);
  const auto payload_size = static_cast<std::uint32_t>(out.size() - payload_at);
  ByteWriter(out).patch(payload_at - sizeof(payload_size), payload_size);
  out.push_back(kFrameEnd);
}

void append_content_header(std::vector<std::byte>& out, ChannelId channel, std::uint16_t class_id,
                           std::uint64_t body_size, ByteView properties) {
  CHECK_GE(properties.size(), sizeof(std::uint16_t));  // the flags are there even when no property is set
  append_frame_header(out, FrameType::header, channel,
                      static_cast<std::uint32_t>(kContentHeaderMinBytes + properties.size()));
  ByteWriter writer(out);
  writer.write(class_id);
  writer.write(std::uint16_t{0});  // weight
  writer.write(body_size);
  writer.write_bytes(properties);
  out.push_back(kFrameEnd);
}

void append_heartbeat_frame(std::vector<std::byte>& out) {
  append_frame_header(out, FrameType::heartbeat, ChannelId{0}, 0);
  out.push_back(kFrameEnd);
}

void append_body_frames(std::vector<std::byte>& out, ChannelId channel, ByteView body, std::uint32_t frame_max_bytes) {
  while (!body.empty()) {
    const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(body.size(), payload_max(frame_max_bytes)));
    append_frame_header(out, FrameType::body, channel, size);
    out.insert(out.end(), body.begin(), body.begin() + size);
    out.push_back(kFrameEnd);
    body = body.subspan(size);
  }
}

ContentHeader decode_content_header(ByteView payload) {
  CHECK_GE(payload.size(), kContentHeaderMinBytes);
  ContentHeader header;
  ByteReader reader(payload);
  reader.read(header.class_id);
  reader.read(header.weight);
  reader.read(header.body_size);
  header.properties = reader.rest();
  return header;
}

}  // namespace quorate::amqp

// Frames: the grammar of an AMQP 0-9-1 connection, without a socket.
//
//   connection := protocol-header frame*
//   protocol-header := "AMQP" u8 u8 u8 u8            0-9-1 spells 0 0 9 1
//   frame   := type:u8 channel:u16 size:u32 payload[size] 0xCE
//   type    := 1 method | 2 content header | 3 content body | 8 heartbeat
//   header  := class-id:u16 weight:u16 body-size:u64 property-flags:u16 property*
//
// The decoder takes whatever bytes have arrived and answers with views into them: no copy, no allocation, no waiting.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "broker/amqp/methods.h"
#include "broker/amqp/reply.h"

namespace quorate::amqp {

inline constexpr std::size_t kProtocolHeaderBytes = 8;
inline constexpr std::size_t kFrameHeaderBytes = 7;
/// Header and end octet: what a frame adds to its payload.
inline constexpr std::size_t kEmptyFrameBytes = 8;
inline constexpr std::byte kFrameEnd{0xCE};
/// Largest payload when frame_max was negotiated to 0 ("no limit"): no content needs a larger frame.
inline constexpr std::uint32_t kUnlimitedPayloadMaxBytes = limits::kBodySizeMaxBytes;

/// What the first eight bytes of a connection ask for (features.md P001-P005).
enum class ProtocolHeader : std::uint8_t {
  amqp_0_9_1,
  amqp_0_9,          // 1 1 0 9: treated as 0-9-1
  amqp_1_0_sasl,     // 3 1 0 0
  amqp_1_0_plain,    // n 1 0 0 without SASL: refused
  bad_version,       // 0 0 m r with m >= 9: told which version we speak
  http,              // "GET ": a browser or a health check on the wrong port
  tls_client_hello,  // a TLS client on the plain port
  not_amqp,          // anything else, older versions included
};
using ProtocolHeaderBytes = std::array<std::byte, kProtocolHeaderBytes>;

ProtocolHeader recognize_protocol_header(std::span<const std::byte, kProtocolHeaderBytes> bytes);
/// False for http, tls, not_amqp, bad_version and amqp_1_0_plain.
bool is_accepted(ProtocolHeader header);
/// What is written before the socket is closed on a refused header.
ProtocolHeaderBytes refusal_bytes(ProtocolHeader header);

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

/// Borrows from the input. A method payload has at least 4 octets, a header payload at least 12, a heartbeat none.
struct Frame {
  FrameType type = FrameType::heartbeat;
  ChannelId channel;
  ByteView payload;
};

/// No whole frame yet: come back when the input holds at least `input_size` bytes.
struct NeedMore {
  std::size_t input_size = 0;
};

/// The stream is beyond repair. Borrows `payload` from the input.
struct FrameError {
  enum class Kind : std::uint8_t { too_large, bad_end, unknown_frame, heartbeat_on_channel };
  Kind kind = Kind::unknown_frame;
  std::uint8_t type = 0;
  ChannelId channel;
  ByteView payload;
  std::uint32_t size = 0;   // too_large: what was announced
  std::uint32_t limit = 0;  // too_large: what is allowed, as RabbitMQ prints it
  std::uint8_t end = 0;     // bad_end: what stood in its place
};

/// RabbitMQ's code and text (features.md P040-P042): 501, or 505 for a heartbeat on a channel.
AmqpError to_amqp_error(const FrameError& error);

using FrameResult = std::variant<Frame, NeedMore, FrameError>;

class FrameDecoder {
 public:
  /// `frame_max_bytes` counts header and end octet; 0 means no limit but kUnlimitedPayloadMaxBytes.
  explicit FrameDecoder(std::uint32_t frame_max_bytes = limits::kInitialFrameMaxBytes) {
    set_frame_max(frame_max_bytes);
  }
  void set_frame_max(std::uint32_t frame_max_bytes);

  /// Takes one whole frame off the front of `input`, or leaves `input` as it is.
  FrameResult next(ByteView& input) const;

 private:
  std::uint32_t payload_limit_ = 0;  // as printed in the error
  std::uint32_t payload_max_ = 0;    // Invariant: >= payload_limit_; RabbitMQ tolerates eight octets more
};

/// Each appends whole frames to a buffer that the caller owns and may reuse.
void append_method_frame(std::vector<std::byte>& out, ChannelId channel, const Method& method);
/// `properties` are the encoded flags and values as they stand in a content header.
void append_content_header(std::vector<std::byte>& out, ChannelId channel, std::uint16_t class_id,
                           std::uint64_t body_size, ByteView properties);
void append_heartbeat_frame(std::vector<std::byte>& out);
/// Body frames of at most `frame_max_bytes` each (0: no limit). An empty body has no frame.
void append_body_frames(std::vector<std::byte>& out, ChannelId channel, ByteView body, std::uint32_t frame_max_bytes);

/// Only the seven octets in front of a payload, for writers that send the payload from where it lies.
/// They owe the payload and kFrameEnd.
void append_frame_header(std::vector<std::byte>& out, FrameType type, ChannelId channel, std::uint32_t payload_size);

/// Largest payload of a frame under `frame_max_bytes` (0: no limit).
constexpr std::uint32_t payload_max(std::uint32_t frame_max_bytes) {
  return frame_max_bytes == 0 ? kUnlimitedPayloadMaxBytes
                              : frame_max_bytes - static_cast<std::uint32_t>(kEmptyFrameBytes);
}

/// The content header as it stands in a frame; `properties` borrows.
struct ContentHeader {
  std::uint16_t class_id = 0;
  std::uint16_t weight = 0;
  std::uint64_t body_size = 0;
  ByteView properties;
};
/// `payload` is that of a header frame from the decoder, so it has at least 12 octets.
ContentHeader decode_content_header(ByteView payload);

}  // namespace quorate::amqp

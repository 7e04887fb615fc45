// Any bytes as the stream of a connection: whole and in pieces they must give the same frames, and publishes must
// assemble without a slip. The first byte chooses the size of the pieces.
#include <algorithm>
#include <string>
#include <variant>

#include "base/check.h"
#include "broker/amqp/content.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"

namespace {

using namespace quorate;
using namespace quorate::amqp;

/// The channel of a connection that only publishes.
class Publisher {
 public:
  /// False when the channel would be closed.
  bool take(const Frame& frame) {
    if (frame.type == FrameType::heartbeat) return true;
    if (frame.type != FrameType::method || !assembler_.is_idle()) return assemble(frame);
    const auto method = decode_method(frame.payload);
    if (!method) return refuse(method.error());
    if (const auto* publish = std::get_if<BasicPublish>(&*method)) assembler_.begin(*publish);
    return true;
  }

 private:
  static bool refuse(const MethodError& error) {
    CHECK_LE(to_amqp_error(error).reply_text().size(), 255u);
    return false;
  }

  bool assemble(const Frame& frame) {
    const auto outcome = assembler_.on(frame);
    if (!outcome) return false;
    if (outcome->has_value()) {
      CHECK(assembler_.is_idle());
      CHECK(Message::parse((**outcome).message.encoded()).has_value());
    }
    return true;
  }

  ContentAssembler assembler_;
};

struct Outcome {
  std::size_t frame_count = 0;
  std::size_t payload_bytes = 0;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

Outcome read(ByteView stream, std::size_t piece) {
  const FrameDecoder decoder(limits::kFrameMinBytes);
  Outcome outcome;
  Publisher publisher;
  bool is_open = true;
  std::size_t consumed = 0;
  for (std::size_t arrived = 0; arrived < stream.size();) {
    arrived = std::min(arrived + piece, stream.size());
    ByteView input = stream.subspan(consumed, arrived - consumed);
    for (;;) {
      const FrameResult result = decoder.next(input);
      if (const auto* error = std::get_if<FrameError>(&result)) {
        outcome.error = to_amqp_error(*error).reply_text();
        CHECK_LE(outcome.error.size(), 255u);
        return outcome;
      }
      if (const auto* more = std::get_if<NeedMore>(&result)) {
        CHECK_GT(more->input_size, input.size());
        break;
      }
      const Frame& frame = std::get<Frame>(result);
      ++outcome.frame_count;
      outcome.payload_bytes += frame.payload.size();
      is_open = is_open && publisher.take(frame);
    }
    consumed = arrived - input.size();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView stream(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  CHECK(read(stream, stream.size() + 1) == read(stream, 1u + data[0]));
  if (stream.size() >= kProtocolHeaderBytes) {
    const auto header = recognize_protocol_header(stream.first<kProtocolHeaderBytes>());
    CHECK(is_accepted(header) || as_text(refusal_bytes(header)).starts_with("AMQP"));
  }
  return 0;
}

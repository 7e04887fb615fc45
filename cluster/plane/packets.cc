#include "cluster/plane/packets.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/cursor.h"

namespace quorate::cluster {
namespace {

constexpr std::uint64_t kFrameTag = 2 << 3 | 2;  // Packet.frame: field 2, length-delimited

grpc::Slice slice_of(std::vector<std::byte>&& bytes) {
  auto owner = std::make_unique<std::vector<std::byte>>(std::move(bytes));
  std::byte* data = owner->data();
  const std::size_t size = owner->size();
  return {data, size, [](void* owned) { delete static_cast<std::vector<std::byte>*>(owned); }, owner.release()};
}

}  // namespace

grpc::ByteBuffer buffer_of(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

grpc::ByteBuffer buffer_of_frame(std::vector<std::byte>&& frame) {
  std::vector<std::byte> head;
  ByteWriter writer(head);
  writer.write_varint(kFrameTag);
  writer.write_varint(frame.size());
  const grpc::Slice slices[] = {grpc::Slice(head.data(), head.size()), slice_of(std::move(frame))};
  return {slices, std::size(slices)};
}

grpc::ByteBuffer buffer_of_question(std::string kind, const Bytes& question) {
  proto::Question words;
  words.set_kind(std::move(kind));
  words.set_question(std::string(question.text()));
  return buffer_of(words);
}

Result<Bytes> answer_of(const grpc::Status& status, const grpc::ByteBuffer& buffer) {
  if (!status.ok()) {
    const bool is_stranger = status.error_code() == grpc::StatusCode::UNAUTHENTICATED;
    return failure(is_stranger ? ErrorCode::invalid_argument : ErrorCode::unavailable, refusal_of(status));
  }
  const Bytes bytes = bytes_of(buffer);
  proto::Answer answer;
  if (answer.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    if (answer.has_answer()) return Bytes::copy_of(answer.answer());
    if (answer.has_refusal()) {
      const auto code = answer.refusal().code() <= static_cast<std::uint32_t>(ErrorCode::unavailable)
                            ? static_cast<ErrorCode>(answer.refusal().code())
                            : ErrorCode::unavailable;
      return failure(code, answer.refusal().text());
    }
  }
  return failure(ErrorCode::unavailable, "the answer cannot be read");
}

grpc::Status farewell() { return {grpc::StatusCode::UNAVAILABLE, "it stops"}; }

bool is_farewell(const grpc::Status& status) {
  return status.error_code() == farewell().error_code() && status.error_message() == farewell().error_message();
}

/// gRPC tells its whole way down, the cause last: "failed to connect to all addresses; last error: UNKNOWN:
/// ipv4:127.0.0.1:25672: Failed to connect to remote host: Connection refused".
std::string reason_of(const grpc::Status& status) {
  constexpr std::string_view kChains[] = {"failed to connect to all addresses", "DNS resolution failed"};
  const std::string& text = status.error_message();
  const bool is_silent = text.ends_with("before receiving SETTINGS frame");
  if (is_silent || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return "no answer in time";
  const bool is_chain = std::ranges::any_of(kChains, [&](std::string_view head) { return text.starts_with(head); });
  if (!is_chain) return text;
  std::string cause = text.substr(text.rfind(':') + 1);
  if (cause.starts_with(' ')) cause.erase(0, 1);
  const bool is_tls = text.find("Ssl handshake failed") != std::string::npos;
  return is_tls ? "TLS: " + cause : cause;
}

std::string refusal_of(const grpc::Status& status) {
  constexpr std::string_view kEnds[] = {"Socket closed", "Connection reset by peer", "Broken pipe"};
  std::string reason = reason_of(status);
  if (std::ranges::none_of(kEnds, [&](std::string_view end) { return reason.ends_with(end); })) return reason;
  return "closed the connection: is TLS used on one side only, or the certificate not accepted?";
}

Bytes bytes_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return {};
  Bytes bytes = Bytes::allocate(buffer.Length());
  std::byte* to = bytes.mutable_data();
  for (const grpc::Slice& slice : slices) {
    std::memcpy(to, slice.begin(), slice.size());
    to += slice.size();
  }
  return bytes;
}

std::optional<Bytes> frame_of(const Bytes& packet) {
  ByteReader reader(packet.view());
  std::uint64_t tag = 0;
  std::uint64_t size = 0;
  if (!reader.read_varint(tag) || tag != kFrameTag || !reader.read_varint(size) || size != reader.remaining()) {
    return std::nullopt;
  }
  return packet.slice(packet.size() - reader.remaining(), reader.remaining());
}

proto::Hello hello_of(const Identity& identity, NodeId to, Lane lane, std::uint64_t stream) {
  proto::Hello hello;
  hello.set_cluster_id(identity.cluster_id);
  hello.set_node(identity.node.value());
  hello.set_node_name(identity.node_name);
  hello.set_directory_id(identity.directory_id);
  hello.set_epoch(identity.epoch.value());
  hello.set_protocol(identity.protocol);
  hello.set_machine_version(identity.machine_version);
  hello.set_to(to.value());
  hello.set_lane(static_cast<std::uint32_t>(lane));
  hello.set_stream(stream);
  return hello;
}

std::optional<Greeting> greeting_of(const Bytes& bytes) {
  proto::Packet packet;
  if (!packet.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !packet.has_hello()) return std::nullopt;
  const proto::Hello& hello = packet.hello();
  if (hello.lane() >= kLaneCount) return std::nullopt;
  return Greeting{.identity = {.cluster_id = hello.cluster_id(),
                               .node = NodeId(hello.node()),
                               .node_name = hello.node_name(),
                               .directory_id = hello.directory_id(),
                               .epoch = Epoch(hello.epoch()),
                               .protocol = hello.protocol(),
                               .machine_version = hello.machine_version()},
                  .to = NodeId(hello.to()),
                  .lane = static_cast<Lane>(hello.lane()),
                  .stream = hello.stream()};
}

}  // namespace quorate::cluster

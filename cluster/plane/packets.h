// Between gRPC's buffers and ours: what proto/plane.proto says, without copying a frame when it is sent and with one
// copy when it arrives.
#pragma once
#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cluster/plane/plane.h"
#include "proto/plane.pb.h"

namespace quorate::cluster {

grpc::ByteBuffer buffer_of(const google::protobuf::MessageLite& message);
/// A Packet with this frame.
grpc::ByteBuffer buffer_of_frame(std::vector<std::byte>&& frame);

grpc::ByteBuffer buffer_of_question(std::string kind, const Bytes& question);
/// What became of a question. ErrorCode::unavailable: there is no answer, and why; else it is the node's.
Result<Bytes> answer_of(const grpc::Status& status, const grpc::ByteBuffer& answer);
/// What a stream ends with when the node at its other end stops in order.
grpc::Status farewell();
bool is_farewell(const grpc::Status& status);
/// Why a call failed, in few words: the peer's own, or the last of gRPC's ("Connection refused").
std::string reason_of(const grpc::Status& status);
/// The same of one that the peer had not taken yet: who is turned away in a TLS handshake is not told so.
std::string refusal_of(const grpc::Status& status);

Bytes bytes_of(const grpc::ByteBuffer& buffer);
/// Nothing when it is not a Packet with a frame, written as we write it.
std::optional<Bytes> frame_of(const Bytes& packet);

proto::Hello hello_of(const Identity& identity, NodeId to, Lane lane, std::uint64_t stream);

/// A hello as it arrived, with its numbers in range.
struct Greeting {
  Identity identity;
  NodeId to;
  Lane lane = Lane::control;
  std::uint64_t stream = 0;
};
std::optional<Greeting> greeting_of(const Bytes& packet);

}  // namespace quorate::cluster

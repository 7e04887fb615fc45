// Message: what was published, immutable and counted, in one piece of memory from socket to log to socket.
//
//   message := size:u8 exchange size:u8 routing-key size:varint properties body
//
// `properties` are the flags and values of the content header as the client sent them; the body is all the rest.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace quorate {

class Message {
 public:
  /// No exchange, no key, no bytes at all; encoded() is empty. Only to be assigned to.
  Message() = default;
  /// Takes over bytes that were read from disk or from a peer node, after checking their sizes.
  static Result<Message> parse(Bytes encoded);

  std::string_view exchange() const;
  std::string_view routing_key() const;
  /// Encoded as in a content header: read them with amqp::PropertiesView.
  ByteView properties() const;
  ByteView body() const;
  /// All of it, as it goes to the log.
  const Bytes& encoded() const { return encoded_; }

  friend bool operator==(const Message& a, const Message& b) { return a.encoded_ == b.encoded_; }

 private:
  friend class MessageBuilder;

  Bytes encoded_;
  std::uint32_t properties_at_ = 0;  // Invariant: properties_at_ <= body_at_ <= encoded_.size()
  std::uint32_t body_at_ = 0;
};

/// Fills a message in place while its body arrives. One allocation if the message is at most kUpFrontBytes long;
/// beyond it the memory doubles as bytes come in, so that an announced size costs nothing.
class MessageBuilder {
 public:
  static constexpr std::size_t kUpFrontBytes = 1u << 20;

  /// Holds nothing.
  MessageBuilder() = default;
  /// `exchange` and `routing_key` have at most 255 octets: they were short strings.
  MessageBuilder(std::string_view exchange, std::string_view routing_key, ByteView properties, std::uint64_t body_size);

  /// At most body_missing() bytes.
  void append_body(ByteView part);
  std::uint64_t body_missing() const { return total_size_ - filled_; }

  /// Requires body_missing() == 0. The builder holds nothing afterwards.
  Message finish();

 private:
  Bytes memory_;
  std::uint64_t total_size_ = 0;
  std::uint64_t filled_ = 0;  // Invariant: filled_ <= memory_.size() <= total_size_
  std::uint32_t properties_at_ = 0;
  std::uint32_t body_at_ = 0;
};

/// A whole message at once, for the management API and tests.
Message make_message(std::string_view exchange, std::string_view routing_key, ByteView properties, ByteView body);

}  // namespace quorate

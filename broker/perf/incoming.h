// One channel's basic.deliver or basic.return with its header and body frames become one Incoming, of which only the
// stamp is kept. Pure, and allocates nothing.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "broker/amqp/frame.h"
#include "broker/perf/stamp.h"

namespace quorate::perf {

struct Incoming {
  std::uint64_t delivery_tag = 0;  // 0 for a returned message
  bool redelivered = false;
  bool returned = false;
  std::uint64_t body_size = 0;
  std::array<std::byte, kStampBytes> prefix{};
  std::size_t prefix_size = 0;

  ByteView stamp_bytes() const { return ByteView(prefix).first(prefix_size); }
};

class IncomingReader {
 public:
  /// A method with content has come; nothing may be under way.
  void begin(const amqp::BasicDeliver& deliver);
  void begin(const amqp::BasicReturn& returned);

  bool is_idle() const { return stage_ == Stage::idle; }

  enum class Outcome : std::uint8_t { more, whole, misplaced };
  /// A header or body frame of the channel. After `whole`, message() is it until the next begin().
  Outcome on(const amqp::Frame& frame);
  const Incoming& message() const { return message_; }

 private:
  enum class Stage : std::uint8_t { idle, header, body };

  Outcome on_body_left();

  Stage stage_ = Stage::idle;
  Incoming message_;
  std::uint64_t body_left_ = 0;
};

}  // namespace quorate::perf

// basic.publish, content header and body of one agent's messages, encoded once; a message is a copy of them with
// another stamp, so a publication costs a memcpy. Pure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "broker/perf/plan.h"
#include "broker/perf/stamp.h"

namespace quorate::perf {

struct Envelope {
  std::string_view exchange;
  std::string_view routing_key;
  bool mandatory = false;
  bool persistent = false;
};

class MessageTemplate {
 public:
  /// `frame_max_bytes` as negotiated, 0 for none.
  MessageTemplate(ChannelId channel, const Envelope& envelope, SizeRange sizes, std::uint32_t frame_max_bytes);

  /// Appends one message of `body_size` octets, which must be in the range of sizes. Bodies are zeros behind the stamp.
  void append(std::vector<std::byte>& out, std::uint32_t body_size, const Stamp& stamp) const;
  /// What append() adds at most.
  std::size_t bytes_max() const { return bytes_max_; }

 private:
  ChannelId channel_;
  std::uint32_t frame_max_bytes_;
  std::vector<std::byte> frames_;   // a message of the largest size
  std::size_t body_size_at_ = 0;    // of the header's body size in frames_
  std::size_t body_frames_at_ = 0;  // of the first body frame
  std::vector<std::byte> filler_;   // a body of the largest size
  std::size_t bytes_max_ = 0;
  std::uint32_t template_size_ = 0;  // octets of the body in frames_
};

}  // namespace quorate::perf

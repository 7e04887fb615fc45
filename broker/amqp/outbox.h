// Outbox: frames on their way to one client, gathered until the socket takes them. Small things are copied into one
// buffer; a large body stays where it is and is written from there.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/methods.h"
#include "broker/message/message.h"

namespace quorate::amqp {

/// Bytes to write, in order: `buffer` cut at `cuts`, with a body after each cut.
struct OutboxBatch {
  struct Cut {
    std::size_t offset = 0;  // in buffer
    Bytes body;              // follows what lies before offset
  };
  std::vector<std::byte> buffer;
  std::vector<Cut> cuts;
  std::size_t size = 0;  // of everything

  void clear();
  /// Calls `visit(ByteView)` for each piece in order.
  template <class Visit>
  void for_each_piece(Visit&& visit) const {
    std::size_t begin = 0;
    for (const Cut& cut : cuts) {
      if (cut.offset > begin) visit(ByteView(buffer).subspan(begin, cut.offset - begin));
      visit(cut.body.view());
      begin = cut.offset;
    }
    if (begin < buffer.size()) visit(ByteView(buffer).subspan(begin));
  }
};

class Outbox {
 public:
  void set_frame_max(std::uint32_t frame_max_bytes) { frame_max_ = frame_max_bytes; }

  void method(ChannelId channel, const Method& method) { append_method_frame(batch_.buffer, channel, method); }
  void heartbeat() { append_heartbeat_frame(batch_.buffer); }
  void raw(ByteView bytes) { batch_.buffer.insert(batch_.buffer.end(), bytes.begin(), bytes.end()); }
  /// Header and body frames of a message, after the method that announces it.
  void content(ChannelId channel, const Message& message) { content(channel, message, message.properties()); }
  /// With other properties than its own.
  void content(ChannelId channel, const Message& message, ByteView properties);

  bool empty() const { return batch_.buffer.empty(); }
  std::size_t size() const { return batch_.buffer.size() + borrowed_; }
  /// Of everything that was ever handed over.
  std::uint64_t taken_bytes() const { return taken_bytes_; }
  /// Hands over what is gathered and goes on with the memory of `spent`, which is cleared.
  void take(OutboxBatch& spent);

 private:
  OutboxBatch batch_;
  std::size_t borrowed_ = 0;  // bytes of the bodies in batch_.cuts
  std::uint32_t frame_max_ = 0;
  std::uint64_t taken_bytes_ = 0;
};

}  // namespace quorate::amqp

#include "broker/amqp/outbox.h"

#include <algorithm>
#include <utility>

namespace quorate::amqp {
namespace {

constexpr std::uint16_t kBasicClass = 60;
/// From here on a second piece for the socket costs less than the copy.
constexpr std::size_t kBorrowBytes = 8192;
/// A buffer that grew beyond this for once is given back.
constexpr std::size_t kKeepBytes = 256u << 10;

}  // namespace

void OutboxBatch::clear() {
  if (buffer.capacity() > kKeepBytes) buffer = std::vector<std::byte>();
  buffer.clear();
  cuts.clear();
  size = 0;
}

void Outbox::content(ChannelId channel, const Message& message, ByteView properties) {
  const ByteView body = message.body();
  append_content_header(batch_.buffer, channel, kBasicClass, body.size(), properties);
  if (body.size() < kBorrowBytes) {
    append_body_frames(batch_.buffer, channel, body, frame_max_);
    return;
  }
  const std::size_t part_max = payload_max(frame_max_);
  const auto body_at = static_cast<std::size_t>(body.data() - message.encoded().data());
  for (std::size_t done = 0; done < body.size();) {
    const std::size_t part = std::min(part_max, body.size() - done);
    append_frame_header(batch_.buffer, FrameType::body, channel, static_cast<std::uint32_t>(part));
    batch_.cuts.push_back({.offset = batch_.buffer.size(), .body = message.encoded().slice(body_at + done, part)});
    batch_.buffer.push_back(kFrameEnd);
    borrowed_ += part;
    done += part;
  }
}

void Outbox::take(OutboxBatch& spent) {
  spent.clear();
  std::swap(batch_, spent);
  spent.size = spent.buffer.size() + std::exchange(borrowed_, 0);
  taken_bytes_ += spent.size;
}

}  // namespace quorate::amqp

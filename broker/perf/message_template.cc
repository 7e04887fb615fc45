#include "broker/perf/message_template.h"

#include <cstring>

#include "base/cursor.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/properties.h"

namespace quorate::perf {
namespace {

constexpr std::uint16_t kBasicClass = 60;
constexpr std::size_t kBodySizeInHeader = 4;  // behind class and weight
constexpr std::uint8_t kPersistent = 2;

}  // namespace

MessageTemplate::MessageTemplate(ChannelId channel, const Envelope& envelope, SizeRange sizes,
                                 std::uint32_t frame_max_bytes)
    : channel_(channel), frame_max_bytes_(frame_max_bytes), filler_(sizes.max), template_size_(sizes.max) {
  amqp::Properties properties;
  if (envelope.persistent) properties.delivery_mode = kPersistent;
  const amqp::BasicPublish publish{
      .exchange = envelope.exchange, .routing_key = envelope.routing_key, .mandatory = envelope.mandatory};
  amqp::append_method_frame(frames_, channel, publish);
  body_size_at_ = frames_.size() + amqp::kFrameHeaderBytes + kBodySizeInHeader;
  amqp::append_content_header(frames_, channel, kBasicClass, sizes.max, amqp::encode_properties(properties));
  body_frames_at_ = frames_.size();
  amqp::append_body_frames(frames_, channel, filler_, frame_max_bytes);
  bytes_max_ = frames_.size();
}

void MessageTemplate::append(std::vector<std::byte>& out, std::uint32_t body_size, const Stamp& stamp) const {
  const std::size_t begin = out.size();
  if (body_size == template_size_) {
    out.insert(out.end(), frames_.begin(), frames_.end());
  } else {
    out.insert(out.end(), frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(body_frames_at_));
    ByteWriter(out).patch(begin + body_size_at_, std::uint64_t{body_size});
    amqp::append_body_frames(out, channel_, ByteView(filler_).first(body_size), frame_max_bytes_);
  }
  write_stamp(out.data() + begin + body_frames_at_ + amqp::kFrameHeaderBytes, body_size, stamp);
}

}  // namespace quorate::perf

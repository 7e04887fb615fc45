#include "broker/perf/incoming.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace quorate::perf {

void IncomingReader::begin(const amqp::BasicDeliver& deliver) {
  CHECK(is_idle());
  message_ = {.delivery_tag = deliver.delivery_tag, .redelivered = deliver.redelivered};
  stage_ = Stage::header;
}

void IncomingReader::begin(const amqp::BasicReturn&) {
  CHECK(is_idle());
  message_ = {.returned = true};
  stage_ = Stage::header;
}

IncomingReader::Outcome IncomingReader::on(const amqp::Frame& frame) {
  if (stage_ == Stage::header && frame.type == amqp::FrameType::header) {
    message_.body_size = body_left_ = amqp::decode_content_header(frame.payload).body_size;
    return on_body_left();
  }
  const bool is_body = stage_ == Stage::body && frame.type == amqp::FrameType::body;
  if (!is_body || frame.payload.size() > body_left_) return Outcome::misplaced;
  const std::size_t wanted = std::min(kStampBytes - message_.prefix_size, frame.payload.size());
  std::copy_n(frame.payload.begin(), wanted,
              message_.prefix.begin() + static_cast<std::ptrdiff_t>(message_.prefix_size));
  message_.prefix_size += wanted;
  body_left_ -= frame.payload.size();
  return on_body_left();
}

IncomingReader::Outcome IncomingReader::on_body_left() {
  stage_ = body_left_ == 0 ? Stage::idle : Stage::body;
  return stage_ == Stage::idle ? Outcome::whole : Outcome::more;
}

}  // namespace quorate::perf

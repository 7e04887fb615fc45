#include "broker/amqp/content.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"

namespace quorate::amqp {
namespace {

constexpr std::uint32_t kPublish = MethodInfo<BasicPublish>::id;

std::unexpected<AmqpError> refuse(ReplyCode code, std::string text, std::uint32_t method = kPublish) {
  return std::unexpected(AmqpError{.code = code, .text = std::move(text), .method_id = method});
}

}  // namespace

void ContentAssembler::begin(const BasicPublish& publish) {
  CHECK(is_idle());
  exchange_ = publish.exchange.text;
  routing_key_ = publish.routing_key.text;
  mandatory_ = publish.mandatory;
  immediate_ = publish.immediate;
  stage_ = Stage::header;
}

std::expected<std::optional<Publication>, AmqpError> ContentAssembler::on(const Frame& frame) {
  switch (stage_) {
    case Stage::method:
      return refuse(ReplyCode::unexpected_frame, "expected method frame, got non method frame instead", 0);
    case Stage::header:
      return on_header(frame);
    case Stage::body:
      return on_body(frame);
  }
  std::unreachable();
}

std::expected<std::optional<Publication>, AmqpError> ContentAssembler::on_header(const Frame& frame) {
  constexpr std::uint16_t kClass = class_id(kPublish);
  const bool is_header = frame.type == FrameType::header;
  const ContentHeader header = is_header ? decode_content_header(frame.payload) : ContentHeader{};
  if (!is_header || header.weight != 0) {
    return refuse(ReplyCode::unexpected_frame,
                  fmt::format("expected content header for class {}, got non content header frame instead", kClass));
  }
  if (header.class_id != kClass) {
    return refuse(
        ReplyCode::unexpected_frame,
        fmt::format("expected content header for class {}, got one for class {} instead", kClass, header.class_id));
  }
  if (header.body_size > limits::kBodySizeMaxBytes) {
    return refuse(ReplyCode::frame_error, fmt::format("content body size {} exceeds maximum allowed size {}",
                                                      header.body_size, limits::kBodySizeMaxBytes));
  }
  builder_ = MessageBuilder(exchange_, routing_key_, header.properties, header.body_size);
  stage_ = Stage::body;
  if (header.body_size > 0) return std::nullopt;
  return finish();
}

std::expected<std::optional<Publication>, AmqpError> ContentAssembler::on_body(const Frame& frame) {
  if (frame.type != FrameType::body) {
    return refuse(ReplyCode::unexpected_frame, "expected content body, got non content body frame instead");
  }
  if (frame.payload.size() > builder_.body_missing()) {
    return refuse(ReplyCode::frame_error, "content body frame exceeds remaining content size");
  }
  builder_.append_body(frame.payload);
  if (builder_.body_missing() > 0) return std::nullopt;
  return finish();
}

Publication ContentAssembler::finish() {
  stage_ = Stage::method;
  return {.message = builder_.finish(), .mandatory = mandatory_, .immediate = immediate_};
}

}  // namespace quorate::amqp

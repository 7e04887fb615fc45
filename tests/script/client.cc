#include "tests/script/client.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "base/check.h"
#include "broker/amqp/field_text.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"

namespace quorate::script {
namespace {

constexpr std::size_t kPrintedBodyMax = 64;
constexpr std::uint16_t kBasicClass = 60;

bool announces_content(const amqp::Method& method) {
  return std::holds_alternative<amqp::BasicDeliver>(method) || std::holds_alternative<amqp::BasicReturn>(method) ||
         std::holds_alternative<amqp::BasicGetOk>(method);
}

}  // namespace

Client::Client(World& world, std::string prefix, amqp::SessionOptions options, amqp::Peer peer, Delivery delivery,
               std::vector<std::string>& lines)
    : world_(world),
      prefix_(std::move(prefix)),
      options_(std::move(options)),
      delivery_(delivery),
      lines_(lines),
      session_(options_, std::move(peer), world.surroundings(), world.now()) {
  world_.shard().add_hook(*this);
}

Client::~Client() {
  if (!closed_) session_.on_disconnected();
  world_.shard().remove_hook(*this);
}

// --- to the session ---

void Client::send(ByteView bytes) {
  if (closed_) return;
  const std::size_t step = delivery_ == Delivery::whole ? bytes.size() : 1;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const ByteView part = bytes.subspan(at, step);
    carry_.insert(carry_.end(), part.begin(), part.end());
    offer();
  }
}

void Client::offer() {
  if (!session_.is_reading()) return;
  const std::size_t taken = session_.on_bytes(carry_, world_.now());
  carry_.erase(carry_.begin(), carry_.begin() + static_cast<std::ptrdiff_t>(taken));
  touched_ = true;
}

void Client::method(ChannelId channel, const amqp::Method& method) {
  std::vector<std::byte> bytes;
  amqp::append_method_frame(bytes, channel, method);
  send(bytes);
}

void Client::content(ChannelId channel, const amqp::Properties& properties, std::string_view body) {
  std::vector<std::byte> bytes;
  amqp::append_content_header(bytes, channel, kBasicClass, body.size(), amqp::encode_properties(properties));
  amqp::append_body_frames(bytes, channel, as_bytes(body), frame_max_);
  send(bytes);
}

void Client::disconnect() {
  if (std::exchange(closed_, true)) return;
  session_.on_disconnected();
  touched_ = true;
}

void Client::block(std::string_view reason) {
  session_.on_blocked(reason);
  touched_ = true;
}

void Client::shut_down(std::string_view reason) {
  session_.on_shutdown(reason, world_.now());
  touched_ = true;
}

void Client::on_deadline() {
  session_.on_deadline(world_.now());
  touched_ = true;
}

/// What SocketConnection::flush() does, with a socket that takes everything at once.
bool Client::on_turn_end() {
  bool more = std::exchange(touched_, false);
  session_.flush();
  if (closed_) return more;
  while (!session_.outbox().empty()) {
    session_.outbox().take(batch_);
    batch_.for_each_piece([&](ByteView piece) { written_.insert(written_.end(), piece.begin(), piece.end()); });
    session_.on_written(world_.now());
    more = true;
  }
  print_written();
  if (session_.wants_close()) {
    lines_.push_back(prefix_ + "< closed");
    disconnect();
  } else if (!carry_.empty() && session_.is_reading()) {
    const std::size_t before = carry_.size();
    offer();
    more |= carry_.size() != before;
    touched_ = false;
  }
  return more;
}

// --- from the session ---

void Client::print_written() {
  ByteView rest(written_);
  rest = rest.subspan(print_header(rest));
  const amqp::FrameDecoder decoder(0);
  for (;;) {
    const amqp::FrameResult result = decoder.next(rest);
    const auto* frame = std::get_if<amqp::Frame>(&result);
    if (frame == nullptr) break;
    print_frame(*frame);
  }
  CHECK(rest.empty());  // sessions write whole frames
  written_.clear();
}

/// The protocol header of a refusal, if one stands there.
std::size_t Client::print_header(ByteView bytes) {
  if (!as_text(bytes).starts_with("AMQP")) return 0;
  CHECK_GE(bytes.size(), amqp::kProtocolHeaderBytes);
  lines_.push_back(fmt::format("{}< header {} {} {} {}", prefix_, static_cast<int>(bytes[4]),
                               static_cast<int>(bytes[5]), static_cast<int>(bytes[6]), static_cast<int>(bytes[7])));
  return amqp::kProtocolHeaderBytes;
}

void Client::print_frame(const amqp::Frame& frame) {
  switch (frame.type) {
    case amqp::FrameType::heartbeat:
      return print_line(frame.channel, "heartbeat");
    case amqp::FrameType::method: {
      CHECK(!incoming_.contains(frame.channel));  // nothing stands inside content
      const auto method = amqp::decode_method(frame.payload);
      CHECK(method.has_value());
      if (announces_content(*method)) {
        incoming_[frame.channel].text = amqp::print(*method);
      } else {
        print_line(frame.channel, amqp::print(*method));
      }
      return;
    }
    case amqp::FrameType::header: {
      Incoming& incoming = incoming_.at(frame.channel);
      const amqp::ContentHeader header = amqp::decode_content_header(frame.payload);
      const auto properties = amqp::PropertiesView::parse(header.properties);
      CHECK(properties.has_value());
      const std::string text = amqp::print(*properties);
      incoming.text += (text.empty() ? "" : " ") + text;
      incoming.body_missing = header.body_size;
      break;
    }
    case amqp::FrameType::body: {
      Incoming& incoming = incoming_.at(frame.channel);
      CHECK_LE(frame.payload.size(), incoming.body_missing);
      CHECK_LE(frame.payload.size(), amqp::payload_max(frame_max_));
      incoming.body_missing -= frame.payload.size();
      incoming.body += as_text(frame.payload);
      break;
    }
  }
  finish(frame.channel);
}

void Client::finish(ChannelId channel) {
  const Incoming& incoming = incoming_.at(channel);
  if (incoming.body_missing > 0) return;
  std::string text = incoming.text;
  if (incoming.body.size() > kPrintedBodyMax) {
    text += fmt::format(" body_size={}", incoming.body.size());
  } else if (!incoming.body.empty()) {
    text += " body=" + amqp::quote_text(incoming.body);
  }
  incoming_.erase(channel);
  print_line(channel, text);
}

/// Channel 0 and 1 are not named: a method belongs to one or the other.
void Client::print_line(ChannelId channel, std::string_view text) {
  const std::string place = channel.value() > 1 ? "/" + std::to_string(channel.value()) : "";
  lines_.push_back(fmt::format("{}{}< {}", prefix_, place, text));
}

}  // namespace quorate::script

#include "tests/sim/nodes/client.h"

#include <fmt/format.h>

#include <utility>

#include "broker/amqp/frame.h"
#include "broker/amqp/properties.h"
#include "broker/amqp/table_codec.h"

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {
constexpr ChannelId kChannel{1};
constexpr std::uint16_t kBasicClass = 60;
constexpr std::uint32_t kFrameMax = 131'072;

std::vector<std::byte> capabilities() {
  const Table known{{{"consumer_cancel_notify", Value(true)}}};
  return amqp::encode_table(Table{{{"capabilities", Value(known)}}});
}

std::optional<std::int64_t> delivery_count_in(ByteView properties) {
  const auto parsed = amqp::PropertiesView::parse(properties);
  if (!parsed || !parsed->headers()) return std::nullopt;
  const auto value = amqp::find_field(parsed->headers()->encoded, "x-delivery-count");
  std::int64_t count = 0;
  if (!value || !value->integer(count)) return std::nullopt;
  return count;
}
}  // namespace

Client::Client(Stage& stage, Doors& doors, Ledger& ledger, std::string name)
    : stage_(stage), doors_(doors), ledger_(ledger), name_(std::move(name)) {}

std::optional<std::string> Client::missing() const {
  if (retired_) return std::nullopt;
  if (!open_) return "to be connected";
  return asked_.empty() ? std::nullopt : std::optional(asked_);
}

std::string Client::describe() const {
  return fmt::format("{} (connection {} to {}, asked '{}' at {:.3f})", name_, connection_ ? connection_->id() : 0,
                     where_, asked_, static_cast<double>(asked_at_.time_since_epoch().count()) / 1e9);
}

void Client::connect_later(Duration mean) {
  if (retired_) return;
  stage_.schedule.after(draw_exponential(stage_.streams.workload, mean), [this] { connect(); });
}

void Client::connect() {
  if (retired_) return;
  connection_ = doors_.connect(*this, where_);
  if (!connection_) return connect_later(100ms);
  stage_.tell([&] { return fmt::format("{} is connection {} to {}", name_, connection_->id(), where_); });
  constexpr std::string_view kHeader("AMQP\x00\x00\x09\x01", 8);
  const ByteView header = as_bytes(kHeader);
  connection_->send({header.begin(), header.end()});
}

void Client::send(const amqp::Method& method) {
  if (!connection_) return;
  std::vector<std::byte> bytes;
  amqp::append_method_frame(bytes, open_ || std::holds_alternative<amqp::ChannelOpen>(method) ? kChannel : ChannelId(0),
                            method);
  connection_->send(std::move(bytes));
}

void Client::publish(const Publication& publication) {
  std::vector<std::byte> bytes;
  amqp::append_method_frame(
      bytes, kChannel,
      amqp::BasicPublish{.exchange = publication.exchange, .routing_key = publication.routing_key, .mandatory = true});
  const amqp::Properties properties{.delivery_mode = static_cast<std::uint8_t>(publication.persistent ? 2 : 1)};
  amqp::append_content_header(bytes, kChannel, kBasicClass, publication.body.size(),
                              amqp::encode_properties(properties));
  amqp::append_body_frames(bytes, kChannel, as_bytes(publication.body), kFrameMax);
  connection_->send(std::move(bytes));
}

void Client::declare(const Declaration& declaration) {
  const std::vector<std::byte> arguments = amqp::encode_table(declaration.arguments);
  ask("queue.declare " + declaration.queue, amqp::QueueDeclare{.queue = declaration.queue,
                                                               .durable = declaration.durable,
                                                               .exclusive = declaration.exclusive,
                                                               .auto_delete = declaration.auto_delete,
                                                               .arguments = arguments});
}

void Client::ask(std::string what) {
  stage_.tell([&] { return fmt::format("{} asks {}", name_, what); });
  asked_ = std::move(what);
  asked_at_ = stage_.schedule.now();
}

void Client::answered() {
  stage_.tell([&] { return fmt::format("{} is answered: {}", name_, asked_); });
  asked_.clear();
}

void Client::hang_up() {
  if (connection_) connection_->hang_up();
  on_lost();
}

void Client::retire() {
  retired_ = true;
  if (connection_) hang_up();
}

void Client::later(Duration delay, std::move_only_function<void()> task) {
  stage_.schedule.after(delay, [this, connection = connection_, task = std::move(task)]() mutable {
    if (connection && connection == connection_ && open_) task();
  });
}

void Client::on_lost() {
  if (!connection_) return;
  stage_.tell([&] { return fmt::format("{} has lost connection {}", name_, connection_->id()); });
  if (std::exchange(open_, false)) on_closed();
  connection_ = nullptr;
  asked_.clear();
  input_.clear();
  announcement_.clear();
  has_header_ = false;
  connect_later(50ms);
}

void Client::on_bytes(ByteView bytes) {
  stage_.trace.digest(bytes.size() + connection_->id() * 4096);
  input_.insert(input_.end(), bytes.begin(), bytes.end());
  std::vector<std::byte> taken = std::exchange(input_, {});
  ByteView rest(taken);
  const amqp::FrameDecoder decoder(0);
  const ConnectionPtr connection = connection_;
  while (connection_ == connection && connection_) {
    const amqp::FrameResult result = decoder.next(rest);
    const auto* frame = std::get_if<amqp::Frame>(&result);
    if (frame == nullptr) break;
    on_frame(*frame);
  }
  if (connection_ == connection) input_.insert(input_.begin(), rest.begin(), rest.end());
}

void Client::on_frame(const amqp::Frame& frame) {
  if (frame.type == amqp::FrameType::method) {
    const auto method = amqp::decode_method(frame.payload);
    if (!method) stage_.violated("a method that no client can read");
    return on_frame_method(*method, frame.payload);
  }
  if (frame.type == amqp::FrameType::header) {
    const amqp::ContentHeader header = amqp::decode_content_header(frame.payload);
    body_missing_ = header.body_size;
    delivery_count_ = delivery_count_in(header.properties);
    has_header_ = true;
  } else if (frame.type == amqp::FrameType::body) {
    body_ += as_text(frame.payload);
    body_missing_ -= frame.payload.size();
  }
  if (!has_header_ || body_missing_ > 0 || announcement_.empty()) return;
  const std::vector<std::byte> announcement = std::exchange(announcement_, {});
  on_content(*amqp::decode_method(announcement), {.body = body_, .delivery_count = delivery_count_});
}

void Client::on_frame_method(const amqp::Method& method, ByteView payload) {
  const bool announces = std::holds_alternative<amqp::BasicDeliver>(method) ||
                         std::holds_alternative<amqp::BasicGetOk>(method) ||
                         std::holds_alternative<amqp::BasicReturn>(method);
  if (announces) {
    announcement_.assign(payload.begin(), payload.end());
    has_header_ = false;
    body_.clear();
  } else if (open_) {
    on_method(method);
  } else {
    on_handshake(method);
  }
}

void Client::on_handshake(const amqp::Method& method) {
  if (std::holds_alternative<amqp::ConnectionStart>(method)) {
    constexpr std::string_view kGuest("\0guest\0guest", 12);
    static const std::vector<std::byte> kCapabilities = capabilities();
    send(amqp::ConnectionStartOk{
        .client_properties = {kCapabilities}, .mechanism = "PLAIN", .response = kGuest, .locale = "en_US"});
  } else if (std::holds_alternative<amqp::ConnectionTune>(method)) {
    send(amqp::ConnectionTuneOk{.channel_max = 10, .frame_max = kFrameMax, .heartbeat = 0});
    send(amqp::ConnectionOpen{.virtual_host = "/"});
  } else if (std::holds_alternative<amqp::ConnectionOpenOk>(method)) {
    send(amqp::ChannelOpen{});
  } else if (std::holds_alternative<amqp::ChannelOpenOk>(method)) {
    open_ = true;
    on_open();
  }
}

}  // namespace quorate::sim::nodes

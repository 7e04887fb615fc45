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
}  // namespace

Client::Client(Stage& stage, Doors& doors, Ledger& ledger, std::string name)
    : stage_(stage), doors_(doors), ledger_(ledger), name_(std::move(name)) {}

bool Client::is_answered(std::string& what) const {
  if (retired_) return true;
  what = !open_ ? "to be connected" : asked_;
  return open_ && asked_.empty();
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

void Client::publish(std::string_view queue, bool persistent, std::string_view body) {
  std::vector<std::byte> bytes;
  amqp::append_method_frame(bytes, kChannel, amqp::BasicPublish{.routing_key = queue, .mandatory = true});
  const amqp::Properties properties{.delivery_mode = static_cast<std::uint8_t>(persistent ? 2 : 1)};
  amqp::append_content_header(bytes, kChannel, kBasicClass, body.size(), amqp::encode_properties(properties));
  amqp::append_body_frames(bytes, kChannel, as_bytes(body), kFrameMax);
  connection_->send(std::move(bytes));
}

void Client::declare(const std::string& queue, bool is_quorum, bool durable, bool exclusive, bool auto_delete) {
  const std::vector<std::byte> arguments =
      amqp::encode_table(Table{.fields = {{"x-queue-type", Value(std::string(is_quorum ? "quorum" : "classic"))}}});
  ask("queue.declare " + queue);
  send(amqp::QueueDeclare{
      .queue = queue, .durable = durable, .exclusive = exclusive, .auto_delete = auto_delete, .arguments = arguments});
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
    if (frame->type == amqp::FrameType::method) {
      const auto method = amqp::decode_method(frame->payload);
      if (!method) stage_.violated("a method that no client can read");
      const bool announces = std::holds_alternative<amqp::BasicDeliver>(*method) ||
                             std::holds_alternative<amqp::BasicGetOk>(*method) ||
                             std::holds_alternative<amqp::BasicReturn>(*method);
      if (announces) {
        announcement_.assign(frame->payload.begin(), frame->payload.end());
        has_header_ = false;
        body_.clear();
      } else {
        on_frame_method(*method);
      }
      continue;
    }
    if (frame->type == amqp::FrameType::header) {
      body_missing_ = amqp::decode_content_header(frame->payload).body_size;
      has_header_ = true;
    } else if (frame->type == amqp::FrameType::body) {
      body_ += as_text(frame->payload);
      body_missing_ -= frame->payload.size();
    }
    if (has_header_ && body_missing_ == 0 && !announcement_.empty()) {
      const std::vector<std::byte> announcement = std::exchange(announcement_, {});
      on_content(*amqp::decode_method(announcement), body_);
    }
  }
  if (connection_ == connection) input_.insert(input_.begin(), rest.begin(), rest.end());
}

void Client::on_frame_method(const amqp::Method& method) {
  if (open_) return on_method(method);
  if (std::holds_alternative<amqp::ConnectionStart>(method)) {
    constexpr std::string_view kGuest("\0guest\0guest", 12);
    send(amqp::ConnectionStartOk{.mechanism = "PLAIN", .response = kGuest, .locale = "en_US"});
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

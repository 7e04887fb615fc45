#include "tests/sim/nodes/connection.h"

#include <algorithm>
#include <utility>

#include "broker/amqp/frame.h"
#include "broker/amqp/method_codec.h"
#include "tests/sim/nodes/broker.h"

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {
constexpr Duration kDelayMean = 200us;
}

Connection::Connection(Stage& stage, Broker& broker, ShardId shard, ClientEnd& client, std::uint64_t id)
    : stage_(stage), broker_(&broker), shard_(shard), client_(&client), id_(id) {}

void Connection::begin(const amqp::SessionOptions& options, amqp::Surroundings& surroundings, Instant now) {
  session_.emplace(options, amqp::Peer{.name = "sim"}, surroundings, now);
}

void Connection::send(std::vector<std::byte> bytes) {
  const WorldTime at =
      std::max(last_to_broker_, stage_.schedule.now() + draw_exponential(stage_.streams.workload, kDelayMean));
  last_to_broker_ = at;
  stage_.schedule.at(at, [self = shared_from_this(), bytes = std::move(bytes)]() mutable {
    if (self->closed_ || self->broker_ == nullptr) return;
    self->broker_->post(self->shard_, [self, bytes = std::move(bytes)] {
      if (self->closed_ || !self->session_) return;
      self->carry_.insert(self->carry_.end(), bytes.begin(), bytes.end());
      self->offer(self->broker_->now(self->shard_));
    });
  });
}

void Connection::hang_up() {
  client_ = nullptr;
  dismissed_ = true;
  const WorldTime at =
      std::max(last_to_broker_, stage_.schedule.now() + draw_exponential(stage_.streams.workload, kDelayMean));
  last_to_broker_ = at;
  stage_.schedule.at(at, [self = shared_from_this()] {
    if (self->closed_ || self->broker_ == nullptr) return;
    self->broker_->post(self->shard_, [self] { self->close(); });
  });
}

void Connection::offer(Instant now) {
  if (!session_->is_reading()) return;
  const std::size_t taken = session_->on_bytes(carry_, now);
  carry_.erase(carry_.begin(), carry_.begin() + static_cast<std::ptrdiff_t>(taken));
  touched_ = true;
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  if (session_) session_->on_disconnected();
  touched_ = true;
  const WorldTime at =
      std::max(last_to_client_, stage_.schedule.now() + draw_exponential(stage_.streams.workload, kDelayMean));
  stage_.schedule.at(at, [self = shared_from_this()] {
    if (ClientEnd* client = std::exchange(self->client_, nullptr)) client->on_lost();
  });
}

bool Connection::flush(Instant now) {
  if (!session_) return false;
  const bool more = std::exchange(touched_, false);
  session_->flush();
  if (closed_) {
    session_->flush();
    session_.reset();
    return more;
  }
  std::vector<std::byte> written;
  while (!session_->outbox().empty()) {
    session_->outbox().take(batch_);
    batch_.for_each_piece([&](ByteView piece) { written.insert(written.end(), piece.begin(), piece.end()); });
    session_->on_written(now);
    touched_ = true;
  }
  if (!written.empty()) {
    scan(written);
    const WorldTime at =
        std::max(last_to_client_, stage_.schedule.now() + draw_exponential(stage_.streams.workload, kDelayMean));
    last_to_client_ = at;
    stage_.schedule.at(at, [self = shared_from_this(), written = std::move(written)] {
      // A client whose broker has died reads what had arrived; one that was dismissed need not.
      if (self->client_ != nullptr && self->is_live()) self->client_->on_bytes(written);
    });
  }
  if (session_->wants_close() || dismissed_) {
    close();
  } else if (!carry_.empty() && session_->is_reading()) {
    const std::size_t before = carry_.size();
    offer(now);
    touched_ |= carry_.size() != before;
  }
  return more || touched_;
}

/// Clients of the simulator take the end of their channel for the end of everything.
void Connection::scan(ByteView bytes) {
  const amqp::FrameDecoder decoder(0);
  for (;;) {
    const amqp::FrameResult result = decoder.next(bytes);
    const auto* frame = std::get_if<amqp::Frame>(&result);
    if (frame == nullptr) return;
    if (frame->type != amqp::FrameType::method) continue;
    const auto method = amqp::decode_method(frame->payload);
    if (!method) continue;
    const bool ends =
        std::holds_alternative<amqp::ChannelClose>(*method) || std::holds_alternative<amqp::ConnectionClose>(*method);
    if (ends) {
      stage_.tell([&] { return "connection " + std::to_string(id_) + " <- " + amqp::print(*method); });
      broker_->note_dismissal(amqp::print(*method));
      dismissed_ = true;
    }
  }
}

void Connection::shut_down(std::string_view reason, Instant now) {
  if (closed_ || !session_) return;
  session_->on_shutdown(reason, now);
  dismissed_ = true;
  touched_ = true;
}

void Connection::check_deadline(Instant now) {
  if (closed_ || !session_) return;
  const auto due = session_->next_deadline();
  if (!due || *due > now) return;
  session_->on_deadline(now);
  touched_ = true;
}

void Connection::die() {
  close();
  session_.reset();
  broker_ = nullptr;
}

}  // namespace quorate::sim::nodes

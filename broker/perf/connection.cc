#include "broker/perf/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "base/cursor.h"
#include "broker/amqp/table_codec.h"

namespace quorate::perf {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
/// Asked of the broker at most; what RabbitMQ offers.
constexpr std::uint32_t kFrameMaxBytes = 131'072;
/// The slab doubles up to kSlabMaxBytes when the broker fills it, so that idle connections stay small.
constexpr std::size_t kSlabMinBytes = 4u << 10;
constexpr std::size_t kSlabMaxBytes = 512u << 10;
/// A write is about so large when there is enough to say.
constexpr std::size_t kBatchBytes = 64u << 10;

asio::steady_timer::time_point to_steady(Instant instant) {
  return asio::steady_timer::time_point(
      std::chrono::duration_cast<asio::steady_timer::duration>(instant.time_since_epoch()));
}

Table client_properties() {
  Table capabilities;
  for (const char* name : {"publisher_confirms", "basic.nack", "consumer_cancel_notify", "connection.blocked",
                           "authentication_failure_close"}) {
    capabilities.fields.emplace_back(name, true);
  }
  Table properties;
  properties.fields.emplace_back("product", std::string("quorate-perf"));
  properties.fields.emplace_back("version", std::string(QUORATE_VERSION));
  properties.fields.emplace_back("capabilities", std::move(capabilities));
  return properties;
}

template <class T>
constexpr std::uint32_t id_of = amqp::MethodInfo<T>::id;

}  // namespace

Connection::Connection(asio::io_context& io, const Clock& clock, std::string name, OnFailure on_failure)
    : clock_(clock),
      name_(std::move(name)),
      on_failure_(std::move(on_failure)),
      io_(io),
      socket_(io),
      timer_(io),
      resume_(io),
      slab_(kSlabMinBytes) {}

// --- before the loops ------------------------------------------------------------------------------------------------

asio::awaitable<Result<void>> Connection::open(Uri uri) {
  tcp::resolver resolver(io_);
  const auto [not_found, places] = co_await resolver.async_resolve(uri.host, uri.port, kAwait);
  error_code refused = not_found;
  if (!refused) {
    const auto [error, place] = co_await asio::async_connect(socket_, places, kAwait);
    refused = error;
  }
  if (refused) {
    co_return failure(ErrorCode::unavailable, fmt::format("{}:{}: {}", uri.host, uri.port, refused.message()));
  }
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  co_return co_await shake_hands(std::move(uri));
}

asio::awaitable<Result<void>> Connection::shake_hands(Uri uri) {
  constexpr ChannelId kZero{0};
  constexpr std::byte kHeader[] = {std::byte{'A'}, std::byte{'M'}, std::byte{'Q'}, std::byte{'P'},
                                   std::byte{0},   std::byte{0},   std::byte{9},   std::byte{1}};
  out_.insert(out_.end(), std::begin(kHeader), std::end(kHeader));
  auto heard = co_await answer(kZero, id_of<amqp::ConnectionStart>);
  if (!heard) co_return std::unexpected(heard.error());

  const std::vector<std::byte> properties = amqp::encode_table(client_properties());
  const std::string response = std::string(1, '\0') + uri.user + std::string(1, '\0') + uri.password;
  const amqp::Method start_ok = amqp::ConnectionStartOk{
      .client_properties = properties, .mechanism = "PLAIN", .response = response, .locale = "en_US"};
  heard = co_await call(kZero, start_ok, id_of<amqp::ConnectionTune>);
  if (!heard) co_return std::unexpected(heard.error());

  const amqp::Method tuned = heard->method();
  const auto& tune = std::get<amqp::ConnectionTune>(tuned);
  frame_max_bytes_ = tune.frame_max == 0 ? kFrameMaxBytes : std::min(tune.frame_max, kFrameMaxBytes);
  decoder_.set_frame_max(frame_max_bytes_);
  // No heartbeats: they would be a load of their own, and a broker that is gone is noticed by its socket.
  send(kZero, amqp::ConnectionTuneOk{.channel_max = tune.channel_max, .frame_max = frame_max_bytes_, .heartbeat = 0});
  const amqp::Method open = amqp::ConnectionOpen{.virtual_host = uri.vhost};
  heard = co_await call(kZero, open, id_of<amqp::ConnectionOpenOk>);
  if (!heard) co_return std::unexpected(heard.error());
  co_return Result<void>();
}

asio::awaitable<Result<void>> Connection::open_channel(ChannelId channel) {
  const amqp::Method open = amqp::ChannelOpen{};
  auto heard = co_await call(channel, open, id_of<amqp::ChannelOpenOk>);
  if (!heard) co_return std::unexpected(heard.error());
  co_return Result<void>();
}

asio::awaitable<Result<amqp::OwnedMethod>> Connection::answer(ChannelId channel, std::uint32_t id) {
  awaited_ = {.channel = channel, .id = id};
  pump();
  process(clock_.now());
  while (!answer_ && failure_.empty()) {
    const bool is_read = co_await read_some();
    if (is_read) process(clock_.now());
  }
  awaited_ = {};
  if (!answer_) co_return failure(ErrorCode::unavailable, failure_);
  amqp::OwnedMethod method = std::move(*answer_);
  answer_.reset();
  co_return method;
}

void Connection::attach(ChannelId channel, Agent& agent) {
  if (slots_.size() <= channel.value()) slots_.resize(channel.value() + 1u);
  slots_[channel.value()].agent = &agent;
  pumped_.push_back(channel);
}

// --- the loops -------------------------------------------------------------------------------------------------------

void Connection::start() {
  started_ = true;
  process(clock_.now());
  pump();
  asio::co_spawn(io_, read_loop(), asio::detached);
}

asio::awaitable<void> Connection::read_loop() {
  while (socket_.is_open()) {
    if (is_held_back_) {
      co_await pause();
    } else {
      const bool is_read = co_await read_some();
      if (!is_read) break;
    }
    process(clock_.now());
    pump();
  }
}

asio::awaitable<void> Connection::pause() {
  resume_.expires_at(to_steady(resume_at_));
  co_await resume_.async_wait(kAwait);
}

asio::awaitable<bool> Connection::read_some() {
  if (begin_ > 0) {
    std::memmove(slab_.data(), slab_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ == slab_.size()) slab_.resize(slab_.size() * 2);  // a frame larger than it, at most frame_max_bytes_
  const auto room = asio::buffer(slab_.data() + end_, slab_.size() - end_);
  const auto [error, size] = co_await socket_.async_read_some(room, kAwait);
  if (error) {
    fail(error == asio::error::eof ? "the broker closed the socket" : error.message());
    co_return false;
  }
  end_ += size;
  co_return true;
}

void Connection::process(Instant now) {
  const bool was_full = end_ == slab_.size();
  ByteView input(slab_.data() + begin_, end_ - begin_);
  while (!answer_ && failure_.empty() && !is_paused(now)) {
    const amqp::FrameResult result = decoder_.next(input);
    if (const auto* frame = std::get_if<amqp::Frame>(&result)) {
      on_frame(*frame, now);
    } else if (const auto* error = std::get_if<amqp::FrameError>(&result)) {
      fail("the broker sent no frame: " + to_amqp_error(*error).text);
    } else {
      break;
    }
  }
  begin_ = end_ - input.size();
  is_held_back_ = is_paused(now);
  if (was_full && started_ && slab_.size() < kSlabMaxBytes) slab_.resize(slab_.size() * 2);
}

void Connection::pump() {
  if (!sending_.empty() || !socket_.is_open()) return;
  const Instant next = closing_ ? Instant::max() : gather();
  if (!out_.empty()) return write();
  if (next != Instant::max()) arm(next);
}

Instant Connection::gather() {
  const Instant now = clock_.now();
  Instant next = Instant::max();
  for (std::size_t i = 0; i < pumped_.size() && out_.size() < kBatchBytes; ++i) {
    const ChannelId channel = pumped_[(first_pumped_ + i) % pumped_.size()];
    next = std::min(next, slots_[channel.value()].agent->pump(out_, kBatchBytes, now));
  }
  if (!pumped_.empty()) first_pumped_ = (first_pumped_ + 1) % pumped_.size();
  return next;
}

void Connection::write() {
  std::swap(out_, sending_);
  asio::async_write(socket_, asio::buffer(sending_), [this](error_code error, std::size_t) {
    sending_.clear();
    if (error) return fail(error.message());
    pump();
  });
}

void Connection::arm(Instant next) {
  if (armed_at_ == next) return;
  armed_at_ = next;
  timer_.expires_at(to_steady(next));
  timer_.async_wait([this](error_code error) {
    if (error) return;
    armed_at_ = Instant::max();
    pump();
  });
}

// --- what comes ------------------------------------------------------------------------------------------------------

void Connection::on_frame(const amqp::Frame& frame, Instant now) {
  if (frame.type == amqp::FrameType::heartbeat) return;
  if (frame.type == amqp::FrameType::method) return on_method(frame, now);
  const std::size_t channel = frame.channel.value();
  if (channel >= slots_.size() || slots_[channel].agent == nullptr) return fail("content where nobody wants it");
  on_content(frame, slots_[channel], now);
}

bool Connection::is_awaited(const amqp::Frame& frame) const {
  std::uint32_t id = 0;
  return awaited_.id != 0 && frame.channel == awaited_.channel && ByteReader(frame.payload).read(id) &&
         id == awaited_.id;
}

void Connection::on_method(const amqp::Frame& frame, Instant now) {
  const auto method = amqp::decode_method(frame.payload);
  if (!method) return fail("the broker sent a method that cannot be read");
  if (is_awaited(frame)) {
    answer_ = amqp::OwnedMethod{.payload = {frame.payload.begin(), frame.payload.end()}, .others = {}};
    return;
  }
  if (!dispatch(*method, frame.channel, now)) {
    fail(fmt::format("channel {}: unexpected {}", frame.channel.value(), amqp::print(*method)));
  }
}

bool Connection::dispatch(const amqp::Method& method, ChannelId channel, Instant now) {
  if (const auto* close = std::get_if<amqp::ConnectionClose>(&method)) {
    fail(fmt::format("closed by the broker: {} {}", close->reply_code, close->reply_text.text));
    return true;
  }
  if (const auto* close = std::get_if<amqp::ChannelClose>(&method)) {
    fail(fmt::format("channel {} closed by the broker: {} {}", channel.value(), close->reply_code,
                     close->reply_text.text));
    return true;
  }
  if (std::holds_alternative<amqp::ConnectionCloseOk>(method)) {
    drop();
    return closing_;
  }
  if (channel.value() == 0) {
    return std::holds_alternative<amqp::ConnectionBlocked>(method) ||
           std::holds_alternative<amqp::ConnectionUnblocked>(method);
  }
  if (channel.value() >= slots_.size() || slots_[channel.value()].agent == nullptr) return false;
  Slot& slot = slots_[channel.value()];
  if (!slot.reader.is_idle()) return false;
  if (const auto* deliver = std::get_if<amqp::BasicDeliver>(&method)) {
    slot.reader.begin(*deliver);
    return true;
  }
  if (const auto* returned = std::get_if<amqp::BasicReturn>(&method)) {
    slot.reader.begin(*returned);
    return true;
  }
  return slot.agent->on_method(method, now);
}

void Connection::on_content(const amqp::Frame& frame, Slot& slot, Instant now) {
  const auto outcome = slot.reader.on(frame);
  const bool is_fine = outcome == IncomingReader::Outcome::more || (outcome == IncomingReader::Outcome::whole &&
                                                                    slot.agent->on_message(slot.reader.message(), now));
  if (!is_fine) return fail("content where none belongs");
  if (outcome == IncomingReader::Outcome::whole) resume_at_ = slot.agent->resume_at();
}

// --- the end ---------------------------------------------------------------------------------------------------------

void Connection::close() {
  if (!socket_.is_open() || closing_) return;
  gather();  // the last acks
  closing_ = true;
  resume_.cancel();
  send(ChannelId{0}, amqp::ConnectionClose{.reply_code = 200, .reply_text = "Goodbye"});
  pump();
}

void Connection::drop() {
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  resume_.cancel();
}

void Connection::fail(std::string text) {
  drop();
  if (closing_ || !failure_.empty()) return;
  failure_ = fmt::format("{}: {}", name_, text);
  if (started_) on_failure_(failure_);
}

}  // namespace quorate::perf

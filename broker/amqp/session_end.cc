// How a connection or one of its channels ends: at the client's wish, by an error, with the socket, with the node.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "broker/amqp/channel.h"
#include "broker/amqp/session.h"

namespace quorate::amqp {
namespace {

/// connection.close or channel.close with what `error` says; `text` is its reply text and outlives the method.
template <class Close>
Close close_method(const AmqpError& error, std::string_view text) {
  return {.reply_code = static_cast<std::uint16_t>(error.code),
          .reply_text = text,
          .class_id = static_cast<std::uint16_t>(error.method_id >> 16),
          .method_id = static_cast<std::uint16_t>(error.method_id & 0xffff)};
}

}  // namespace

Handled Session::on(const ConnectionClose& method) {
  if (state_ == State::closing) {
    send0(ConnectionCloseOk{});
    return {};
  }
  if (closing_for_client_) return {};
  closing_for_client_ = true;
  close_reason_ = "client: " + std::to_string(method.reply_code) + " " + std::string(method.reply_text.text);
  end_channels();
  // Its exclusive queues are gone before close-ok, so that the client may reconnect and declare them again.
  if (!release_exclusive_queues()) finish_client_close();
  return {};
}

void Session::finish_client_close() {
  send0(ConnectionCloseOk{});
  // What the client still had in its own buffers comes now, and would meet a reset if the socket were closed at once.
  hang_up(close_reason_, limits::kCloseOkTimeout);
}

Handled Session::on(const ConnectionCloseOk&) {
  hang_up(close_reason_);
  return {};
}

void Session::fail(const AmqpError& error) {
  switch (state_) {
    case State::running:
    case State::opening:
      send_close(error);
      return;
    case State::tuning:
      if (error.code == ReplyCode::not_allowed) return send_close(error);
      break;
    default:
      break;
  }
  // Nobody knows yet who this is: no explanation, and no quick second try (features.md P014).
  ended_by_error_ = true;
  hang_up("handshake: " + error.reply_text(), limits::kSilentCloseDelay);
}

void Session::fail_channel(Channel& channel, const AmqpError& error) {
  if (error.is_hard()) return fail(error);
  channel.begin_closing();
  const std::string text = error.reply_text();
  outbox_.method(channel.id(), close_method<ChannelClose>(error, text));
}

void Session::send_close(const AmqpError& error) {
  if (state_ == State::closing || state_ == State::closed) return;
  end_channels();
  release_exclusive_queues();
  const std::string text = error.reply_text();
  send0(close_method<ConnectionClose>(error, text));
  state_ = State::closing;
  ended_by_error_ = true;
  close_reason_ = text;
  const Duration patience = heartbeat_ == Duration::zero() ? Duration(limits::kCloseOkTimeout)
                                                           : std::min<Duration>(heartbeat_, limits::kCloseOkTimeout);
  close_ok_deadline_ = now_ + patience;
}

void Session::hang_up(std::string reason, Duration linger) {
  if (close_reason_.empty()) close_reason_ = std::move(reason);
  end_channels();
  release_exclusive_queues();
  state_ = State::closed;
  if (std::exchange(admitted_, false)) surroundings_.leave(Surroundings::Counted::connection);
  if (linger > Duration::zero()) linger_until_ = now_ + linger;
}

bool Session::release_exclusive_queues() {
  if (!owner_) return false;
  surroundings_.submit(id_, cluster::ConnectionClosed{.owner = *std::exchange(owner_, std::nullopt)});
  return true;
}

void Session::end_channels() {
  for (auto& [id, channel] : channels_) {
    channel->end();
    ended_.push_back(std::move(channel));
  }
  channels_by_serial_.clear();
  channels_.clear();
  backlog_bytes_ = 0;
  publishing_bytes_ = 0;
}

void Session::forget_channel(ChannelId id) {
  const auto at = channels_.find(id);
  CHECK(at != channels_.end());
  at->second->end();
  channels_by_serial_.erase(at->second->session_id().serial);
  ended_.push_back(std::move(at->second));
  channels_.erase(at);
}

void Session::on_shutdown(std::string_view reason, Instant now) {
  now_ = now;
  if (state_ == State::running) {
    send_close({.code = ReplyCode::connection_forced, .text = std::string(reason)});
  } else if (state_ != State::closing) {
    hang_up(std::string(reason));
    linger_until_.reset();
  }
}

bool Session::end_if_departed(Instant now) {
  if (state_ != State::running) return false;  // who has not got in yet is refused there
  const cluster::Topology& topology = *surroundings_.topology();
  if (topology.users.find(user()) == nullptr) {
    on_shutdown("user '" + user() + "' is deleted", now);
  } else if (topology.find_vhost(vhost()) == nullptr) {
    on_shutdown("vhost '" + vhost() + "' is deleted", now);
  }
  return state_ != State::running;
}

void Session::on_disconnected() {
  if (state_ != State::closed) hang_up("the client closed the socket without saying so");
  linger_until_.reset();
}

}  // namespace quorate::amqp

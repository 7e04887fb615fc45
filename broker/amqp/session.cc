#include "broker/amqp/session.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/overloaded.h"
#include "broker/amqp/channel.h"
#include "broker/amqp/method_codec.h"
#include "broker/amqp/table_codec.h"
#include "broker/auth/sasl.h"

namespace quorate::amqp {
namespace {

constexpr ChannelId kChannel0{0};

std::string_view name_of(Session::State state) {
  static constexpr std::array<std::string_view, 7> kNames = {"pre_init", "starting", "tuning", "opening",
                                                             "running",  "closing",  "closed"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace

Session::Session(const SessionOptions& options, Peer peer, Surroundings& surroundings, Instant now)
    : options_(options),
      peer_(std::move(peer)),
      surroundings_(surroundings),
      id_(surroundings.begin(*this)),
      now_(now),
      decoder_(options.initial_frame_max_bytes),
      last_received_(now),
      last_sent_(now),
      last_written_(now),
      handshake_deadline_(now + options.handshake_timeout) {}

Session::~Session() {
  CHECK(channels_.empty());
  surroundings_.end(id_);
}

// --- bytes in ---

std::size_t Session::on_bytes(ByteView bytes, Instant now) {
  now_ = now;
  last_received_ = now;
  std::size_t taken = 0;
  if (state_ == State::header) {
    taken = on_header(bytes);
    if (taken == 0) return 0;
  }
  while (is_reading()) {
    if (state_ == State::closed) return bytes.size();
    ByteView rest = bytes.subspan(taken);
    const FrameResult result = decoder_.next(rest);
    if (std::holds_alternative<NeedMore>(result)) break;
    if (const auto* error = std::get_if<FrameError>(&result)) {
      const AmqpError reply = to_amqp_error(*error);
      if (state_ == State::running) send_close(reply);
      hang_up(reply.reply_text(), limits::kSilentCloseDelay);  // the stream cannot be followed any further
      return bytes.size();
    }
    taken = bytes.size() - rest.size();
    on_frame(std::get<Frame>(result));
  }
  received_bytes_ += taken;
  return taken;
}

std::size_t Session::on_header(ByteView bytes) {
  if (bytes.size() < kProtocolHeaderBytes) return 0;
  const ProtocolHeader header =
      recognize_protocol_header(std::span<const std::byte, kProtocolHeaderBytes>(bytes.first(kProtocolHeaderBytes)));
  if (header == ProtocolHeader::amqp_0_9_1 || header == ProtocolHeader::amqp_0_9) {
    const std::vector<std::byte> properties = encode_table(server_properties());
    const std::string mechanisms = auth::offered_mechanisms(sasl_options());
    send0(ConnectionStart{.version_major = 0,
                          .version_minor = 9,
                          .server_properties = properties,
                          .mechanisms = mechanisms,
                          .locales = "en_US"});
    state_ = State::starting;
    return kProtocolHeaderBytes;
  }
  // We speak no AMQP 1.0 here yet, so its clients hear which version we do speak.
  const bool is_amqp_1_0 = header == ProtocolHeader::amqp_1_0_sasl;
  outbox_.raw(refusal_bytes(is_amqp_1_0 ? ProtocolHeader::bad_version : header));
  switch (header) {
    case ProtocolHeader::http:
      hang_up("this is the AMQP port, and the client speaks HTTP");
      break;
    case ProtocolHeader::tls_client_hello:
      hang_up("this port expects no TLS, and the client begins with it");
      break;
    default:
      hang_up("unsupported protocol header");
  }
  return bytes.size();
}

bool Session::is_reading() const {
  if (state_ != State::running) return true;
  const bool is_behind = publishing_bytes_ > limits::kPublishInFlightMaxBytes ||
                         backlog_bytes_ > limits::kChannelBacklogMaxBytes || outbox_.size() > limits::kOutboxMaxBytes;
  const bool is_blocked = has_published_ && (!blocked_reason_.empty() || surroundings_.is_congested());
  return !is_behind && !is_blocked;
}

void Session::on_frame(const Frame& frame) {
  if (frame.type == FrameType::heartbeat) return;
  if (frame.channel == kChannel0) {
    on_frame0(frame);
  } else if (state_ == State::running) {
    on_channel_frame(frame);
  } else if (state_ != State::closing) {
    fail({.code = ReplyCode::unexpected_frame,
          .text = "frame on channel " + std::to_string(frame.channel.value()) + " before the connection is open"});
  }
}

void Session::on_frame0(const Frame& frame) {
  if (frame.type != FrameType::method) {
    fail({.code = ReplyCode::unexpected_frame, .text = "expected method frame, got non method frame instead"});
    return;
  }
  const auto method = decode_method(frame.payload);
  if (!method) {
    fail(to_amqp_error(method.error()));
    return;
  }
  if (auto handled = on_method0(*method); !handled) {
    AmqpError error = std::move(handled.error());
    if (error.method_id == 0) error.method_id = full_id(*method);
    fail(error);
  }
}

Handled Session::on_method0(const Method& method) {
  const auto unexpected = [&]() -> Handled {
    if (state_ == State::closing || closing_for_client_) return {};
    return refuse(ReplyCode::channel_error, "unexpected method in connection state " + std::string(name_of(state_)));
  };
  return std::visit(
      Overloaded{
          [&](const ConnectionStartOk& m) { return state_ == State::starting ? on(m) : unexpected(); },
          [&](const ConnectionTuneOk& m) { return state_ == State::tuning ? on(m) : unexpected(); },
          [&](const ConnectionOpen& m) { return state_ == State::opening ? on(m) : unexpected(); },
          [&](const ConnectionClose& m) { return on(m); },
          [&](const ConnectionCloseOk& m) { return state_ == State::closing ? on(m) : unexpected(); },
          [&](const ConnectionUpdateSecret& m) { return state_ == State::running ? on(m) : unexpected(); },
          [&](const auto&) { return unexpected(); },
      },
      method);
}

void Session::on_channel_frame(const Frame& frame) {
  if (closing_for_client_) return;
  const auto at = channels_.find(frame.channel);
  if (at == channels_.end()) {
    open_channel(frame);
  } else {
    at->second->on_frame(frame);
  }
}

void Session::open_channel(const Frame& frame) {
  if (frame.type != FrameType::method) {
    fail({.code = ReplyCode::unexpected_frame, .text = "expected method frame, got non method frame instead"});
    return;
  }
  const auto method = decode_method(frame.payload);
  if (!method) return fail(to_amqp_error(method.error()));
  // The answer to a close of ours that crossed with the client's own close.
  if (std::holds_alternative<ChannelCloseOk>(*method)) return;
  if (!std::holds_alternative<ChannelOpen>(*method)) {
    fail({.code = ReplyCode::channel_error, .text = "expected 'channel.open'", .method_id = full_id(*method)});
    return;
  }
  if (channel_max_ != 0 && channels_.size() >= channel_max_) {
    fail({.code = ReplyCode::not_allowed,
          .text = "number of channels opened (" + std::to_string(channels_.size()) +
                  ") has reached the negotiated channel_max (" + std::to_string(channel_max_) + ")",
          .method_id = MethodInfo<ChannelOpen>::id});
    return;
  }
  if (!surroundings_.admit(Surroundings::Counted::channel, options_.channel_max_per_node)) {
    fail({.code = ReplyCode::not_allowed,
          .text = "number of channels opened on node '" + options_.node_name +
                  "' has reached the maximum allowed limit of " + std::to_string(options_.channel_max_per_node),
          .method_id = MethodInfo<ChannelOpen>::id});
    return;
  }
  auto channel = std::make_unique<Channel>(*this, frame.channel);
  channels_by_serial_.emplace(channel->session_id().serial, channel.get());
  channels_.emplace(frame.channel, std::move(channel));
  outbox_.method(frame.channel, ChannelOpenOk{});
}

// --- events ---

void Session::on_mail(queue::SessionMail mail) {
  const auto at = channels_by_serial_.find(mail.to.serial);
  if (at == channels_by_serial_.end()) return;  // of a channel that has ended
  at->second->on_mail(std::move(mail));
}

void Session::on_metadata(const queue::SessionId& to, const MetadataReply& reply) {
  if (to == id_) {
    if (closing_for_client_ && state_ != State::closed) finish_client_close();
    return;
  }
  const auto at = channels_by_serial_.find(to.serial);
  if (at != channels_by_serial_.end()) at->second->on_metadata(reply);
}

void Session::on_written(Instant now) {
  now_ = now;
  last_sent_ = last_written_ = now;
  for (auto& [id, channel] : channels_) channel->on_written();
}

void Session::flush() {
  ended_.clear();
  // What a channel had waiting may end channels and open others, so none of them is held on to.
  std::vector<ChannelId>& ids = flushing_;
  ids.clear();
  for (const auto& [id, channel] : channels_) ids.push_back(id);
  for (const ChannelId id : ids) {
    const auto at = channels_.find(id);
    if (at != channels_.end()) at->second->flush();
  }
  if (!blocked_reason_.empty() && has_published_ && can_be_blocked_ && !told_blocked_) {
    send0(ConnectionBlocked{.reason = blocked_reason_});
    told_blocked_ = true;
  }
}

void Session::on_blocked(std::string_view reason) {
  blocked_reason_ = reason;
  if (reason.empty() && std::exchange(told_blocked_, false)) send0(ConnectionUnblocked{});
}

std::optional<Instant> Session::next_deadline() const {
  switch (state_) {
    case State::closed:
      return linger_until_;
    case State::closing:
      return close_ok_deadline_;
    case State::running:
      if (heartbeat_ == Duration::zero()) return tick_at_;
      return std::min({tick_at_, last_sent_ + heartbeat_ / 2, last_received_ + heartbeat_ * 5 / 2});
    default:
      return handshake_deadline_;
  }
}

void Session::on_deadline(Instant now) {
  now_ = now;
  const auto deadline = next_deadline();
  if (!deadline || now < *deadline) return;
  switch (state_) {
    case State::closed:
      linger_until_.reset();
      return;
    case State::closing:
      hang_up("the client did not answer connection.close");
      return;
    case State::running:
      if (now >= tick_at_) tick();
      if (heartbeat_ > Duration::zero()) keep_alive();
      return;
    default:
      ended_by_error_ = true;
      hang_up("handshake timeout in state " + std::string(name_of(state_)));
  }
}

void Session::tick() {
  tick_at_ = now_ + limits::kChannelTickMax;
  for (const auto& [id, channel] : channels_) {
    channel->on_tick(now_);
    tick_within(channel->tick_interval());
  }
}

/// Between two and three intervals without a byte end a connection, as RabbitMQ has it; not while we do not read
/// ourselves.
void Session::keep_alive() {
  const bool is_silent = now_ - last_received_ >= heartbeat_ * 5 / 2;
  if (is_silent && is_reading()) {
    ended_by_error_ = true;
    hang_up("missed heartbeats from the client, timeout: " +
            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(heartbeat_).count()) + "s");
    return;
  }
  const bool is_stuck = outbox_.size() > limits::kOutboxMaxBytes && now_ - last_written_ >= heartbeat_ * 3;
  if (is_stuck) {
    ended_by_error_ = true;
    hang_up("the client does not read");
    return;
  }
  if (is_silent) last_received_ = now_;
  if (now_ - last_sent_ >= heartbeat_ / 2) {
    outbox_.heartbeat();
    last_sent_ = now_;
  }
}

cluster::Owner Session::self_as_owner() const {
  return {.node = id_.node, .epoch = id_.epoch, .connection = ConnectionId(id_.serial)};
}

void Session::note_published(std::size_t bytes) {
  has_published_ = true;
  publishing_bytes_ += bytes;
}

}  // namespace quorate::amqp

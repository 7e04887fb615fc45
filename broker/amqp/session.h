// One AMQP 0-9-1 connection as a machine: bytes and events in, bytes and requests out. It has no socket, clock, thread
// or logger; the shell around it (connection.h) feeds it and carries out what it asks for, a transcript does the same.
//
//   header -> starting (start sent) -> tuning -> opening -> running -> closing (close sent) -> closed
//
// An error of the client closes its channel or the connection with RabbitMQ's code and text. Nothing it sends can fail
// a CHECK or hold more memory than limits.h says.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "base/value.h"
#include "broker/amqp/access.h"
#include "broker/amqp/frame.h"
#include "broker/amqp/outbox.h"
#include "broker/amqp/surroundings.h"
#include "broker/exchange/router.h"
#include "broker/exchange/routing_keys.h"

namespace quorate::amqp {

class Channel;

class Session {
 public:
  enum class State : std::uint8_t { header, starting, tuning, opening, running, closing, closed };

  Session(const SessionOptions& options, Peer peer, Surroundings& surroundings, Instant now);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes whole frames off the front of `bytes` and says how many bytes it took. What is left, and everything while
  /// is_reading() is false, is to be offered again with what follows.
  std::size_t on_bytes(ByteView bytes, Instant now);
  /// Answers to what a channel asked for.
  void on_mail(queue::SessionMail mail);
  void on_metadata(const queue::SessionId& to, const MetadataReply& reply);
  /// The socket has taken everything that was handed over; more may have been gathered meanwhile.
  void on_written(Instant now);
  /// next_deadline() has come.
  void on_deadline(Instant now);
  /// The node closes the connection: 320 with `reason`.
  void on_shutdown(std::string_view reason, Instant now);
  /// The same if its user or its virtual host has been deleted, and says whether.
  bool end_if_departed(Instant now);
  /// The memory or disk alarm has changed; "" = it is over.
  void on_blocked(std::string_view reason);
  /// The socket is gone. Nothing is sent any more; what the client held goes back.
  void on_disconnected();
  /// End of turn: requests and answers gathered by the channels go out.
  void flush();

  Outbox& outbox() { return outbox_; }
  /// False while the client must wait: too much of its is under way, or it does not read what we send.
  bool is_reading() const;
  /// The shell writes what is in the outbox and closes the socket.
  bool wants_close() const { return state_ == State::closed && !linger_until_; }
  /// When on_deadline() wants to be called.
  std::optional<Instant> next_deadline() const;

  // For the shell's log and for listings.
  State state() const { return state_; }
  const Peer& peer() const { return peer_; }
  const std::string& user() const { return access_.user(); }
  const std::string& vhost() const { return access_.vhost(); }
  const std::string& client_name() const { return client_name_; }
  /// Why the connection ended, for a person.
  const std::string& close_reason() const { return close_reason_; }
  bool ended_by_error() const { return ended_by_error_; }
  std::size_t channel_count() const { return channels_.size(); }
  const std::string& mechanism() const { return mechanism_; }
  const std::string& client_properties() const { return client_properties_; }  // encoded table
  Duration heartbeat() const { return heartbeat_; }
  std::uint32_t frame_max() const { return frame_max_; }
  std::uint16_t channel_max() const { return channel_max_; }
  bool is_blocked() const { return told_blocked_; }
  std::uint64_t received_bytes() const { return received_bytes_; }
  std::uint64_t sent_bytes() const { return outbox_.taken_bytes(); }
  std::size_t waiting_bytes() const { return outbox_.size(); }
  template <class Visit>
  void for_each_channel(Visit&& visit) const {
    for (const auto& [id, channel] : channels_) visit(std::as_const(*channel));
  }

 private:
  friend class Channel;

  std::size_t on_header(ByteView bytes);
  void on_frame(const Frame& frame);
  void on_frame0(const Frame& frame);
  void on_channel_frame(const Frame& frame);
  void open_channel(const Frame& frame);

  Handled on_method0(const Method& method);
  Handled on(const ConnectionStartOk& method);
  Handled on(const ConnectionTuneOk& method);
  Handled on(const ConnectionOpen& method);
  Handled on(const ConnectionClose& method);
  Handled on(const ConnectionCloseOk& method);
  Handled on(const ConnectionUpdateSecret& method);
  Handled on_secure_login(std::string_view mechanism, ByteView response);
  Handled log_in(const auth::Credentials& credentials, std::string_view mechanism);
  Handled refuse_login(std::string_view mechanism, std::string reason);
  void send_tune();
  auth::SaslOptions sasl_options() const;

  void fail(const AmqpError& error);
  void fail_channel(Channel& channel, const AmqpError& error);
  void send_close(const AmqpError& error);
  /// Nothing is heard or said any more; the socket is closed when `linger` is over or the client closes it.
  void hang_up(std::string reason, Duration linger = Duration::zero());
  void end_channels();
  /// False if it never asked for one; else on_metadata() says when they are gone.
  bool release_exclusive_queues();
  void finish_client_close();
  void tick();
  void tick_within(Duration interval) { tick_at_ = std::min(tick_at_, now_ + interval); }
  void keep_alive();
  void forget_channel(ChannelId id);
  Table server_properties() const;
  void read_capabilities(const Table& client_properties);
  void note_published(std::size_t bytes);
  cluster::Owner self_as_owner() const;

  template <class T>
  void send0(const T& method) {
    outbox_.method(ChannelId(0), method);
  }

  const SessionOptions& options_;
  const Peer peer_;
  Surroundings& surroundings_;
  const queue::SessionId id_;  // of the connection itself, for its own requests
  std::uint64_t received_bytes_ = 0;

  State state_ = State::header;
  Instant now_;        // as of the event being handled
  Instant tick_at_{};  // while it runs
  FrameDecoder decoder_;
  Outbox outbox_;
  Access access_;
  std::string client_name_;
  std::string client_properties_;
  std::string mechanism_;
  bool can_fail_authentication_ = false;  // the client understands a close for a refused login
  bool can_be_blocked_ = false;
  bool can_cancel_notify_ = false;
  std::uint32_t frame_max_ = 0;
  std::uint16_t channel_max_ = 0;

  std::map<ChannelId, std::unique_ptr<Channel>> channels_;
  std::map<std::uint64_t, Channel*> channels_by_serial_;
  std::vector<std::unique_ptr<Channel>> ended_;  // may still be on the call stack; gone at the end of the turn
  std::optional<cluster::Owner> owner_;          // once an exclusive queue was asked for
  bool admitted_ = false;                        // counts as a connection of the node
  bool closing_for_client_ = false;              // close-ok is owed as soon as its exclusive queues are gone
  std::size_t consumer_count_ = 0;               // on all channels
  std::size_t publishing_bytes_ = 0;             // published, and not yet taken by the queues
  std::size_t backlog_bytes_ = 0;                // frames that wait behind a request of their channel
  bool has_published_ = false;
  std::string blocked_reason_;
  bool told_blocked_ = false;

  Duration heartbeat_{};  // zero = off
  Instant last_received_;
  Instant last_sent_;
  Instant last_written_;  // the socket took something
  Instant handshake_deadline_;
  std::optional<Instant> linger_until_;  // closed, and the socket stays open and silent until then
  std::optional<Instant> close_ok_deadline_;
  std::string close_reason_;
  bool ended_by_error_ = false;

  // Reused from turn to turn and from publication to publication.
  std::vector<ChannelId> flushing_;
  exchange::Router router_;
  exchange::RoutingKeys routing_keys_;
  std::vector<std::uint64_t> direct_queues_;  // what the default exchange found
};

}  // namespace quorate::amqp

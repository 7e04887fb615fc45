// One client connection of a transcript: a real Session, fed with bytes as the socket shell feeds it. What the session
// writes is read back, frame by frame, and printed in the words of the protocol.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "broker/amqp/outbox.h"
#include "broker/amqp/properties.h"
#include "broker/amqp/session.h"
#include "cluster/shard.h"
#include "tests/script/world.h"

namespace quorate::script {

/// How the bytes of a line reach the session.
enum class Delivery { whole, octet_by_octet };

class Client final : public cluster::TurnHook {
 public:
  /// `prefix` begins every printed line. Lines go to the end of `lines`.
  Client(World& world, std::string prefix, amqp::SessionOptions options, amqp::Peer peer, Delivery delivery,
         std::vector<std::string>& lines);
  ~Client() override;

  void send(ByteView bytes);
  void method(ChannelId channel, const amqp::Method& method);
  void content(ChannelId channel, const amqp::Properties& properties, std::string_view body);
  /// The client closes the socket.
  void disconnect();
  void block(std::string_view reason);
  void shut_down(std::string_view reason);
  void on_deadline();

  const amqp::Session& session() const { return session_; }
  const amqp::SessionOptions& options() const { return options_; }
  void set_frame_max(std::uint32_t frame_max) { frame_max_ = frame_max; }
  bool on_turn_end() override;

 private:
  /// A method that announces content, and what has come of it.
  struct Incoming {
    std::string text;
    std::uint64_t body_missing = 0;
    std::string body;
  };

  void offer();
  void print_written();
  std::size_t print_header(ByteView bytes);
  void print_frame(const amqp::Frame& frame);
  void print_line(ChannelId channel, std::string_view text);
  void finish(ChannelId channel);

  World& world_;
  const std::string prefix_;
  const amqp::SessionOptions options_;
  const Delivery delivery_;
  std::vector<std::string>& lines_;
  amqp::Session session_;
  std::vector<std::byte> carry_;    // sent, and not yet taken by the session
  std::vector<std::byte> written_;  // by the session, and not yet printed
  std::map<ChannelId, Incoming> incoming_;
  amqp::OutboxBatch batch_;
  std::uint32_t frame_max_ = 131'072;
  bool touched_ = false;  // since the end of the last turn
  bool closed_ = false;
};

}  // namespace quorate::script

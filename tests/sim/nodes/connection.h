// Connection: one AMQP connection, the client's end and the broker's. The broker's is a real Session fed with bytes as
// the socket shell does it; the client's is whoever implements ClientEnd. Both directions take their time, in order.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "broker/amqp/session.h"
#include "cluster/shard.h"
#include "tests/sim/stage.h"

namespace quorate::sim::nodes {

class ClientEnd {
 public:
  virtual ~ClientEnd() = default;
  virtual void on_bytes(ByteView bytes) = 0;
  /// The socket is closed. Nothing comes after it.
  virtual void on_lost() = 0;
};

class Broker;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Stage& stage, Broker& broker, ShardId shard, ClientEnd& client, std::uint64_t id);

  std::uint64_t id() const { return id_; }
  /// Neither end has closed it, and the broker has not said that it will.
  bool is_live() const { return !closed_ && !dismissed_; }

  // From the client.
  void send(std::vector<std::byte> bytes);
  /// It closes its socket, and hears no more.
  void hang_up();

  // From the broker, in a turn of its shard.
  void begin(const amqp::SessionOptions& options, amqp::Surroundings& surroundings, Instant now);
  /// True when there is more to do. What the session has said leaves.
  bool flush(Instant now);
  void shut_down(std::string_view reason, Instant now);
  void check_deadline(Instant now);
  bool is_done() const { return closed_ && !session_; }
  ShardId shard() const { return shard_; }
  /// The process is no more.
  void die();

 private:
  void offer(Instant now);
  void close();
  void scan(ByteView bytes);

  Stage& stage_;
  Broker* broker_;  // none once the process has died
  const ShardId shard_;
  ClientEnd* client_;  // none once it has hung up
  const std::uint64_t id_;
  std::optional<amqp::Session> session_;
  amqp::OutboxBatch batch_;
  std::vector<std::byte> carry_;
  bool touched_ = true;
  bool closed_ = false;     // on the broker's side
  bool dismissed_ = false;  // a close of the connection or of the channel is on its way to the client
  WorldTime last_to_broker_{};
  WorldTime last_to_client_{};
};

}  // namespace quorate::sim::nodes

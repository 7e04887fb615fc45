// Client: an AMQP client with one channel that speaks bytes. It connects to a node that serves, again and again; those
// who derive from it say what it does with its channel.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "broker/amqp/method_codec.h"
#include "tests/sim/nodes/connection.h"
#include "tests/sim/nodes/ledger.h"

namespace quorate::sim::nodes {

/// Where clients find brokers.
class Doors {
 public:
  virtual ~Doors() = default;
  /// A connection to some node that serves, or none.
  virtual ConnectionPtr connect(ClientEnd& client, std::string& where) = 0;
};

struct Publication {
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view body;
  bool persistent = true;
};

struct Declaration {
  std::string queue;
  Table arguments;
  bool durable = true;
  bool exclusive = false;
  bool auto_delete = false;
};

class Client : public ClientEnd {
 public:
  Client(Stage& stage, Doors& doors, Ledger& ledger, std::string name);

  void begin() { connect_later(std::chrono::milliseconds(100)); }
  const std::string& name() const { return name_; }
  bool is_open() const { return open_; }
  /// What it waits for; nothing when everything that it has asked for is answered.
  virtual std::optional<std::string> missing() const;
  /// Nothing new from now on; what is under way is brought to its end.
  virtual void stop() { stopped_ = true; }
  std::string describe() const;

  void on_bytes(ByteView bytes) final;
  void on_lost() final;
  /// It goes, and does not come back.
  void retire();

 protected:
  /// The channel is open.
  virtual void on_open() = 0;
  virtual void on_method(const amqp::Method& method) = 0;
  virtual void on_content(const amqp::Method& announcement, const Content& content) = 0;
  /// What was under way has an unknown fate.
  virtual void on_closed() = 0;

  void send(const amqp::Method& method);
  /// Mandatory.
  void publish(const Publication& publication);
  void declare(const Declaration& declaration);
  /// `what` is asked, and is to be answered.
  void ask(std::string what);
  template <class Method>
  void ask(std::string what, const Method& method) {
    ask(std::move(what));
    send(method);
  }
  void answered();
  bool waits() const { return !asked_.empty(); }
  void hang_up();
  /// In this connection, and not if it has ended by then.
  void later(Duration delay, std::move_only_function<void()> task);
  bool is_stopped() const { return stopped_; }
  Random& chance() { return stage_.streams.workload; }

  Stage& stage_;
  Doors& doors_;
  Ledger& ledger_;
  const std::string name_;
  ConnectionPtr connection_;
  std::string where_;

 private:
  void connect_later(Duration mean);
  void connect();
  void on_frame(const amqp::Frame& frame);
  void on_frame_method(const amqp::Method& method, ByteView payload);
  void on_handshake(const amqp::Method& method);

  bool open_ = false;
  bool retired_ = false;
  bool stopped_ = false;
  std::string asked_;
  WorldTime asked_at_{};
  std::vector<std::byte> input_;
  std::vector<std::byte> announcement_;  // payload of a method whose content follows
  std::uint64_t body_missing_ = 0;
  bool has_header_ = false;
  std::string body_;
  std::optional<std::int64_t> delivery_count_;
};

}  // namespace quorate::sim::nodes

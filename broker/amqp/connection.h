// The socket shell around a Session: reads, writes, keeps its deadline, and nothing else. One class for TCP and one for
// TLS, made from the same template in connection.cc.
// Owned by the ConnectionSet of its shard; ends itself when the session or the peer wants it and is then removed.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "broker/amqp/session.h"
#include "cluster/shard.h"

namespace quorate::amqp {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;
/// Who the client's certificate says it is; nothing without one.
using CertificateNamer = std::function<std::optional<std::string>(SSL*)>;

class Connection {
 public:
  virtual ~Connection() = default;
  /// Begins to read; a TLS connection shakes hands first.
  virtual void start() = 0;
  /// What happened to the session in this turn takes effect: frames are written, the socket is closed.
  virtual void flush() = 0;
  /// Closes the socket without a word.
  virtual void drop() = 0;
  /// Nothing of it runs any more: it may be destroyed.
  virtual bool is_done() const = 0;
  /// Null before a TLS handshake is over.
  virtual Session* session() = 0;

  bool is_marked = false;  // the set is to flush it, and knows
};

/// The connections of one shard.
class ConnectionSet final : public cluster::TurnHook {
 public:
  ConnectionSet(cluster::Shard& shard, Surroundings& surroundings, const SessionOptions& options);
  ~ConnectionSet() override;

  void accept(boost::asio::ip::tcp::socket socket);
  void accept_tls(boost::asio::ip::tcp::socket socket, TlsContext context, CertificateNamer namer,
                  Duration handshake_timeout);

  /// Asks every client to go: 320 with `reason`.
  void shut_down(std::string_view reason);
  /// Clients are welcome again.
  void reopen() { closing_ = false; }
  /// An alarm blocks publishers, those of connections to come as well; "" = it is over.
  void set_blocked(const std::string& reason);
  /// Closes what is left.
  void drop_all();
  std::size_t size() const { return connections_.size(); }
  /// Those that have got as far as to speak AMQP; `visit` may change the session, not the set.
  template <class Visit>
  void for_each_session(Visit&& visit) {
    for (auto& [session, connection] : by_session_) visit(*session);
  }

  /// The connection has something to flush at the end of this turn.
  void mark_dirty(Connection& connection) {
    if (!std::exchange(connection.is_marked, true)) dirty_.push_back(&connection);
  }
  void mark_dirty(Session& session);
  /// The connection does not read; it is looked at again when the log has caught up.
  void note_paused(Connection& connection) {
    if (surroundings_.is_congested()) paused_.push_back(&connection);
  }
  bool on_turn_end() override;

  // For the connections.
  cluster::Shard& shard() { return shard_; }
  Surroundings& surroundings() { return surroundings_; }
  const SessionOptions& options() const { return options_; }
  /// From now on mark_dirty(session) finds its connection.
  void introduce(Session& session, Connection& connection) {
    by_session_[&session] = &connection;
    if (!blocked_reason_.empty()) session.on_blocked(blocked_reason_);
  }
  /// Where one read lands; its bytes are used before the next read of any connection.
  std::vector<std::byte>& read_slab() { return read_slab_; }

 private:
  void add(std::unique_ptr<Connection> connection);
  void wake_paused();

  cluster::Shard& shard_;
  Surroundings& surroundings_;
  const SessionOptions& options_;
  std::vector<std::byte> read_slab_ = std::vector<std::byte>(limits::kReadSlabBytes);
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::unordered_map<Session*, Connection*> by_session_;
  std::vector<Connection*> paused_;  // may name a connection twice
  boost::asio::steady_timer look_again_;
  bool closing_ = false;
  std::string blocked_reason_;
  std::vector<Connection*> dirty_;  // those that are marked, and when they are being flushed those that were
};

}  // namespace quorate::amqp

// The listening sockets of a node: one for each address that a host name leads to. They accept on shard 0 and deal the
// connections out to the shards in turn.
#pragma once
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/http/broker_view.h"
#include "broker/node/config.h"
#include "broker/node/node_shard.h"
#include "broker/node/tls.h"
#include "cluster/name_lookup.h"

namespace quorate {

class Listeners {
 public:
  /// The addresses behind a host name.
  using Lookup = std::function<Result<std::vector<std::string>>(const std::string&)>;
  Listeners(const Config& config, std::vector<NodeShard*> shards, Lookup lookup = &cluster::look_up);
  ~Listeners();

  /// Opens every listener; the error names the address. Of several behind one name, those that this machine does not
  /// have are left out with a line in the log.
  Result<void> open();
  // On the thread of shard 0:
  /// Accepts; after a stop() it listens anew, and the error names the address that somebody else has now.
  Result<void> start();
  void stop();

  /// Reads the certificates again; on an error the old ones stay in use. Any thread.
  Result<void> reload_tls();
  /// "127.0.0.1:5672 (amqp)" for each.
  std::vector<std::string> names() const;
  std::vector<http::ListenerRow> rows() const;

 private:
  struct Listener;

  Result<void> open_one(const ListenAddress& address, bool is_tls);
  static Error refusal(const Listener& listener, const boost::system::error_code& error);
  boost::system::error_code listen(Listener& listener);
  void accept(Listener& listener);
  void on_accepted(Listener& listener, boost::asio::ip::tcp::socket socket);

  const Config& config_;
  std::vector<NodeShard*> shards_;
  const Lookup lookup_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::atomic<amqp::TlsContext> tls_;  // read on shard 0, replaced by the thread of the signals
  std::size_t next_shard_ = 0;
  bool stopped_ = false;
  std::uint64_t starts_ = 0;  // what an earlier one left behind does nothing
};

}  // namespace quorate

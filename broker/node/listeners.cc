#include "broker/node/listeners.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace quorate {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// Out of file descriptors: accepting again at once would only fail again.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

std::string print(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

Result<tcp::endpoint> resolve(const ListenAddress& address) {
  if (address.host.empty()) return tcp::endpoint(tcp::v6(), address.port);
  error_code error;
  const auto ip = asio::ip::make_address(address.host, error);
  if (!error) return tcp::endpoint(ip, address.port);
  asio::io_context io;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port), error);
  if (error || found.empty()) {
    return failure(ErrorCode::invalid_argument,
                   "listener '" + address.name + "': '" + address.host + "' is no address of this machine");
  }
  return found.begin()->endpoint();
}

}  // namespace

struct Listeners::Listener {
  Listener(asio::io_context& io, ListenAddress where, bool tls)
      : address(std::move(where)), acceptor(io), pause(io), is_tls(tls) {}
  ListenAddress address;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  bool is_tls = false;
};

Listeners::Listeners(const Config& config, std::vector<NodeShard*> shards)
    : config_(config), shards_(std::move(shards)) {}

Listeners::~Listeners() = default;

Result<void> Listeners::open() {
  if (!config_.tls_listeners.empty()) {
    if (auto loaded = reload_tls(); !loaded) return loaded;
  }
  for (const ListenAddress& address : config_.tcp_listeners) {
    if (auto opened = open_one(address, false); !opened) return opened;
  }
  for (const ListenAddress& address : config_.tls_listeners) {
    if (auto opened = open_one(address, true); !opened) return opened;
  }
  return {};
}

Result<void> Listeners::open_one(const ListenAddress& address, bool is_tls) {
  auto listener = std::make_unique<Listener>(shards_.front()->shard().io(), address, is_tls);
  if (auto opened = listen(*listener); !opened) return opened;
  listeners_.push_back(std::move(listener));
  return {};
}

Result<void> Listeners::listen(Listener& listener) {
  const ListenAddress& address = listener.address;
  auto endpoint = resolve(address);
  if (!endpoint) return std::unexpected(endpoint.error());
  tcp::acceptor& acceptor = listener.acceptor;
  error_code error;
  acceptor.open(endpoint->protocol(), error);
  if (error && address.host.empty()) {
    // A machine without IPv6.
    *endpoint = tcp::endpoint(tcp::v4(), address.port);
    acceptor.open(endpoint->protocol(), error);
  }
  error_code ignored;
  acceptor.set_option(tcp::acceptor::reuse_address(true), ignored);
  if (endpoint->protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(!address.host.empty()), ignored);
  const SocketOptions& options = config_.sockets;
  if (options.receive_buffer_bytes != 0) {
    const int size = static_cast<int>(options.receive_buffer_bytes);
    acceptor.set_option(asio::socket_base::receive_buffer_size(size), ignored);
  }
  if (!error) acceptor.bind(*endpoint, error);
  if (!error) acceptor.listen(static_cast<int>(options.backlog), error);
  if (error) {
    return failure(ErrorCode::io, "cannot listen on " + print(*endpoint) + ": " + error.message() +
                                      (error == asio::error::address_in_use ? "; is another broker running?" : ""));
  }
  return {};
}

Result<void> Listeners::reload_tls() {
  if (config_.tls_listeners.empty()) return {};
  auto context = make_tls_context(config_.tls);
  if (!context) return std::unexpected(context.error());
  tls_.store(std::move(*context));
  return {};
}

std::vector<std::string> Listeners::names() const {
  std::vector<std::string> names;
  for (const auto& listener : listeners_) {
    error_code ignored;
    names.push_back(print(listener->acceptor.local_endpoint(ignored)) + (listener->is_tls ? " (amqps)" : " (amqp)"));
  }
  return names;
}

std::vector<http::ListenerRow> Listeners::rows() const {
  std::vector<http::ListenerRow> rows;
  for (const auto& listener : listeners_) {
    error_code ignored;
    const tcp::endpoint endpoint = listener->acceptor.local_endpoint(ignored);
    rows.push_back({.protocol = listener->is_tls ? "amqp/ssl" : "amqp",
                    .address = endpoint.address().to_string(),
                    .port = endpoint.port(),
                    .is_tls = listener->is_tls});
  }
  return rows;
}

Result<void> Listeners::start() {
  ++starts_;
  const bool is_anew = std::exchange(stopped_, false);
  for (auto& listener : listeners_) {
    if (is_anew) {
      if (auto opened = listen(*listener); !opened) return opened;
    }
    accept(*listener);
  }
  return {};
}

void Listeners::stop() {
  stopped_ = true;
  for (auto& listener : listeners_) {
    error_code ignored;
    listener->acceptor.close(ignored);
    listener->pause.cancel();
  }
}

void Listeners::accept(Listener& listener) {
  if (stopped_) return;
  listener.acceptor.async_accept([this, &listener, start = starts_](const error_code& error, tcp::socket socket) {
    if (stopped_ || start != starts_) return;
    if (!error) {
      on_accepted(listener, std::move(socket));
      accept(listener);
      return;
    }
    log::error(log::Category::connection, "not accepted reason=\"{}\"", error.message());
    listener.pause.expires_after(kAcceptPause);
    listener.pause.async_wait([this, &listener](const error_code& cancelled) {
      if (!cancelled) accept(listener);
    });
  });
}

/// The socket changes its event loop: the descriptor is all that goes over.
void Listeners::on_accepted(Listener& listener, tcp::socket socket) {
  error_code ignored;
  const SocketOptions& options = config_.sockets;
  socket.set_option(tcp::no_delay(options.nodelay), ignored);
  if (options.keepalive) socket.set_option(asio::socket_base::keep_alive(true), ignored);
  if (options.send_buffer_bytes != 0) {
    socket.set_option(asio::socket_base::send_buffer_size(static_cast<int>(options.send_buffer_bytes)), ignored);
  }
  const tcp protocol = socket.local_endpoint(ignored).protocol();
  error_code error;
  const auto descriptor = socket.release(error);
  if (error) return;
  NodeShard* to = shards_[next_shard_++ % shards_.size()];
  amqp::TlsContext tls = listener.is_tls ? tls_.load() : nullptr;
  shards_.front()->shard().post(to->shard().id(), [this, to, protocol, descriptor, tls = std::move(tls)] {
    error_code failed;
    tcp::socket moved(to->shard().io());
    moved.assign(protocol, descriptor, failed);
    if (failed) {
      ::close(descriptor);
      return;
    }
    if (!tls) {
      to->connections().accept(std::move(moved));
      return;
    }
    to->connections().accept_tls(
        std::move(moved), tls, [this](SSL* connection) { return certificate_name(connection, config_); },
        config_.tls_handshake_timeout);
  });
}

}  // namespace quorate

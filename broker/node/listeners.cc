#include "broker/node/listeners.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "cluster/plane/plane_options.h"

namespace quorate {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// Out of file descriptors: accepting again at once would only fail again.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

std::string print(const tcp::endpoint& endpoint) {
  return cluster::print_address(endpoint.address().to_string(), endpoint.port());
}

/// All addresses of a host name.
Result<std::vector<tcp::endpoint>> resolve(const ListenAddress& address, const Listeners::Lookup& lookup) {
  if (address.host.empty()) return std::vector{tcp::endpoint(tcp::v6(), address.port)};
  error_code error;
  const auto ip = asio::ip::make_address(address.host, error);
  if (!error) return std::vector{tcp::endpoint(ip, address.port)};
  std::vector<tcp::endpoint> endpoints;
  const auto found = lookup(address.host);
  for (const std::string& one : found.value_or(std::vector<std::string>())) {
    const auto address_of_host = asio::ip::make_address(one, error);
    if (!error) endpoints.emplace_back(address_of_host, address.port);
  }
  if (!endpoints.empty()) return endpoints;
  return failure(ErrorCode::invalid_argument,
                 "listener '" + address.name + "': '" + address.host + "' is no address of this machine");
}

/// This machine does not have the address, or no addresses of its family.
bool is_elsewhere(const error_code& error) {
  return error == asio::error::address_family_not_supported || error == boost::system::errc::address_not_available;
}

}  // namespace

struct Listeners::Listener {
  Listener(asio::io_context& io, tcp::endpoint where, bool everywhere, bool tls)
      : endpoint(std::move(where)), is_everywhere(everywhere), acceptor(io), pause(io), is_tls(tls) {}
  tcp::endpoint endpoint;
  bool is_everywhere = false;  // on every address, of both families
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  bool is_tls = false;
  bool is_refusing = false;
};

Listeners::Listeners(const Config& config, std::vector<NodeShard*> shards, Lookup lookup)
    : config_(config), shards_(std::move(shards)), lookup_(std::move(lookup)) {}

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

/// Wherever the name leads to. `localhost` may lead to ::1 on a machine without IPv6.
Result<void> Listeners::open_one(const ListenAddress& address, bool is_tls) {
  const auto endpoints = resolve(address, lookup_);
  if (!endpoints) return std::unexpected(endpoints.error());
  std::vector<Error> skipped;
  for (const tcp::endpoint& endpoint : *endpoints) {
    auto listener = std::make_unique<Listener>(shards_.front()->shard().io(), endpoint, address.host.empty(), is_tls);
    const error_code error = listen(*listener);
    if (!error) {
      listeners_.push_back(std::move(listener));
    } else if (is_elsewhere(error)) {
      skipped.push_back(refusal(*listener, error));
    } else {
      return std::unexpected(refusal(*listener, error));
    }
  }
  if (skipped.size() == endpoints->size()) return std::unexpected(skipped.back());
  for (const Error& error : skipped) {
    log::warn(log::Category::connection, "listener.skipped host={} reason=\"{}\"", address.host, error.text);
  }
  return {};
}

error_code Listeners::listen(Listener& listener) {
  tcp::endpoint& endpoint = listener.endpoint;
  tcp::acceptor& acceptor = listener.acceptor;
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (error && listener.is_everywhere) {
    // A machine without IPv6.
    endpoint = tcp::endpoint(tcp::v4(), endpoint.port());
    acceptor.open(endpoint.protocol(), error);
  }
  error_code ignored;
  acceptor.set_option(tcp::acceptor::reuse_address(true), ignored);
  if (endpoint.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(!listener.is_everywhere), ignored);
  const SocketOptions& options = config_.sockets;
  if (options.receive_buffer_bytes != 0) {
    const int size = static_cast<int>(options.receive_buffer_bytes);
    acceptor.set_option(asio::socket_base::receive_buffer_size(size), ignored);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(static_cast<int>(options.backlog), error);
  return error;
}

Error Listeners::refusal(const Listener& listener, const error_code& error) {
  return {.code = ErrorCode::io,
          .text = "cannot listen on " + print(listener.endpoint) + ": " + error.message() +
                  (error == asio::error::address_in_use ? "; is another broker running?" : "")};
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
      if (const error_code error = listen(*listener)) return std::unexpected(refusal(*listener, error));
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
      listener.is_refusing = false;
      on_accepted(listener, std::move(socket));
      accept(listener);
      return;
    }
    if (!std::exchange(listener.is_refusing, true)) {
      log::error(
          log::Category::connection,
          "listener.not_accepting address={} reason=\"{}\" effect=\"clients wait\" do=\"if files are meant, raise "
          "LimitNOFILE or lower max_connections\"",
          print(listener.endpoint), error.message());
    }
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

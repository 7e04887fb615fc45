#include "broker/http/server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "base/log.h"
#include "broker/http/unix_path.h"

namespace quorate::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

/// Out of file descriptors: accepting again at once would only fail again.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr unsigned kHttp11 = 11;

class Closable {
 public:
  virtual ~Closable() = default;
  virtual void close() = 0;
};

bool is_loopback(const tcp::endpoint& peer) {
  const asio::ip::address address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}
/// Who can open the socket's file is on this machine.
bool is_loopback(const asio::local::stream_protocol::endpoint&) { return true; }

std::string print(const tcp::endpoint& peer) {
  std::ostringstream text;
  text << peer;
  return text.str();
}
std::string print(const asio::local::stream_protocol::endpoint&) { return "local"; }

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lowered;
}

Response refused(unsigned status, std::string_view error, std::string_view reason) {
  return {.status = status,
          .body = R"({"error":")" + std::string(error) + R"(","reason":")" + std::string(reason) + R"("})",
          .headers = {}};
}

}  // namespace

/// What connections need even after their server has gone: their answers may come late.
struct Server::Shared {
  Handler handler;
  std::set<Closable*> open;
  bool stopped = false;
};

class Server::Door {
 public:
  virtual ~Door() = default;
  virtual void accept() = 0;
  virtual void close() = 0;
};

namespace {

/// One client. It reads a request, waits for the reply, writes it, and reads on. Owned by whatever is under way: its
/// operations and its reply.
template <class Protocol, class Shared>
class ClientConnection final : public Closable,
                               public std::enable_shared_from_this<ClientConnection<Protocol, Shared>> {
 public:
  ClientConnection(typename Protocol::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    shared_->open.insert(this);
    error_code ignored;
    const auto peer = stream_.socket().remote_endpoint(ignored);
    stream_.socket().non_blocking(true, ignored);
    is_loopback_ = is_loopback(peer);
    peer_ = print(peer);
  }
  ~ClientConnection() override { shared_->open.erase(this); }
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderMaxBytes);
    parser_->body_limit(kBodyMaxBytes);
    stream_.expires_after(kIdleTimeout);
    beast::http::async_read(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

  /// Also while an answer is due: whoever has it to give keeps the connection, which then takes up no room any more.
  void close() override {
    shared_->open.erase(this);
    error_code ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_both, ignored);
    stream_.close();
  }

 private:
  void on_read(error_code error) {
    if (shared_->stopped) return close();
    if (error) return on_bad_read(error);
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    Request request{.method = std::string(message.method_string()),
                    .target = std::string(message.target()),
                    .headers = {},
                    .body = std::move(message.body()),
                    .is_loopback = is_loopback_,
                    .peer = peer_};
    for (const auto& field : message) {
      request.headers.emplace_back(lower(field.name_string()), std::string(field.value()));
    }
    is_head_ = request.method == "HEAD";
    stream_.expires_never();
    is_due_ = true;
    shared_->handler(std::move(request),
                     [self = this->shared_from_this()](Response response) { self->write(std::move(response)); });
    if (is_due_) watch();
  }

  /// Who leaves before the answer is let go. One who has sent more already is not noticed before it is answered.
  void watch() {
    stream_.socket().async_wait(asio::socket_base::wait_read, [weak = this->weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (error || !self || !self->is_due_) return;
      char octet = 0;
      self->stream_.socket().receive(asio::buffer(&octet, 1), asio::socket_base::message_peek, error);
      if (error == asio::error::would_block) return self->watch();
      if (error) self->close();
    });
  }

  void on_bad_read(error_code error) {
    keep_alive_ = false;
    if (error == beast::http::error::body_limit) {
      return write(refused(400, "bad_request", "Exceeded HTTP request body size limit"));
    }
    if (error == beast::http::error::header_limit) {
      return write(refused(431, "bad_request", "Request line and headers are too long"));
    }
    const bool is_malformed =
        error.category() == beast::http::make_error_code(beast::http::error::bad_method).category();
    if (is_malformed && error != beast::http::error::end_of_stream && error != beast::http::error::partial_message) {
      return write(refused(400, "bad_request", "malformed HTTP request"));
    }
    close();
  }

  void write(Response response) {
    is_due_ = false;
    error_code ignored;
    stream_.socket().cancel(ignored);  // the watch
    if (shared_->stopped) return close();
    message_ = {};
    message_.version(kHttp11);
    message_.result(response.status);
    message_.set(beast::http::field::server, "Quorate");
    if (!response.body.empty()) message_.set(beast::http::field::content_type, "application/json");
    for (const auto& [name, value] : response.headers) message_.set(name, value);
    message_.keep_alive(keep_alive_);
    if (response.status != 204) message_.content_length(response.body.size());
    if (!is_head_) message_.body() = std::move(response.body);
    stream_.expires_after(kIdleTimeout);
    beast::http::async_write(stream_, message_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error || !self->keep_alive_ || self->shared_->stopped) return self->close();
      self->read();
    });
  }

  beast::basic_stream<Protocol> stream_;
  std::shared_ptr<Shared> shared_;
  beast::flat_buffer buffer_{kHeaderMaxBytes + kBodyMaxBytes};
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  beast::http::response<beast::http::string_body> message_;  // being written
  bool is_loopback_ = false;
  std::string peer_;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool is_due_ = false;  // a request was handed over, and not answered yet
};

}  // namespace

template <class Protocol>
class Server::Listener final : public Door {
 public:
  Listener(asio::io_context& io, std::shared_ptr<Shared> shared)
      : acceptor_(io), pause_(io), shared_(std::move(shared)) {}

  typename Protocol::acceptor& acceptor() { return acceptor_; }

  void accept() override {
    if (shared_->stopped) return;
    acceptor_.async_accept([this, shared = shared_](error_code error, typename Protocol::socket socket) {
      if (shared->stopped) return;
      if (!error) {
        const bool is_full = shared->open.size() >= kConnectionsMax;
        note(is_full ? "too many HTTP clients" : "");
        if (!is_full) std::make_shared<ClientConnection<Protocol, Shared>>(std::move(socket), shared)->read();
        return accept();
      }
      note(error.message());
      pause_.expires_after(kAcceptPause);
      pause_.async_wait([this](error_code cancelled) {
        if (!cancelled) accept();
      });
    });
  }

  void close() override {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

 private:
  /// What is the same each time is logged once; empty: all is well.
  void note(const std::string& fault) {
    if (std::exchange(fault_, fault) == fault || fault.empty()) return;
    error_code ignored;
    log::error(log::Category::connection, "listener.not_accepting address={} reason=\"{}\"",
               print(acceptor_.local_endpoint(ignored)), fault);
  }

  typename Protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  std::shared_ptr<Shared> shared_;
  std::string fault_;
};

Server::Server(asio::io_context& io, Handler handler) : io_(io), shared_(std::make_shared<Shared>()) {
  shared_->handler = std::move(handler);
}

Server::~Server() { shared_->stopped = true; }

Result<tcp::endpoint> Server::listen(tcp::endpoint endpoint) {
  auto listener = std::make_unique<Listener<tcp>>(io_, shared_);
  tcp::acceptor& acceptor = listener->acceptor();
  error_code error;
  error_code ignored;
  acceptor.open(endpoint.protocol(), error);
  if (error && endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
    endpoint = tcp::endpoint(tcp::v4(), endpoint.port());  // a machine without IPv6
    acceptor.open(endpoint.protocol(), error);
  }
  acceptor.set_option(tcp::acceptor::reuse_address(true), ignored);
  if (endpoint.protocol() == tcp::v6()) {
    acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), ignored);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return failure(ErrorCode::io, "cannot listen for HTTP on port " + std::to_string(endpoint.port()) + " of " +
                                      endpoint.address().to_string() + ": " + error.message());
  }
  endpoint = acceptor.local_endpoint(ignored);
  doors_.push_back(std::move(listener));
  return endpoint;
}

Result<void> Server::listen(const std::string& path) {
  using Local = asio::local::stream_protocol;
  const auto failed = [&](const error_code& error) {
    return failure(ErrorCode::io, "cannot listen on '" + path + "': " + error.message());
  };
  const UnixPath place(path);
  if (!place.fits()) return failed(boost::system::errc::make_error_code(boost::system::errc::filename_too_long));
  auto listener = std::make_unique<Listener<Local>>(io_, shared_);
  error_code error;
  ::unlink(path.c_str());
  listener->acceptor().open(Local(), error);
  if (!error) listener->acceptor().bind(Local::endpoint(place.name()), error);
  // Nobody can connect before listen().
  if (!error && ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0)
    error = error_code(errno, boost::system::system_category());
  if (!error) listener->acceptor().listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed(error);
  doors_.push_back(std::move(listener));
  return {};
}

void Server::start() {
  for (auto& door : doors_) door->accept();
}

void Server::stop() {
  shared_->stopped = true;
  for (auto& door : doors_) door->close();
  for (Closable* connection : std::set(shared_->open)) connection->close();
}

}  // namespace quorate::http

#include "broker/amqp/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace quorate::amqp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;
using boost::system::error_code;

constexpr auto kCategory = log::Category::connection;
constexpr auto kLookAgain = std::chrono::milliseconds(10);
constexpr std::size_t kTlsReadBytes = 16u << 10;

std::string print(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

Peer describe_peer(const tcp::socket& socket, bool is_tls, WallTime now) {
  error_code ignored;
  const tcp::endpoint remote = socket.remote_endpoint(ignored);
  const tcp::endpoint local = socket.local_endpoint(ignored);
  return {.name = print(remote) + " -> " + print(local),
          .is_loopback = is_loopback(remote.address()),
          .is_tls = is_tls,
          .connected_at = now,
          .certificate_name = std::nullopt};
}

asio::steady_timer::time_point to_steady(Instant instant) {
  return asio::steady_timer::time_point(
      std::chrono::duration_cast<asio::steady_timer::duration>(instant.time_since_epoch()));
}

std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

template <class Stream>
class SocketConnection final : public Connection {
 public:
  static constexpr bool kIsTls = std::is_same_v<Stream, TlsStream>;

  SocketConnection(ConnectionSet& set, Stream stream, TlsContext context, CertificateNamer namer,
                   Duration handshake_timeout)
      : set_(set),
        context_(std::move(context)),
        stream_(std::move(stream)),
        namer_(std::move(namer)),
        handshake_timeout_(handshake_timeout),
        timer_(set.shard().io()),
        resume_(set.shard().io()),
        peer_(describe_peer(socket(), kIsTls, set.shard().wall())) {}

  ~SocketConnection() override { CHECK_EQ(pending_, 0u); }

  void start() override {
    error_code ignored;
    socket().non_blocking(true, ignored);
    ++pending_;
    asio::co_spawn(set_.shard().io(), run(), [this](const std::exception_ptr& failure) { on_end(failure); });
  }

  Session* session() override { return session_ ? &*session_ : nullptr; }
  bool is_done() const override { return closed_ && pending_ == 0; }

  void flush() override {
    if (!session_) return;
    session_->flush();
    if (!logged_open_ && session_->state() == Session::State::running) log_open();
    if (closed_) return;
    write();
    if (session_->wants_close()) {
      if (!writing_) return drop();
      // The last words must not wait for ever on a client that does not read.
      if (!drop_at_) drop_at_ = set_.shard().now() + limits::kCloseOkTimeout;
    }
    if (!session_->is_reading()) set_.note_paused(*this);
    if (paused_ && session_->is_reading()) resume_.cancel();
    arm_timer();
  }

  void drop() override {
    if (std::exchange(closed_, true)) return;
    if (session_) {
      session_->on_disconnected();
      log_close();
    }
    error_code ignored;
    socket().shutdown(tcp::socket::shutdown_both, ignored);
    socket().close(ignored);
    timer_.cancel();
    resume_.cancel();
    set_.mark_dirty(*this);
  }

 private:
  tcp::socket& socket() {
    if constexpr (kIsTls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  asio::awaitable<void> run() {
    const bool is_open = co_await shake_hands();
    if (is_open) {
      session_.emplace(set_.options(), peer_, set_.surroundings(), set_.shard().now());
      set_.introduce(*session_, *this);
      arm_timer();
      co_await read_loop();
    }
  }

  /// The reader is through. An exception is a library's, such as memory that is not to be had.
  void on_end(const std::exception_ptr& failure) {
    --pending_;
    if (failure) log::error(kCategory, "failed peer={} reason=\"{}\"", peer_.name, text_of(failure));
    drop();
    set_.mark_dirty(*this);
  }

  asio::awaitable<bool> shake_hands() {
    if constexpr (kIsTls) {
      timer_.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(handshake_timeout_));
      ++pending_;
      timer_.async_wait([this](error_code error) {
        --pending_;
        set_.mark_dirty(*this);
        if (!error && !session_) drop();
      });
      const auto [error] =
          co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::as_tuple(asio::use_awaitable));
      timer_.cancel();
      if (error) {
        log::warn(kCategory, "refused peer={} reason=\"TLS handshake: {}\"", peer_.name, error.message());
        co_return false;
      }
      peer_.certificate_name = namer_(stream_.native_handle());
    }
    co_return !closed_;
  }

  asio::awaitable<void> read_loop() {
    while (!closed_) {
      if (!session_->is_reading()) {
        paused_ = true;
        resume_.expires_at(asio::steady_timer::time_point::max());
        co_await resume_.async_wait(asio::as_tuple(asio::use_awaitable));
        paused_ = false;
        if (!closed_ && !carry_.empty()) offer_carry();
        continue;
      }
      const bool is_open = co_await read_once();
      if (!is_open) co_return;
    }
  }

  /// False when the peer is gone.
  asio::awaitable<bool> read_once() {
    if constexpr (kIsTls) {
      if (tls_buffer_.empty()) tls_buffer_.resize(kTlsReadBytes);
      const auto buffer = asio::buffer(tls_buffer_);
      const auto [error, size] = co_await stream_.async_read_some(buffer, asio::as_tuple(asio::use_awaitable));
      if (error || closed_) co_return false;
      offer(ByteView(tls_buffer_).first(size));
    } else {
      // Waiting needs no buffer, so that an idle connection costs none; the bytes land in the shard's slab.
      const auto [error] = co_await stream_.async_wait(tcp::socket::wait_read, asio::as_tuple(asio::use_awaitable));
      if (error || closed_) co_return false;
      if (!session_->is_reading()) co_return true;  // blocked while it waited: the bytes stay with the client
      std::vector<std::byte>& slab = set_.read_slab();
      error_code read_error;
      const std::size_t size = stream_.read_some(asio::buffer(slab), read_error);
      if (read_error == asio::error::would_block) co_return true;
      if (read_error) co_return false;
      offer(ByteView(slab).first(size));
    }
    co_return true;
  }

  void offer(ByteView bytes) {
    set_.mark_dirty(*this);
    set_.shard().note_input(bytes.size());
    if (!carry_.empty()) {
      carry_.insert(carry_.end(), bytes.begin(), bytes.end());
      offer_carry();
      return;
    }
    const std::size_t taken = session_->on_bytes(bytes, set_.shard().now());
    carry_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(taken), bytes.end());
  }

  void offer_carry() {
    set_.mark_dirty(*this);
    const std::size_t taken = session_->on_bytes(carry_, set_.shard().now());
    carry_.erase(carry_.begin(), carry_.begin() + static_cast<std::ptrdiff_t>(taken));
    if (carry_.empty() && carry_.capacity() > limits::kReadSlabBytes) carry_ = {};
  }

  void write() {
    if (writing_ || session_->outbox().empty()) return;
    session_->outbox().take(batch_);
    buffers_.clear();
    batch_.for_each_piece([&](ByteView piece) { buffers_.emplace_back(piece.data(), piece.size()); });
    writing_ = true;
    ++pending_;
    // As much as the socket takes: in Asio's portions a consumer would get half of what one publisher brings in a turn.
    const auto portion = [](error_code error, std::size_t) { return error ? 0 : limits::kOutboxMaxBytes; };
    asio::async_write(stream_, buffers_, portion, [this](error_code error, std::size_t) { on_written(error); });
  }

  void on_written(error_code error) {
    --pending_;
    writing_ = false;
    set_.mark_dirty(*this);
    if (closed_) return;
    if (error) return drop();
    if (session_->outbox().empty()) batch_.clear();
    session_->on_written(set_.shard().now());
  }

  /// The deadline moves with every byte; the timer follows when it fires, so traffic never touches it.
  void arm_timer() {
    const auto deadline = drop_at_ ? drop_at_ : session_->next_deadline();
    if (!deadline || closed_ || (armed_ && *armed_ <= *deadline)) return;
    armed_ = deadline;
    timer_.expires_at(to_steady(*deadline));
    ++pending_;
    timer_.async_wait([this](error_code error) {
      --pending_;
      if (closed_) return set_.mark_dirty(*this);
      if (error) return;
      armed_.reset();
      if (drop_at_ && *drop_at_ <= set_.shard().now()) return drop();
      session_->on_deadline(set_.shard().now());
      set_.mark_dirty(*this);
    });
  }

  void log_open() {
    logged_open_ = true;
    log::info(kCategory, "open peer={} user={} vhost={} name=\"{}\"", peer_.name, session_->user(), session_->vhost(),
              session_->client_name());
  }
  void log_close() {
    if (session_->ended_by_error()) {
      log::warn(kCategory, "closed peer={} user={} vhost={} reason=\"{}\"", peer_.name, session_->user(),
                session_->vhost(), session_->close_reason());
    } else if (logged_open_) {
      log::info(kCategory, "closed peer={} user={} vhost={} reason=\"{}\"", peer_.name, session_->user(),
                session_->vhost(), session_->close_reason());
    } else {
      log::debug(kCategory, "closed peer={} reason=\"{}\"", peer_.name, session_->close_reason());
    }
  }

  ConnectionSet& set_;
  TlsContext context_;  // outlives stream_; null for TCP
  Stream stream_;
  CertificateNamer namer_;
  Duration handshake_timeout_;
  asio::steady_timer timer_;
  asio::steady_timer resume_;  // never expires: cancelled when reading may go on
  Peer peer_;
  std::optional<Session> session_;
  std::vector<std::byte> carry_;       // read, and not yet taken by the session
  std::vector<std::byte> tls_buffer_;  // TLS reads cannot share the slab: they are under way while others read
  OutboxBatch batch_;                  // being written
  std::vector<asio::const_buffer> buffers_;
  std::optional<Instant> armed_;
  std::optional<Instant> drop_at_;  // closed, and the socket has until then to take what is left
  std::size_t pending_ = 0;         // operations whose handler has not run yet
  bool writing_ = false;
  bool paused_ = false;
  bool closed_ = false;
  bool logged_open_ = false;
};

}  // namespace

ConnectionSet::~ConnectionSet() { CHECK(connections_.empty()); }

ConnectionSet::ConnectionSet(cluster::Shard& shard, Surroundings& surroundings, const SessionOptions& options)
    : shard_(shard), surroundings_(surroundings), options_(options), look_again_(shard.io()) {}

void ConnectionSet::accept(tcp::socket socket) {
  add(std::make_unique<SocketConnection<tcp::socket>>(*this, std::move(socket), nullptr, nullptr, Duration{}));
}

void ConnectionSet::accept_tls(tcp::socket socket, TlsContext context, CertificateNamer namer,
                               Duration handshake_timeout) {
  TlsStream stream(std::move(socket), *context);
  add(std::make_unique<SocketConnection<TlsStream>>(*this, std::move(stream), std::move(context), std::move(namer),
                                                    handshake_timeout));
}

void ConnectionSet::add(std::unique_ptr<Connection> connection) {
  if (closing_) return;  // dealt out just before the listeners closed
  Connection& added = *connection;
  connections_.emplace(&added, std::move(connection));
  added.start();
}

void ConnectionSet::shut_down(std::string_view reason) {
  closing_ = true;
  for (auto& [key, connection] : connections_) {
    if (Session* session = connection->session(); session != nullptr) {
      session->on_shutdown(reason, shard_.now());
    } else {
      connection->drop();
    }
    mark_dirty(*connection);
  }
}

void ConnectionSet::set_blocked(const std::string& reason) {
  blocked_reason_ = reason;
  for (auto& [key, connection] : connections_) {
    if (Session* session = connection->session(); session != nullptr) session->on_blocked(reason);
    mark_dirty(*connection);
  }
}

void ConnectionSet::drop_all() {
  for (auto& [key, connection] : connections_) connection->drop();
}

void ConnectionSet::mark_dirty(Session& session) {
  const auto at = by_session_.find(&session);
  if (at != by_session_.end()) mark_dirty(*at->second);
}

/// Those that waited for the log go on when it has caught up.
void ConnectionSet::wake_paused() {
  if (paused_.empty()) return;
  if (surroundings_.is_congested()) {
    // The log may catch up with what other shards wrote, which wakes nobody here.
    look_again_.expires_after(kLookAgain);
    look_again_.async_wait([](error_code) {});
    return;
  }
  for (Connection* connection : std::exchange(paused_, {})) {
    if (connections_.contains(connection)) mark_dirty(*connection);
  }
}

bool ConnectionSet::on_turn_end() {
  wake_paused();
  if (dirty_.empty()) return false;
  for (std::size_t i = 0; i < dirty_.size(); ++i) {  // a flush may mark again
    dirty_[i]->is_marked = false;
    dirty_[i]->flush();
  }
  for (Connection* connection : std::exchange(dirty_, {})) {
    const auto at = connections_.find(connection);
    if (at == connections_.end() || !connection->is_done()) continue;
    if (connection->session() != nullptr) by_session_.erase(connection->session());
    connections_.erase(at);
  }
  return true;
}

}  // namespace quorate::amqp

// The HTTP listener: Beast on an io_context that it is given. It reads requests within limits, hands them over as
// values, writes the answers in order, and keeps connections alive. It knows no path and no user.
// Everything happens on the thread of that io_context; the handler may answer later.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/http/message.h"

namespace quorate::http {

/// Request line and headers; more is answered with 431.
inline constexpr std::size_t kHeaderMaxBytes = 16u << 10;
/// The body of a request; more is answered with 400.
inline constexpr std::size_t kBodyMaxBytes = 1u << 20;
/// Open connections of one server; one more is closed at once.
inline constexpr std::size_t kConnectionsMax = 1024;
/// From one request to the end of the next one, and for one answer to be taken. How long an answer may take to come is
/// its handler's business; a client that leaves meanwhile is let go.
inline constexpr auto kIdleTimeout = std::chrono::seconds(60);

class Server {
 public:
  using Handler = std::function<void(Request, Reply)>;

  Server(boost::asio::io_context& io, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Opens a listener, before start(); the port 0 takes a free one.
  Result<boost::asio::ip::tcp::endpoint> listen(boost::asio::ip::tcp::endpoint endpoint);
  /// A unix socket that only its owner can use; what a dead process left at `path` is replaced.
  Result<void> listen(const std::string& path);

  // On the thread of the io_context:
  void start();
  /// Listeners and connections close; answers that are still to come go nowhere.
  void stop();

 private:
  struct Shared;
  template <class Protocol>
  class Listener;
  class Door;

  boost::asio::io_context& io_;
  std::shared_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Door>> doors_;
};

}  // namespace quorate::http

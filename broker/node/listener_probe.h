// Connects to listeners of this machine, all at once, to see whether clients could. Owned by what it has under way.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "broker/http/broker_view.h"

namespace quorate {

class ListenerProbe : public std::enable_shared_from_this<ListenerProbe> {
 public:
  using Done = std::move_only_function<void(std::vector<http::ListenerRow>)>;
  /// Longer than this, a listener does not answer.
  static constexpr auto kTimeout = std::chrono::seconds(5);

  ListenerProbe(boost::asio::io_context& io, std::vector<http::ListenerRow> listeners, Done done)
      : io_(io), listeners_(std::move(listeners)), timeout_(io), done_(std::move(done)) {}

  /// `done` gets those that could not be reached.
  void start() {
    waiting_ = listeners_.size();
    timeout_.expires_after(kTimeout);
    timeout_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      for (auto& socket : self->sockets_) socket.close();
    });
    sockets_.reserve(listeners_.size());
    for (const http::ListenerRow& listener : listeners_) connect(listener);
    if (listeners_.empty()) finish();
  }

 private:
  void connect(const http::ListenerRow& listener) {
    boost::system::error_code error;
    auto address = boost::asio::ip::make_address(listener.address, error);
    // Who listens everywhere listens on the loopback address, and every machine has the older one.
    if (error || address.is_unspecified()) address = boost::asio::ip::address_v4::loopback();
    auto& socket = sockets_.emplace_back(io_);
    socket.async_connect(boost::asio::ip::tcp::endpoint(address, listener.port),
                         [self = shared_from_this(), &listener](const boost::system::error_code& refused) {
                           if (refused) self->unreachable_.push_back(listener);
                           if (--self->waiting_ == 0) self->finish();
                         });
  }

  void finish() {
    timeout_.cancel();
    done_(std::move(unreachable_));
  }

  boost::asio::io_context& io_;
  std::vector<http::ListenerRow> listeners_;
  std::vector<boost::asio::ip::tcp::socket> sockets_;
  boost::asio::steady_timer timeout_;
  std::vector<http::ListenerRow> unreachable_;
  std::size_t waiting_ = 0;
  Done done_;
};

}  // namespace quorate

// Worker: connections that come and go.
#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "broker/perf/worker.h"

namespace quorate::perf {

namespace asio = boost::asio;

std::unique_ptr<Connection> Worker::make_churned(unsigned number) {
  return std::make_unique<Connection>(io_, clock_, fmt::format("churner {}", number), [](const std::string&) {});
}

asio::awaitable<void> Worker::churn_connections(unsigned number) {
  asio::steady_timer timer(io_);
  for (std::size_t turn = number; !stopped_; ++turn) {
    const std::unique_ptr<Connection> connection = make_churned(number);
    const Result<void> done = co_await come_and_go(*connection, plan_.uris[turn % plan_.uris.size()]);
    while (!connection->is_quiet()) {
      timer.expires_after(Duration(0));
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (!done) {
      tell_failure(done.error().text);
      break;
    }
    ++stats_.counters.operations;
    stats_.last_event = clock_.now();
  }
  --churning_loops_;
}

asio::awaitable<Result<void>> Worker::come_and_go(Connection& connection, Uri uri) {
  Result<void> done = co_await connection.open(std::move(uri));
  if (done) {
    const amqp::Method close = amqp::ConnectionClose{.reply_code = 200, .reply_text = "Goodbye"};
    const ChannelId connection_itself(0);
    const auto closed =
        co_await connection.call(connection_itself, close, amqp::MethodInfo<amqp::ConnectionCloseOk>::id);
    if (!closed) done = std::unexpected(closed.error());
  }
  connection.drop();
  co_return done;
}

}  // namespace quorate::perf

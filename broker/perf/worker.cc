#include "broker/perf/worker.h"

#include <sys/prctl.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace quorate::perf {
namespace {

namespace asio = boost::asio;

/// How long close-ok is waited for.
constexpr auto kCloseMax = std::chrono::seconds(3);
constexpr auto kCloseLook = std::chrono::milliseconds(5);

}  // namespace

Worker::Worker(const Plan& plan, unsigned number, Instant run_begin, asio::io_context& desk, Events events)
    : plan_(plan),
      number_(number),
      run_begin_(run_begin),
      desk_(desk),
      events_(std::move(events)),
      io_(1),
      work_(asio::make_work_guard(io_)),
      thread_([this] {
        ::prctl(PR_SET_TIMERSLACK, 1ul);  // due times are met to the microsecond, not to 50 of them
        io_.run();
      }) {}

Worker::~Worker() {
  io_.stop();
  thread_.join();
}

// --- the run ---------------------------------------------------------------------------------------------------------

void Worker::start(Instant at) {
  asio::post(io_, [this, at] {
    for (const auto& producer : producers_) producer->start(at);
    for (const auto& churner : churners_) churner->start();
    for (const auto& connection : connections_) connection->pump();
    for (const Task task : tasks()) {
      if (task.kind != Kind::churner || plan_.churn != Churn::connections) continue;
      ++churning_loops_;
      asio::co_spawn(io_, churn_connections(task.connection), asio::detached);
    }
  });
}

void Worker::stop_producers() {
  asio::post(io_, [this] {
    stopped_ = true;
    for (const auto& producer : producers_) producer->stop();
    for (const auto& churner : churners_) churner->stop();
  });
}

void Worker::sample() {
  asio::post(io_, [this] {
    asio::post(desk_, [this, sample = take_sample()]() mutable { events_.sampled(std::move(sample)); });
  });
}

Sample Worker::take_sample() {
  Sample sample{.stats = std::exchange(stats_, Stats{})};
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    const Producer& producer = *producers_[i];
    sample.outstanding += producer.outstanding();
    sample.expected += (producer.sent() - producer.excused_count()) * reach_[i];
    sample.producers_unfinished += producer.is_finished() ? 0 : 1;
  }
  if (!is_quiet()) ++sample.outstanding;
  for (const auto& consumer : consumers_) sample.consumers_unfinished += consumer->is_finished() ? 0 : 1;
  return sample;
}

bool Worker::is_quiet() const {
  return churning_loops_ == 0 && std::ranges::all_of(churners_, [](const auto& churner) { return churner->is_idle(); });
}

// --- the end ---------------------------------------------------------------------------------------------------------

void Worker::close() {
  asio::post(io_, [this] {
    for (const auto& consumer : consumers_) consumer->finish();
    for (const auto& connection : connections_) connection->close();
    asio::co_spawn(io_, await_close(), asio::detached);
  });
}

asio::awaitable<void> Worker::await_close() {
  const Instant deadline = clock_.now() + kCloseMax;
  const auto is_over = [this] {
    return std::ranges::all_of(connections_, [](const auto& connection) { return connection->is_over(); });
  };
  asio::steady_timer timer(io_);
  while (!is_over() && clock_.now() < deadline) {
    timer.expires_after(kCloseLook);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  for (const auto& connection : connections_) connection->drop();
  asio::post(desk_, [this, ledger = take_ledger()]() mutable { events_.closed(std::move(ledger)); });
}

Ledger Worker::take_ledger() {
  Ledger ledger{.sent = {}, .seen = std::move(flows_)};
  for (const auto& producer : producers_) {
    ledger.sent.push_back({.producer = producer->number(), .sent = producer->sent(), .excused = producer->excused()});
  }
  return ledger;
}

}  // namespace quorate::perf

#include "broker/perf/run.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <utility>

#include "broker/perf/topology.h"
#include "broker/perf/verdict.h"

namespace quorate::perf {
namespace {

namespace asio = boost::asio;

constexpr auto kOpenBase = std::chrono::seconds(30);
constexpr auto kOpenEach = std::chrono::milliseconds(20);  // and for each connection
constexpr auto kAnswerMax = std::chrono::seconds(10);
/// How often a run that ends by counts, and the drain, look whether all is there.
constexpr auto kLook = std::chrono::milliseconds(50);
/// Nothing has come for so long: what is missing will not come.
constexpr auto kStalled = std::chrono::seconds(2);

asio::steady_timer::time_point to_steady(Instant instant) {
  return asio::steady_timer::time_point(
      std::chrono::duration_cast<asio::steady_timer::duration>(instant.time_since_epoch()));
}

}  // namespace

Run::Run(const Plan& plan, std::function<void(const std::string&)> say)
    : plan_(plan),
      say_(std::move(say)),
      signals_(io_, SIGINT, SIGTERM),
      news_(io_),
      declarations_(io_, clock_, "declarations", [](const std::string&) {}),
      deletions_(io_, clock_, "deletions", [](const std::string&) {}),
      meter_(plan.broker_pids),
      run_begin_(clock_.now()) {}

Run::~Run() = default;

Outcome Run::execute() {
  signals_.async_wait([this](boost::system::error_code error, int) {
    interrupted_ = !error;
    news_.cancel();
  });
  asio::co_spawn(io_, course(), [this](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);  // ours: nothing on the way throws
    signals_.cancel();
  });
  io_.run();
  workers_.clear();
  return std::move(outcome_);
}

asio::awaitable<void> Run::course() {
  const bool is_open = co_await open();
  if (is_open) {
    co_await measure();
    co_await drain();
  }
  co_await close();
  judge();
}

// --- the parts -------------------------------------------------------------------------------------------------------

asio::awaitable<bool> Run::open() {
  resident_before_ = meter_.resident_bytes();
  const Result<void> declared = co_await declare_topology(plan_, declarations_);
  if (!declared) {
    fail(declared.error().text);
    co_return false;
  }
  for (unsigned number = 0; number < plan_.threads; ++number) {
    Worker::Events events{
        .opened = [this] { ++opened_, news_.cancel(); },
        .failed = [this](const std::string& text) { fail(text); },
        .sampled =
            [this](const Sample& sample) {
              interval_.add(sample.stats);
              gauges_.outstanding += sample.outstanding;
              gauges_.expected += sample.expected;
              gauges_.producers_unfinished += sample.producers_unfinished;
              gauges_.consumers_unfinished += sample.consumers_unfinished;
              ++sampled_;
              news_.cancel();
            },
        .closed = [this](Ledger ledger) { ledgers_.push_back(std::move(ledger)), ++closed_, news_.cancel(); }};
    workers_.push_back(std::make_unique<Worker>(plan_, number, run_begin_, io_, std::move(events)));
    workers_.back()->open();
  }
  const auto deadline =
      clock_.now() + kOpenBase + kOpenEach * (plan_.producers + plan_.consumers + plan_.idle_connections);
  const Condition is_settled = [this] { return opened_ == plan_.threads || is_over(); };
  co_await wait_until(is_settled, deadline);
  if (opened_ < plan_.threads && !is_over()) fail("the connections were not open in time");
  co_return !is_over();
}

asio::awaitable<void> Run::measure() {
  co_await sample();  // what earlier runs had left in the queues
  fold();
  begin_window();
  for (const auto& worker : workers_) worker->start(window_begin_);
  if (plan_.warmup > Duration(0)) {
    const Instant warm = window_begin_ + plan_.warmup;
    co_await watch(warm);
    say_line();
    begin_window();
  }
  const Instant end = plan_.duration ? window_begin_ + *plan_.duration : Instant::max();
  co_await watch(end);
  end_window();
}

asio::awaitable<void> Run::watch(Instant end) {
  const bool ends_by_counts = plan_.publish_count != 0 || plan_.consume_count != 0;
  const Condition has_ended = [this] { return is_over(); };
  while (!is_over()) {
    Instant next = std::min(end, line_at_ + plan_.interval);
    if (ends_by_counts) next = std::min(next, clock_.now() + kLook);
    co_await wait_until(has_ended, next);
    co_await sample();
    meter_.look();
    const Instant now = clock_.now();
    if (now >= end || (ends_by_counts && is_finished())) break;
    if (now >= line_at_ + plan_.interval) say_line();
  }
}

asio::awaitable<void> Run::drain() {
  for (const auto& worker : workers_) worker->stop_producers();
  const Instant deadline = clock_.now() + plan_.drain_max;
  const Condition has_failed = [this] { return !outcome_.failure.empty(); };
  while (outcome_.failure.empty()) {
    co_await sample();
    fold();
    if (is_drained() || is_stalled()) break;
    const Instant now = clock_.now();
    if (now >= deadline) {
      cut_ = now - outcome_.whole.last_event < kStalled;
      break;
    }
    co_await wait_until(has_failed, now + kLook);
  }
}

asio::awaitable<void> Run::close() {
  for (const auto& worker : workers_) worker->close();
  const Condition are_closed = [this] { return closed_ == workers_.size(); };
  co_await wait_until(are_closed, clock_.now() + kAnswerMax);
  co_await tidy_up();
  declarations_.drop();
  deletions_.drop();
}

/// Whether it succeeds is nobody's concern.
asio::awaitable<void> Run::tidy_up() {
  if (!outcome_.failure.empty() || !plan_.takes_queues_along()) co_return;
  asio::co_spawn(io_, delete_queues(plan_, deletions_), [this](const std::exception_ptr&, const Result<void>&) {
    deleted_ = true;
    news_.cancel();
  });
  const Condition is_done = [this] { return deleted_; };
  co_await wait_until(is_done, clock_.now() + kAnswerMax);
}

asio::awaitable<void> Run::sample() {
  sampled_ = 0;
  gauges_ = Sample();
  for (const auto& worker : workers_) worker->sample();
  const Condition have_answered = [this] { return sampled_ == workers_.size(); };
  const bool are_there = co_await wait_until(have_answered, clock_.now() + kAnswerMax);
  if (!are_there) fail("a worker does not answer");
}

asio::awaitable<bool> Run::wait_until(Condition is_so, Instant deadline) {
  while (!is_so()) {
    if (clock_.now() >= deadline) co_return false;
    news_.expires_at(to_steady(deadline));
    co_await news_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return true;
}

// --- small steps -----------------------------------------------------------------------------------------------------

void Run::begin_window() {
  window_begin_ = line_at_ = clock_.now();
  outcome_.measured = Stats{};
  meter_.begin();
}

void Run::end_window() {
  const Instant now = clock_.now();
  say_line();
  // A run that ended by itself ended with its last message, not when we looked.
  const Instant end = is_finished() ? std::max(outcome_.whole.last_event, window_begin_) : now;
  outcome_.seconds = static_cast<double>((end - window_begin_).count()) / 1e9;
  if (!meter_.is_used()) return;
  outcome_.broker = meter_.end();
  const std::uint64_t resident = std::max(meter_.resident_bytes(), resident_before_);
  if (plan_.idle_connections > 0) outcome_.idle_bytes = (resident - resident_before_) / plan_.idle_connections;
}

void Run::say_line() {
  const Instant now = clock_.now();
  say_(print_interval(plan_, interval_, now - window_begin_, now - line_at_));
  outcome_.measured.add(interval_);
  line_at_ = now;
  fold();
}

void Run::fold() {
  outcome_.whole.add(interval_);
  interval_ = Stats{};
}

bool Run::is_finished() const {
  if (plan_.consume_count != 0 && gauges_.consumers_unfinished == 0) return true;
  return plan_.publish_count != 0 && gauges_.producers_unfinished == 0 && (is_drained() || is_stalled());
}

bool Run::is_stalled() const {
  return clock_.now() - std::max({outcome_.whole.last_event, interval_.last_event, window_begin_}) >= plan_.drain_max;
}

bool Run::is_drained() const {
  if (gauges_.outstanding > 0) return false;
  return !plan_.judges_losses() || outcome_.whole.flows.unique + interval_.flows.unique >= gauges_.expected;
}

void Run::judge() {
  if (!outcome_.failure.empty() || !plan_.judges_losses()) return;
  const Verdict verdict = judge_ledgers(plan_, std::move(ledgers_));
  outcome_.judged = true;
  outcome_.duplicated = outcome_.whole.flows.duplicated + verdict.duplicated;
  (cut_ ? outcome_.undelivered : outcome_.lost) = verdict.missing;
}

bool Run::is_over() const { return interrupted_ || !outcome_.failure.empty(); }

void Run::fail(const std::string& text) {
  if (outcome_.failure.empty()) outcome_.failure = text;
  news_.cancel();
}

}  // namespace quorate::perf

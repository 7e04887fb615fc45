// One run, from the first connection to the report: the main thread's part. It declares, lets the workers connect,
// starts and ends the measured window, waits for what is under way, and judges.
//
//   open -> [warm-up] -> measured window -> drain -> close -> verdict
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/perf/broker_meter.h"
#include "broker/perf/connection.h"
#include "broker/perf/plan.h"
#include "broker/perf/report.h"
#include "broker/perf/worker.h"

namespace quorate::perf {

class Run {
 public:
  /// `say` prints one line; the plan outlives this.
  Run(const Plan& plan, std::function<void(const std::string&)> say);
  ~Run();

  /// Blocks until all is over. A signal ends the window early.
  Outcome execute();

 private:
  using Condition = std::function<bool()>;

  boost::asio::awaitable<void> course();
  boost::asio::awaitable<bool> open();
  boost::asio::awaitable<void> measure();
  /// Takes samples and says lines until `end`, or until all is done that the counts ask for.
  boost::asio::awaitable<void> watch(Instant end);
  boost::asio::awaitable<void> drain();
  boost::asio::awaitable<void> close();
  boost::asio::awaitable<void> tidy_up();
  boost::asio::awaitable<void> sample();
  /// False when the deadline came first.
  boost::asio::awaitable<bool> wait_until(Condition is_so, Instant deadline);
  void begin_window();
  void end_window();
  void say_line();
  /// What was counted since the last line belongs to the whole run.
  void fold();
  /// All that -C or -D asked for is done, or what is missing does not come.
  bool is_finished() const;
  /// Everything sent is answered and has arrived.
  bool is_drained() const;
  /// Nothing has come or gone for as long as we wait at the end.
  bool is_stalled() const;
  bool is_over() const;
  void judge();
  void fail(const std::string& text);

  const Plan& plan_;
  std::function<void(const std::string&)> say_;
  SystemClock clock_;
  boost::asio::io_context io_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer news_;  // cancelled whenever a worker has said something
  Connection declarations_;
  Connection deletions_;
  bool deleted_ = false;  // nothing of deletions_ is under way
  BrokerMeter meter_;
  std::uint64_t resident_before_ = 0;  // of the broker, before the first connection
  Instant run_begin_;
  Outcome outcome_;
  bool interrupted_ = false;
  bool cut_ = false;  // the end came while messages were still arriving

  unsigned opened_ = 0;  // workers that have answered, likewise below
  unsigned sampled_ = 0;
  unsigned closed_ = 0;
  Stats interval_;  // since the last line
  Sample gauges_;   // sums of what workers said last; its stats are unused
  Instant window_begin_{};
  Instant line_at_{};
  std::vector<Ledger> ledgers_;
  std::vector<std::unique_ptr<Worker>> workers_;  // last: their threads end before the rest
};

}  // namespace quorate::perf

// One thread with its share of the connections, producers and consumers. The main thread talks to it by posting, and is
// answered by posts to its own io_context: nothing is shared but the plan, which never changes.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "broker/perf/churner.h"
#include "broker/perf/connection.h"
#include "broker/perf/consumer.h"
#include "broker/perf/plan.h"
#include "broker/perf/producer.h"
#include "broker/perf/stats.h"

namespace quorate::perf {

/// What a worker tells when it is asked.
struct Sample {
  Stats stats;                        // since it was last asked
  std::uint64_t outstanding = 0;      // published and not answered
  std::uint64_t expected = 0;         // deliveries due for what was sent, over all sources
  unsigned producers_unfinished = 0;  // with -C
  unsigned consumers_unfinished = 0;  // with -D
};

/// What one producer did, for the judgement at the end.
struct SentFlow {
  unsigned producer = 0;
  std::uint64_t sent = 0;
  std::vector<std::uint64_t> excused;
};

struct Ledger {
  std::vector<SentFlow> sent;
  SeenFlows seen;
};

class Worker {
 public:
  struct Events {
    std::function<void()> opened;                    // all connections are ready, consumers consume
    std::function<void(const std::string&)> failed;  // called once at most
    std::function<void(Sample)> sampled;
    std::function<void(Ledger)> closed;  // the connections are closed; nothing follows
  };

  /// Events are called on `desk`, the main thread's. `number` is among plan.threads workers. The thread begins here.
  Worker(const Plan& plan, unsigned number, Instant run_begin, boost::asio::io_context& desk, Events events);
  /// Ends the thread.
  ~Worker();

  // Each returns at once and is answered by its event.
  void open();
  void start(Instant at);
  void sample();
  void stop_producers();
  void close();

 private:
  enum class Kind : std::uint8_t { consumer, producer, churner, idler };
  struct Task {
    Kind kind = Kind::consumer;
    unsigned connection = 0;  // among those of its kind
  };
  static std::string_view name_of(Kind kind);

  void tell_failure(std::string text);
  std::vector<Task> tasks() const;
  unsigned channels_of(Kind kind) const;
  boost::asio::awaitable<void> open_lane();
  boost::asio::awaitable<Result<void>> open_one(Task task);
  boost::asio::awaitable<Result<void>> open_agent(Kind kind, Connection& connection, unsigned number,
                                                  ChannelId channel);
  boost::asio::awaitable<Result<void>> open_producer(Connection& connection, unsigned number, ChannelId channel);
  boost::asio::awaitable<Result<void>> open_consumer(Connection& connection, unsigned number, ChannelId channel);
  boost::asio::awaitable<Result<void>> open_churner(Connection& connection, unsigned number, ChannelId channel);
  /// Opens and closes connections until producers are stopped.
  boost::asio::awaitable<void> churn_connections(unsigned number);
  std::unique_ptr<Connection> make_churned(unsigned number);
  static boost::asio::awaitable<Result<void>> come_and_go(Connection& connection, Uri uri);
  boost::asio::awaitable<void> await_close();
  bool is_quiet() const;
  Sample take_sample();
  Ledger take_ledger();

  const Plan& plan_;
  unsigned number_;
  Instant run_begin_;
  boost::asio::io_context& desk_;
  Events events_;
  SystemClock clock_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Stats stats_;
  SeenFlows flows_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<unsigned> reach_;  // of producers_: sources that each of their messages should come out of
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<std::unique_ptr<Churner>> churners_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Task> to_open_;
  unsigned lanes_ = 0;           // coroutines that are opening
  unsigned churning_loops_ = 0;  // coroutines in churn_connections()
  bool stopped_ = false;
  std::jthread thread_;
};

}  // namespace quorate::perf

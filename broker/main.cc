// quorate: reads the command line and the configuration, runs a Node until a signal ends it or an order another begins.
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "broker/amqp/method_codec.h"
#include "broker/node/command_line.h"
#include "broker/node/config.h"
#include "broker/node/config_keys.h"
#include "broker/node/departure.h"
#include "broker/node/early_doors.h"
#include "broker/node/node.h"
#include "broker/node/orders.h"
#include "broker/node/standalone.h"
#include "broker/node/systemd.h"

namespace quorate {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h

void print_line(std::FILE* to, const std::string& text) {
  std::fputs(text.c_str(), to);
  std::fputc('\n', to);
}

/// What happens to the process, on the main thread: signals, failures, orders, and starts that end.
class News {
 public:
  News() : signals_(io_) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
    std::signal(SIGPIPE, SIG_IGN);
    await_signal();
  }

  // Any thread:
  void on_failure(const Error& error) {
    tell([this, error] {
      if (!failure_) failure_ = error;
    });
  }
  void on_started(Result<void> result) {
    tell([this, result = std::move(result)] { started_ = result; });
  }
  void on_order() {
    tell([] {});
  }

  // The main thread:
  /// Until something has happened.
  void wait() {
    io_.restart();
    io_.run();
  }
  /// What is on its way, and nothing after it.
  void catch_up() {
    do {
      io_.restart();
    } while (io_.poll() > 0);
  }
  /// Another node: what happened to the one before is over.
  void forget_node() {
    failure_.reset();
    started_.reset();
    on_reload_ = nullptr;
  }
  void set_on_reload(std::function<void()> on_reload) { on_reload_ = std::move(on_reload); }
  bool must_stop() const { return must_stop_; }
  const std::optional<Error>& failure() const { return failure_; }
  const std::optional<Result<void>>& started() const { return started_; }

 private:
  template <class Change>
  void tell(Change change) {
    boost::asio::post(io_, [this, change] {
      change();
      io_.stop();
    });
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        on_reload();
      } else {
        log::info(log::Category::general, "stopping signal={}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
        must_stop_ = true;
        io_.stop();
      }
      await_signal();
    });
  }

  void on_reload() {
    if (on_reload_) return on_reload_();
    log::warn(log::Category::general, "configuration not reloaded reason=\"this node is still starting\"");
  }

  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  std::function<void()> on_reload_;
  bool must_stop_ = false;
  std::optional<Result<void>> started_;
  std::optional<Error> failure_;
};

/// The process: one node after another in it, as signals and orders want it.
class Service {
 public:
  Service(const CommandLine& command_line, const Config& config)
      : command_line_(command_line), config_(config), orders_([this] { news_.on_order(); }) {}

  /// The exit code.
  int run() {
    while (true) {
      const auto exit = runs_ ? run_node() : rest();
      if (exit) return finish(*exit);
      carry_out();
    }
  }

 private:
  bool must_end() const { return news_.must_stop() || news_.failure() || orders_.next(); }

  /// The exit code; nothing when it ended for an order.
  std::optional<int> run_node() {
    const Instant begin = clock_.now();
    Node node(config_, orders_, [this](const Error& error) { news_.on_failure(error); });
    std::thread starter([&] { news_.on_started(node.start()); });
    while (!must_end() && !news_.started()) news_.wait();
    if (!news_.started()) node.interrupt_start();  // it may be waiting for other nodes
    starter.join();
    const bool has_started = news_.started() && *news_.started() && !news_.failure();
    if (has_started) serve(node, begin);
    node.stop();
    situation_ = node.situation();
    situation_.minority_for.reset();  // nobody looks any more
    news_.catch_up();
    const auto exit = exit_code(has_started);
    news_.forget_node();
    return exit;
  }

  void serve(Node& node, Instant begin) {
    const auto in_ms = [](Duration time) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    };
    const Duration waited = node.waited_for_others();
    log::info(log::Category::general,
              "Server startup complete version={} node={} data_dir={} listeners=\"{}\" recovery={}ms "
              "waited_for_others={}ms",
              QUORATE_VERSION, config_.node_name, config_.data_dir, fmt::join(node.listener_names(), ", "),
              in_ms(clock_.now() - begin - waited), in_ms(waited));
    notify_systemd("READY=1");
    news_.set_on_reload([&] { reload(node); });
    while (!must_end()) news_.wait();
    if (!orders_.next()) notify_systemd("STOPPING=1");
  }

  void reload(Node& node) {
    const auto loaded = load_config(command_line_.config_file, command_line_.assignments);
    if (loaded) {
      node.reload(loaded->config);
    } else {
      log::error(log::Category::general, "configuration not reloaded reason=\"{}\"", loaded.error().text);
    }
  }

  std::optional<int> exit_code(bool has_started) const {
    std::optional<Error> error = news_.failure();
    const bool was_refused = news_.started() && !*news_.started();
    if (!error && was_refused && !orders_.next() && !news_.must_stop()) error = news_.started()->error();
    if (error) {
      log::error(log::Category::general, "{} failed reason=\"{}\"", has_started ? "node" : "start", error->text);
      return kExitFailure;
    }
    return news_.must_stop() ? std::optional(0) : std::nullopt;
  }

  /// Stopped by an order: only operators are answered.
  std::optional<int> rest() {
    EarlyDoors doors({.config = config_,
                      .clock = clock_,
                      .orders = orders_,
                      .state = http::ServiceState::stopped,
                      .outlook = [] { return cluster::Outlook(); },
                      .situation = [this] { return situation_; }},
                     nullptr);
    if (auto opened = doors.open(); !opened) {
      log::error(log::Category::general, "node failed reason=\"{}\"", opened.error().text);
      return kExitFailure;
    }
    while (!must_end()) news_.wait();
    return news_.must_stop() ? std::optional(0) : std::nullopt;
  }

  void carry_out() {
    using Kind = http::Order::Kind;
    const http::Order order = *orders_.next();
    Result<void> outcome;
    if (order.kind == Kind::reset || order.kind == Kind::join_cluster) {
      outcome = reset_node(config_, order, situation_);
      if (outcome) situation_ = {};
      if (!outcome) log::warn(log::Category::general, "node.not_reset reason=\"{}\"", outcome.error().text);
    }
    if (order.kind == Kind::stand_alone) {
      outcome = make_standalone(config_, clock_);
      if (!outcome) log::warn(log::Category::cluster, "cluster.not_standalone reason=\"{}\"", outcome.error().text);
    }
    if (order.kind == Kind::stop_app) {
      runs_ = false;
      log::info(log::Category::general, "node.stopped by=stop_app");
    }
    if (order.kind == Kind::start_app) runs_ = true;
    orders_.finish(std::move(outcome));
  }

  int finish(int code) {
    log::info(log::Category::general, "stopped");
    log::flush();
    return code;
  }

  const CommandLine& command_line_;
  const Config& config_;
  const SystemClock clock_;
  News news_;
  Orders orders_;
  Situation situation_;
  bool runs_ = true;
};

int serve(const CommandLine& command_line) {
  const auto loaded = load_config(command_line.config_file, command_line.assignments);
  if (!loaded) {
    print_line(stderr, "quorate: " + loaded.error().text);
    return kExitConfig;
  }
  log::configure(log_options(loaded->config));
  log::info(log::Category::general, "starting version={} node={} config={} data_dir={} pid={}", QUORATE_VERSION,
            loaded->config.node_name, command_line.config_file.empty() ? "-" : command_line.config_file,
            loaded->config.data_dir, ::getpid());
  for (const std::string& warning : loaded->warnings) log::warn(log::Category::general, "{}", warning);
  return Service(command_line, loaded->config).run();
}

int run(const std::vector<std::string>& arguments) {
  const CommandLineOutcome outcome = parse_command_line(arguments);
  if (!outcome.start) {
    print_line(outcome.exit_code == 0 ? stdout : stderr, outcome.text);
    return outcome.exit_code;
  }
  if (outcome.start->reference == "methods") {
    std::fputs(amqp::print_method_reference().c_str(), stdout);
    return 0;
  }
  if (outcome.start->reference == "config") {
    std::fputs(config_reference().c_str(), stdout);
    return 0;
  }
  return serve(*outcome.start);
}

}  // namespace
}  // namespace quorate

int main(int count, char** values) { return quorate::run({values + 1, values + count}); }

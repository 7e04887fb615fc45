// quorate: reads the command line and the configuration, runs one Node until a signal ends it.
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "broker/amqp/method_codec.h"
#include "broker/node/command_line.h"
#include "broker/node/config.h"
#include "broker/node/config_keys.h"
#include "broker/node/node.h"
#include "broker/node/systemd.h"

namespace quorate {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h

void print_line(std::FILE* to, const std::string& text) {
  std::fputs(text.c_str(), to);
  std::fputc('\n', to);
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined += (joined.empty() ? "" : ", ") + part;
  return joined;
}

/// Signals, on the main thread, until one of them or a failure of the node ends the process.
class SignalLoop {
 public:
  explicit SignalLoop(const CommandLine& command_line) : command_line_(command_line), signals_(io_) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
    std::signal(SIGPIPE, SIG_IGN);
  }

  /// Any thread.
  void fail(const Error& error) {
    boost::asio::post(io_, [this, error] {
      if (!failure_) failure_ = error;
      io_.stop();
    });
  }

  /// Any thread.
  void note_started(Result<void> result) {
    boost::asio::post(io_, [this, result = std::move(result)] {
      started_ = result;
      io_.stop();
    });
  }

  /// What became of the start, which runs on another thread; nothing when a signal came first.
  std::optional<Result<void>> wait_for_start(Node& node) {
    wait(node);
    io_.run();
    io_.restart();
    return started_;
  }

  /// Of the node, at any time.
  const std::optional<Error>& failure() const { return failure_; }

  /// What ended the node, if it was not a signal.
  std::optional<Error> run() {
    if (!failure_) io_.run();
    return failure_;
  }

 private:
  void wait(Node& node) {
    signals_.async_wait([this, &node](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal != SIGHUP) {
        log::info(log::Category::general, "stopping signal={}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
        io_.stop();
        return;
      }
      reload(node);
      wait(node);
    });
  }

  void reload(Node& node) {
    if (!started_) {
      log::warn(log::Category::general, "configuration not reloaded reason=\"this node is still starting\"");
      return;
    }
    const auto loaded = load_config(command_line_.config_file, command_line_.assignments);
    if (loaded) {
      node.reload(loaded->config);
    } else {
      log::error(log::Category::general, "configuration not reloaded reason=\"{}\"", loaded.error().text);
    }
  }

  const CommandLine& command_line_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  std::optional<Result<void>> started_;
  std::optional<Error> failure_;
};

int serve(const CommandLine& command_line) {
  const auto loaded = load_config(command_line.config_file, command_line.assignments);
  if (!loaded) {
    print_line(stderr, "quorate: " + loaded.error().text);
    return kExitConfig;
  }
  const Config& config = loaded->config;
  log::configure(log_options(config));
  for (const std::string& warning : loaded->warnings) log::warn(log::Category::general, "{}", warning);

  const SystemClock clock;
  const Instant begin = clock.now();
  SignalLoop signals(command_line);
  Node node(config, [&](const Error& error) { signals.fail(error); });
  std::thread starter([&] { signals.note_started(node.start()); });
  const auto started = signals.wait_for_start(node);
  if (!started) node.interrupt_start();  // it may be waiting for other nodes
  starter.join();
  const bool has_failed = signals.failure() || (started && !*started);
  if (!started || has_failed) {
    if (has_failed) {
      log::error(log::Category::general, "start failed reason=\"{}\"",
                 signals.failure() ? signals.failure()->text : started->error().text);
    }
    node.stop();
    log::info(log::Category::general, "stopped");
    log::flush();
    return has_failed ? kExitFailure : 0;
  }
  const auto recovery = std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - begin);
  log::info(log::Category::general,
            "Server startup complete version={} node={} data_dir={} listeners=\"{}\" recovery={}ms", QUORATE_VERSION,
            config.node_name, config.data_dir, join(node.listener_names()), recovery.count());
  notify_systemd("READY=1");
  const std::optional<Error> failure = signals.run();
  notify_systemd("STOPPING=1");
  if (failure) {
    log::error(log::Category::general, "node failed reason=\"{}\"", failure->text);
  }
  node.stop();
  log::info(log::Category::general, "stopped");
  log::flush();
  return failure ? kExitFailure : 0;
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

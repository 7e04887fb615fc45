#include "broker/ctl/tool.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <utility>

#include "base/random.h"
#include "base/time.h"
#include "broker/ctl/door.h"
#include "broker/ctl/output.h"

namespace quorate::ctl {
namespace {

constexpr auto kKnockAgain = std::chrono::milliseconds(50);

void print(std::FILE* to, const std::string& text) { std::fputs(text.c_str(), to); }

int exit_code(Exit exit) { return static_cast<int>(exit); }

Heard unreachable(const Invocation& invocation, const http::ClientFault& fault) {
  const std::string node = invocation.remote         ? cluster::print_seed(*invocation.remote)
                           : invocation.node.empty() ? "the node of '" + invocation.data_dir + "'"
                                                     : invocation.node;
  const auto error = [&](Exit exit, std::string text) {
    return Heard{.node = invocation.node,
                 .outcome = std::unexpected(CommandError{.exit = exit, .text = std::move(text)})};
  };
  if (fault.kind == http::ClientFault::Kind::timeout) {
    return error(Exit::tempfail, "operation on " + node +
                                     " timed out. Timeout value used: " + std::to_string(invocation.timeout.count()));
  }
  return error(Exit::unavailable,
               "unable to perform an operation on " + node + ": " + fault.text +
                   (invocation.remote
                        ? ". Is it running, is this its cluster.listener.port, and are secret and certificates right?"
                        : ". Is it running, is --data-dir (or QUORATE_DATA_DIR) its data_dir, and is this its user?"));
}

/// So long before the tool stops to listen a command that waits gives up and says what for.
constexpr auto kAnswerTime = std::chrono::milliseconds(500);

bool takes(const Invocation& invocation, std::string_view word) {
  return std::ranges::count(words(invocation.command->options), word) > 0;
}

/// How long a command that waits may do so.
void set_within(Invocation& invocation, std::chrono::milliseconds left) {
  if (!takes(invocation, "within=")) return;
  invocation.arguments["within"] = std::to_string((left - std::min(kAnswerTime, left / 2)).count());
}

/// A command that waits for its node knocks until somebody opens or time is up.
Heard ask(Invocation& invocation, const Carry& carry) {
  if (invocation.command->here != nullptr)
    return {.node = "", .outcome = invocation.command->here(invocation.arguments)};
  const SystemClock clock;
  const Instant deadline = clock.now() + invocation.timeout;
  while (true) {
    const auto left = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock.now()),
                               std::chrono::milliseconds(1));
    set_within(invocation, left);
    const auto body = carry(invocation, left);
    if (body) return read_reply(*body);
    const bool knocks = invocation.command->waits_for_node && body.error().kind != http::ClientFault::Kind::timeout;
    if (!knocks) return unreachable(invocation, body.error());
    if (clock.now() >= deadline) {
      return unreachable(invocation, {.kind = http::ClientFault::Kind::timeout, .text = "no answer"});
    }
    boost::asio::io_context io;
    boost::asio::steady_timer(io, kKnockAgain).wait();
  }
}

/// Of a command that closes the connection it came through: by this it is known when it is carried again.
void add_ticket(Invocation& invocation) {
  if (takes(invocation, "ticket=")) invocation.arguments["ticket"] = std::to_string(Random::from_system().next());
}

/// One line of standard input for each argument that the command line left out, as scripts pass passwords.
bool read_from_terminal(Invocation& invocation) {
  for (const std::string& name : invocation.from_terminal) {
    std::string line;
    if (!std::getline(std::cin, line)) return false;
    if (line.ends_with('\r')) line.pop_back();
    invocation.arguments[name] = line;
  }
  return true;
}

}  // namespace

std::expected<std::string, http::ClientFault> carry_to_socket(const Invocation& invocation,
                                                              std::chrono::milliseconds timeout) {
  const std::string socket = (std::filesystem::path(invocation.data_dir) / kSocketName).string();
  http::Request request{.method = "POST",
                        .target = std::string(kControlPath) + std::string(invocation.command->name),
                        .headers = {},
                        .body = boost::json::serialize(invocation.arguments)};
  if (!invocation.node.empty()) request.headers.emplace_back(kNodeHeader, invocation.node);
  auto response = http::ask(socket, request, timeout);
  if (!response) return std::unexpected(response.error());
  return std::move(response->body);
}

int operate(InvocationOutcome outcome, const Carry& carry) {
  if (!outcome.run) {
    print(outcome.exit == Exit::ok ? stdout : stderr, outcome.text + (outcome.text.ends_with('\n') ? "" : "\n"));
    return exit_code(outcome.exit);
  }
  Invocation& invocation = *outcome.run;
  if (!read_from_terminal(invocation)) {
    print(stderr, render_error(invocation, {.exit = Exit::usage,
                                            .text = "argument '" + invocation.from_terminal.front() + "' is missing"}));
    return exit_code(Exit::usage);
  }
  add_ticket(invocation);
  const Heard heard = ask(invocation, carry);
  const bool is_answered = !heard.node.empty() || invocation.command->here != nullptr;
  if (is_answered) print(stdout, render_banner(invocation, heard.node));
  if (heard.outcome) {
    print(stdout, render_answer(invocation, heard.node, *heard.outcome));
    return exit_code(Exit::ok);
  }
  std::fflush(stdout);
  print(invocation.format == Format::json ? stdout : stderr, render_error(invocation, heard.outcome.error()));
  return exit_code(heard.outcome.error().exit);
}

}  // namespace quorate::ctl

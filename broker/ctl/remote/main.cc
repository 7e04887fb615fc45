// quoratectl-remote: quoratectl for a node on another machine, through the node's listener for other nodes. Whoever has
// the cluster's secret, or a certificate of its authority, is let in there as another node would be.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "broker/ctl/commands.h"
#include "broker/ctl/door.h"
#include "broker/ctl/tool.h"
#include "cluster/plane/ask_once.h"

namespace quorate::ctl {
namespace {

using http::ClientFault;

/// The first line.
Result<std::string> read_secret(const std::string& path) {
  std::ifstream in(path);
  std::string secret;
  std::getline(in, secret);
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) return failure(ErrorCode::io, "there is no secret in '" + path + "'");
  return secret;
}

Result<cluster::PlaneOptions> options_of(const Invocation& invocation) {
  cluster::PlaneOptions options;
  if (!invocation.secret_file.empty()) {
    auto secret = read_secret(invocation.secret_file);
    if (!secret) return std::unexpected(secret.error());
    options.secret = std::move(*secret);
  }
  const cluster::PlaneTls& tls = invocation.tls;
  if (!tls.cacertfile.empty() || !tls.certfile.empty() || !tls.keyfile.empty()) options.tls = tls;
  if (auto allowed = cluster::check(options); !allowed) return std::unexpected(allowed.error());
  return options;
}

std::expected<std::string, ClientFault> carry_to_listener(const Invocation& invocation,
                                                          std::chrono::milliseconds timeout) {
  const auto broken = [](std::string text) {
    return std::unexpected(ClientFault{.kind = ClientFault::Kind::broken, .text = std::move(text)});
  };
  const auto options = options_of(invocation);
  if (!options) return broken(options.error().text);
  const Wish wish{.command = std::string(invocation.command->name),
                  .node = invocation.remote->name,
                  .arguments = invocation.arguments};
  const Instant deadline = SystemClock().now() + timeout;
  const auto answer = cluster::ask_once(*options, *invocation.remote, std::string(kControlQuestion),
                                        Bytes::copy_of(words_of(wish)), timeout);
  if (answer) return std::string(answer->text());
  const bool is_late = SystemClock().now() >= deadline;
  return std::unexpected(ClientFault{.kind = is_late ? ClientFault::Kind::timeout : ClientFault::Kind::unreachable,
                                     .text = answer.error().text});
}

}  // namespace
}  // namespace quorate::ctl

int main(int count, char** values) {
  using namespace quorate::ctl;
  const std::string program = std::filesystem::path(values[0]).filename().string();
  InvocationOutcome outcome = parse_invocation(commands(), program, {values + 1, values + count});
  const bool is_remote = outcome.run && outcome.run->remote;
  return operate(std::move(outcome), is_remote ? Carry(carry_to_listener) : Carry(carry_to_socket));
}

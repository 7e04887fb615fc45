// quoratectl: finds a node's control socket, runs one command there, prints the answer. It also answers to rabbitmqctl,
// rabbitmq-queues, rabbitmq-diagnostics and rabbitmq-upgrade. For a node on another machine quoratectl-remote takes
// over: that has gRPC in it, which would take longer to load than a command takes.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "broker/ctl/commands.h"
#include "broker/ctl/tool.h"

namespace quorate::ctl {
namespace {

/// Does not return when it is there.
InvocationOutcome become_remote(char** values) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string other = (self.parent_path() / "quoratectl-remote").string();
  ::execv(other.c_str(), values);
  return {.run = std::nullopt, .text = other + ": " + std::strerror(errno), .exit = Exit::software};
}

}  // namespace
}  // namespace quorate::ctl

int main(int count, char** values) {
  using namespace quorate::ctl;
  const std::string program = std::filesystem::path(values[0]).filename().string();
  InvocationOutcome outcome = parse_invocation(commands(), program, {values + 1, values + count});
  if (outcome.run && outcome.run->remote) outcome = become_remote(values);
  return operate(std::move(outcome), carry_to_socket);
}

// What quoratectl does with a command line once it is understood: it has the command carried to its node and prints
// what comes back. How a command travels is the program's business (main.cc, remote/main.cc).
#pragma once
#include <chrono>
#include <expected>
#include <functional>
#include <string>

#include "broker/ctl/invocation.h"
#include "broker/http/unix_client.h"

namespace quorate::ctl {

/// Carries the command of an invocation to its node and brings the body of the answer.
using Carry =
    std::function<std::expected<std::string, http::ClientFault>(const Invocation&, std::chrono::milliseconds timeout)>;

/// Through the control socket in the data directory.
std::expected<std::string, http::ClientFault> carry_to_socket(const Invocation& invocation,
                                                              std::chrono::milliseconds timeout);

/// The exit code. A command that waits for its node is carried again until somebody answers or its time is up.
int operate(InvocationOutcome outcome, const Carry& carry);

}  // namespace quorate::ctl

// One HTTP request over a unix socket, for tools on the same machine.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "broker/http/message.h"

namespace quorate::http {

/// A longer answer is refused.
inline constexpr std::size_t kAnswerMaxBytes = 256u << 20;

struct ClientFault {
  enum class Kind : std::uint8_t {
    unreachable,  // nobody listens there
    timeout,
    broken,  // the connection ended before the answer did
  };
  Kind kind = Kind::unreachable;
  std::string text;
};

/// Of `request`: method, target, headers and body. The status is not judged.
std::expected<Response, ClientFault> ask(const std::string& socket, const Request& request,
                                         std::chrono::milliseconds timeout);

}  // namespace quorate::http

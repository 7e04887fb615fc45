// What an HTTP handler reads and answers: plain values, so that routing, authentication and every endpoint can be tried
// without a socket. server.h translates between these and the wire.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quorate::http {

using Header = std::pair<std::string, std::string>;

struct Request {
  std::string method;           // in capitals
  std::string target;           // as it came: path, and what follows '?'
  std::vector<Header> headers;  // names in lower case
  std::string body;
  bool is_loopback = false;  // the peer is on this machine
  std::string peer;          // "10.0.0.1:53122", for the log

  /// "" when the header is not there.
  std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

struct Response {
  unsigned status = 200;
  std::string body;  // JSON, or empty
  std::vector<Header> headers;
};

/// Called once, on the thread of the server, at any time. Destroyed uncalled, it closes the connection.
using Reply = std::move_only_function<void(Response)>;

}  // namespace quorate::http

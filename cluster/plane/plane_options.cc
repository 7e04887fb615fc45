#include "cluster/plane/plane_options.h"

#include <arpa/inet.h>
#include <fmt/format.h>

namespace quorate::cluster {
namespace {

constexpr unsigned char kLoopbackNet = 127;  // 127.0.0.0/8 (RFC 1122, §3.2.1.3)

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == kLoopbackNet;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

}  // namespace

std::string print_address(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<void> check(const PlaneOptions& options) {
  if (options.tls &&
      (options.tls->cacertfile.empty() || options.tls->certfile.empty() || options.tls->keyfile.empty())) {
    return failure(ErrorCode::invalid_argument,
                   "cluster.ssl_options needs all three of cacertfile, certfile and keyfile: nodes check each other");
  }
  if (!options.tls && options.secret.empty() && !is_loopback(options.listen_host)) {
    return failure(ErrorCode::invalid_argument,
                   fmt::format("the cluster listener {} would be open to anybody: set cluster.secret to the same value "
                               "on every node, or cluster.ssl_options, or bind cluster.listener.ip to 127.0.0.1",
                               print_address(options.listen_host, options.port)));
  }
  return {};
}

}  // namespace quorate::cluster

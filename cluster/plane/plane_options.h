// How the plane between the nodes is protected, and where it listens.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace quorate::cluster {

/// Mutual: both sides show a certificate of this authority. A server's must name the host it was dialled by.
struct PlaneTls {
  std::string cacertfile;
  std::string certfile;
  std::string keyfile;
};

struct PlaneOptions {
  std::string listen_host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  std::string secret;      // the same on every node; empty: none
  std::optional<PlaneTls> tls;
  std::string node_name;  // told to whoever refuses this node; empty: nothing is told
};

/// Whether these options may be served. A listener that the network can reach must know friend from stranger.
Result<void> check(const PlaneOptions& options);

/// "host:port", with brackets around an IPv6 address.
std::string print_address(const std::string& host, std::uint16_t port);

}  // namespace quorate::cluster

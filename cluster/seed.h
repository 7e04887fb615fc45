// Seed: a node that is not known yet, as people write it: where it listens for other nodes, and its name if they say
// it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quorate::cluster {

struct Seed {
  std::string name;  // "rabbit@n1"; empty when only an address was said
  std::string host;
  std::uint16_t port = 25'672;
  bool operator==(const Seed&) const = default;
};

/// seed := address | name "@" address | name "@" node "@" address
/// address := host [":" port] | "[" ipv6 "]" [":" port]
/// "rabbit@n1" is the node of that name on the host n1, "rabbit@a@127.0.0.1:25673" the node rabbit@a at that address.
std::optional<Seed> parse_seed(std::string_view text);
/// What parse_seed() reads back.
std::string print_seed(const Seed& seed);

}  // namespace quorate::cluster

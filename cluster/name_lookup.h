// What a host name leads to, by the resolver of the operating system: /etc/hosts and DNS, as it is set up.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"

namespace quorate::cluster {

/// The addresses behind `hostname`, ascending; IPv4 and IPv6. Blocks, at worst for as long as resolv.conf says.
/// ErrorCode::not_found: there are none, and why.
Result<std::vector<std::string>> look_up(const std::string& hostname);

/// One is an address of IPv4 and the other one of IPv6; a host name is neither.
bool are_of_two_families(const std::string& one, const std::string& other);

}  // namespace quorate::cluster

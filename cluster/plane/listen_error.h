// Why nobody can listen on an address: gRPC only says that it could not.
#pragma once
#include <cstdint>
#include <string>

namespace quorate::cluster {

std::string listen_error(const std::string& host, std::uint16_t port);

}  // namespace quorate::cluster

#include "cluster/name_lookup.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <set>

namespace quorate::cluster {

Result<std::vector<std::string>> look_up(const std::string& hostname) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::resolver resolver(io);
  boost::system::error_code error;
  const auto found = resolver.resolve(hostname, "", error);
  if (error) return failure(ErrorCode::not_found, error.message());
  std::set<std::string> addresses;
  for (const auto& entry : found) addresses.insert(entry.endpoint().address().to_string());
  return std::vector(addresses.begin(), addresses.end());
}

}  // namespace quorate::cluster

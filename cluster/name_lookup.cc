#include "cluster/name_lookup.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
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

bool are_of_two_families(const std::string& one, const std::string& other) {
  boost::system::error_code error_of_one;
  boost::system::error_code error_of_other;
  const auto first = boost::asio::ip::make_address(one, error_of_one);
  const auto second = boost::asio::ip::make_address(other, error_of_other);
  return !error_of_one && !error_of_other && first.is_v4() != second.is_v4();
}

}  // namespace quorate::cluster

// Connections, channels and consumers as the HTTP API shows them (management.md §1.6.4, 5, 13).
#pragma once
#include <boost/json/object.hpp>
#include <vector>

#include "broker/http/broker_view.h"

namespace quorate::http {

boost::json::object connection_json(const ConnectionRow& connection);
boost::json::object channel_json(const ConnectionRow& connection, const ChannelRow& channel);
boost::json::object consumer_json(const ConnectionRow& connection, const ChannelRow& channel,
                                  const ConsumerRow& consumer);

/// "127.0.0.1:40000 -> 127.0.0.1:5672 (1)"
std::string channel_name(const ConnectionRow& connection, const ChannelRow& channel);

/// Both ends of a connection's name.
struct Ends {
  std::string peer_host;
  std::uint16_t peer_port = 0;
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const Ends&) const = default;
};
Ends ends_of(std::string_view connection_name);

template <class Visit>
void for_each_consumer(const std::vector<ConnectionRow>& connections, Visit&& visit) {
  for (const ConnectionRow& connection : connections) {
    for (const ChannelRow& channel : connection.channels) {
      for (const ConsumerRow& consumer : channel.consumers) visit(connection, channel, consumer);
    }
  }
}

}  // namespace quorate::http

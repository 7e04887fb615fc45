// Connections, channels and consumers as the HTTP API shows them (management.md §1.6.4, 5, 13).
#pragma once
#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/http/broker_view.h"

namespace quorate::http {

/// Which consumers are served: all but those that wait behind the single active consumer of their queue.
class Activity {
 public:
  Activity() = default;
  explicit Activity(const std::vector<QueueRow>& queues);
  bool is_waiting(const ConnectionRow& connection, const ConsumerRow& consumer) const;
  /// "up", "single_active" or "waiting".
  std::string_view status_of(const ConnectionRow& connection, const ConsumerRow& consumer) const;

 private:
  /// Of its queue, if that has one; "" = nobody.
  const std::string* active_one(const ConnectionRow& connection, const ConsumerRow& consumer) const;

  std::map<std::pair<std::string, std::string>, std::string> active_;  // by virtual host and queue
};

boost::json::object connection_json(const ConnectionRow& connection);
boost::json::object channel_json(const ConnectionRow& connection, const ChannelRow& channel);
boost::json::object consumer_json(const ConnectionRow& connection, const ChannelRow& channel,
                                  const ConsumerRow& consumer, const Activity& activity);

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

/// The connections of the cluster, and which of their consumers are active.
void collect_consumers(BrokerView& view, BrokerView::Done<const std::vector<ConnectionRow>&, const Activity&> done);

template <class Visit>
void for_each_consumer(const std::vector<ConnectionRow>& connections, Visit&& visit) {
  for (const ConnectionRow& connection : connections) {
    for (const ChannelRow& channel : connection.channels) {
      for (const ConsumerRow& consumer : channel.consumers) visit(connection, channel, consumer);
    }
  }
}

}  // namespace quorate::http

// Connections, channels and consumers. Who is no monitor sees its own.
#include <algorithm>
#include <utility>

#include "broker/http/client_json.h"
#include "broker/http/endpoints.h"

namespace quorate::http::endpoints {
namespace {

namespace json = boost::json;

/// RabbitMQ's words for a connection that an operator closed.
constexpr std::string_view kDefaultReason = "Closed via management plugin";
constexpr std::string_view kNotYours = "User not authorised to access object";

}  // namespace

void connections(Call call) {
  BrokerView& view = call.view;
  view.collect_connections([call = std::move(call)](const std::vector<ConnectionRow>& connections) mutable {
    if (call.path.contains("name")) {
      const auto found = std::ranges::find(connections, call.path.at("name"), &ConnectionRow::name);
      if (found == connections.end()) return answer_not_found(call);
      if (!call.caller.sees(*found)) return answer_refused(call, kNotYours);
      return answer(call, connection_json(*found));
    }
    json::array rows;
    for (const ConnectionRow& connection : connections) {
      if (call.caller.sees(connection)) rows.push_back(connection_json(connection));
    }
    answer_list(call, std::move(rows));
  });
}

void close_connection(Call call) {
  BrokerView& view = call.view;
  view.collect_connections([call = std::move(call)](const std::vector<ConnectionRow>& connections) mutable {
    const auto found = std::ranges::find(connections, call.path.at("name"), &ConnectionRow::name);
    if (found == connections.end()) return answer_not_found(call);
    if (!call.caller.has(Access::administrator) && found->user != call.caller.name) {
      return answer_refused(call, kNotYours);
    }
    std::string reason(call.request.header("x-reason"));
    if (reason.empty()) reason = kDefaultReason;
    BrokerView& next = call.view;
    next.close_connections(found->name, std::move(reason),
                           [call = std::move(call)](std::size_t) mutable { answer_done(call); });
  });
}

void channels(Call call) {
  BrokerView& view = call.view;
  view.collect_connections([call = std::move(call)](const std::vector<ConnectionRow>& connections) mutable {
    json::array rows;
    for (const ConnectionRow& connection : connections) {
      for (const ChannelRow& channel : connection.channels) {
        const bool is_the_one = call.path.contains("name") && channel_name(connection, channel) == call.path.at("name");
        if (is_the_one && !call.caller.sees(connection)) return answer_refused(call, kNotYours);
        if (is_the_one) return answer(call, channel_json(connection, channel));
        if (call.caller.sees(connection)) rows.push_back(channel_json(connection, channel));
      }
    }
    if (call.path.contains("name")) return answer_not_found(call);
    answer_list(call, std::move(rows));
  });
}

void consumers(Call call) {
  BrokerView& view = call.view;
  collect_consumers(
      view, [call = std::move(call)](const std::vector<ConnectionRow>& connections, const Activity& activity) mutable {
        json::array rows;
        for_each_consumer(
            connections, [&](const ConnectionRow& connection, const ChannelRow& channel, const ConsumerRow& consumer) {
              const bool is_asked = !call.path.contains("vhost") || call.path.at("vhost") == connection.vhost;
              if (is_asked && call.caller.sees(connection))
                rows.push_back(consumer_json(connection, channel, consumer, activity));
            });
        answer_list(call, std::move(rows));
      });
}

}  // namespace quorate::http::endpoints

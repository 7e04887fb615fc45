// Queues (management.md §1.6.7).
#include <optional>
#include <utility>

#include "broker/http/client_json.h"
#include "broker/http/endpoints.h"
#include "broker/http/queue_json.h"

namespace quorate::http::endpoints {
namespace {

namespace json = boost::json;

json::array consumers_of(const cluster::Queue& queue, const std::vector<ConnectionRow>& connections) {
  json::array rows;
  for_each_consumer(connections,
                    [&](const ConnectionRow& connection, const ChannelRow& channel, const ConsumerRow& consumer) {
                      if (consumer.queue != queue.name || connection.vhost != queue.vhost) return;
                      rows.push_back(consumer_json(connection, channel, consumer));
                    });
  return rows;
}

}  // namespace

void queues(Call call) {
  if (call.path.contains("vhost") && call.topology().find_vhost(call.path.at("vhost")) == nullptr) {
    return answer_not_found(call);
  }
  BrokerView& view = call.view;
  view.collect_queues([call = std::move(call)](const std::vector<QueueRow>& queues) mutable {
    json::array rows;
    for (const QueueRow& row : queues) {
      const std::string& vhost = row.definition->vhost;
      const bool is_asked = call.path.contains("vhost") ? vhost == call.path.at("vhost") : call.sees_vhost(vhost);
      if (is_asked) rows.push_back(queue_json(row));
    }
    answer_list(call, std::move(rows));
  });
}

void queue(Call call) {
  const cluster::Queue* asked = call.topology().find_queue(call.path.at("vhost"), call.path.at("name"));
  if (asked == nullptr) return answer_not_found(call);
  BrokerView& view = call.view;
  view.collect_queue(asked->id, [call = std::move(call)](std::optional<QueueRow> row) mutable {
    if (!row) return answer_not_found(call);
    BrokerView& next = call.view;
    next.collect_connections(
        [call = std::move(call), row = std::move(*row)](const std::vector<ConnectionRow>& connections) mutable {
          json::object object = queue_json(row);
          object["consumer_details"] = consumers_of(*row.definition, connections);
          object["incoming"] = json::array();
          object["deliveries"] = json::array();
          object["exclusive_consumer_tag"] = nullptr;
          object["single_active_consumer_tag"] = nullptr;
          answer(call, std::move(object));
        });
  });
}

}  // namespace quorate::http::endpoints

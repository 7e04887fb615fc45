// Queues (management.md §1.6.7).
#include <optional>
#include <utility>

#include "broker/http/client_json.h"
#include "broker/http/endpoints.h"
#include "broker/http/json_fields.h"
#include "broker/http/queue_json.h"

namespace quorate::http::endpoints {
namespace {

namespace json = boost::json;

/// A list of queues that is asked for, and who asks; good on any thread.
struct AskedQueues {
  cluster::TopologyPtr topology;
  Caller caller;
  PathValues path;
  Query query;

  explicit AskedQueues(const Call& call)
      : topology(call.view.topology()), caller(call.caller), path(call.path), query(call.query) {}

  Response answer(const std::vector<QueueRow>& queues) const {
    json::array rows;
    const policy::PolicyBook policies(*topology);
    for (const QueueRow& row : queues) {
      const std::string& vhost = row.definition->vhost;
      const bool is_asked = path.contains("vhost") ? vhost == path.at("vhost") : caller.sees_vhost(*topology, vhost);
      if (is_asked) rows.push_back(queue_json(row, policies));
    }
    return list_response(std::move(rows), query);
  }
};

/// What clients do with the queue, into what is said of it.
void put_consumers(const QueueRow& row, const std::vector<ConnectionRow>& connections, json::object& out) {
  const cluster::Queue& queue = *row.definition;
  const Activity activity(std::vector{row});
  json::array rows;
  out["exclusive_consumer_tag"] = nullptr;
  out["single_active_consumer_tag"] = nullptr;
  for_each_consumer(connections,
                    [&](const ConnectionRow& connection, const ChannelRow& channel, const ConsumerRow& consumer) {
                      if (consumer.queue != queue.name || connection.vhost != queue.vhost) return;
                      rows.push_back(consumer_json(connection, channel, consumer, activity));
                      if (consumer.exclusive) out["exclusive_consumer_tag"] = json_text(consumer.tag);
                      if (consumer.id == row.active_consumer)
                        out["single_active_consumer_tag"] = json_text(consumer.tag);
                    });
  out["consumer_details"] = std::move(rows);
}

}  // namespace

void queues(Call call) {
  if (call.path.contains("vhost") && call.topology().find_vhost(call.path.at("vhost")) == nullptr) {
    return answer_not_found(call);
  }
  BrokerView& view = call.view;
  view.collect_queues([call = std::move(call)](std::vector<QueueRow> queues) mutable {
    auto make = [asked = AskedQueues{call}, queues = std::move(queues)] { return asked.answer(queues); };
    BrokerView& next = call.view;
    aside(next, std::move(make),
          [reply = std::move(call.reply)](Response response) mutable { reply(std::move(response)); });
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
          json::object object = queue_json(row, policy::PolicyBook(call.topology()));
          put_consumers(row, connections, object);
          object["incoming"] = json::array();
          object["deliveries"] = json::array();
          answer(call, std::move(object));
        });
  });
}

}  // namespace quorate::http::endpoints

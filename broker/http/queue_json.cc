#include "broker/http/queue_json.h"

#include <boost/json/array.hpp>

#include "broker/http/json_fields.h"
#include "broker/http/policy_json.h"

namespace quorate::http {

namespace json = boost::json;

std::string_view queue_type(cluster::QueueType type) {
  return type == cluster::QueueType::quorum ? "quorum" : "classic";
}

namespace {

/// What its leader counts.
void put_counters(json::object& object, const QueueRow& row) {
  object["consumers"] = row.consumers;
  object["consumer_utilisation"] = 0;
  object["consumer_capacity"] = 0;
  object["memory"] = 0;
  object["message_bytes"] = row.message_bytes;
  object["message_stats"] = json::object();
  put_counter(object, "messages", row.messages());
  put_counter(object, "messages_ready", row.ready);
  put_counter(object, "messages_unacknowledged", row.unacknowledged);
  put_counter(object, "reductions", 0);
  object["messages_delayed"] = row.delayed;
}

}  // namespace

json::object queue_json(const QueueRow& row, const policy::PolicyBook& policies) {
  const cluster::Queue& queue = *row.definition;
  const std::string type = queue_type(queue);
  const policy::InForce in_force = policies.of(queue);
  json::object arguments = json_table(queue.arguments);
  arguments["x-queue-type"] = type;
  json::object object{{"name", json_text(queue.name)},
                      {"vhost", json_text(queue.vhost)},
                      {"type", type},
                      {"durable", queue.durable},
                      {"auto_delete", queue.auto_delete},
                      {"exclusive", queue.owner.has_value()},
                      {"arguments", std::move(arguments)},
                      {"state", row.state},
                      {"policy", policy_name(in_force.users)},
                      {"operator_policy", policy_name(in_force.operators)},
                      {"effective_policy_definition", definition_json(in_force.definition())},
                      {"internal", false},
                      {"internal_owner", false}};
  if (row.is_answered) put_counters(object, row);
  if (!row.node.empty()) object["node"] = row.node;
  if (!row.members.empty()) {
    if (!row.node.empty()) object["leader"] = row.node;
    object["members"] = json_strings(row.members);
    object["online"] = json_strings(row.online);
  }
  return object;
}

}  // namespace quorate::http

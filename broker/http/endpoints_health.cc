// The health checks of management.md §1.3 and §1.6.23: 200 {"status":"ok"} or 503 {"status":"failed","reason":…}. None
// of them asks another node, so that a load balancer is answered even without a quorum.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "broker/http/endpoints.h"
#include "broker/http/json_fields.h"
#include "broker/http/protocol_names.h"
#include "broker/http/refusal.h"

namespace quorate::http::endpoints {
namespace {

namespace json = boost::json;

void answer_state(Call& call) {
  if (call.view.service_state() != ServiceState::serving) {
    return answer_health(call, Health::failed, {{"reason", what_it_is(call.view)}});
  }
  const std::string stalls = call.view.stalls();
  if (!stalls.empty()) return answer_health(call, Health::failed, {{"reason", stalls}});
  answer_health(call, Health::ok);
}

void answer_alarms(Call& call, const std::vector<AlarmRow>& alarms, std::string_view reason) {
  if (alarms.empty()) return answer_health(call, Health::ok);
  json::array rows;
  for (const AlarmRow& alarm : alarms) rows.push_back(json::object{{"node", alarm.node}, {"resource", alarm.resource}});
  answer_health(call, Health::failed, {{"reason", reason}, {"alarms", std::move(rows)}});
}

/// In RabbitMQ's words, as its clients decode them.
json::object critical_json(const CriticalRow& row) {
  return {{"name", json_text(row.name)},
          {"readable_name", json_text(describe(row))},
          {"virtual_host", row.is_queue ? json_text(row.vhost) : "(not applicable)"},
          {"type", row.is_queue ? "rabbit_quorum_queue" : "process"}};
}

}  // namespace

void is_in_service(Call call) { answer_state(call); }
void ready_to_serve_clients(Call call) { answer_state(call); }

void reached_target_cluster_size(Call call) {
  std::size_t online = 0;
  call.topology().nodes.for_each(
      [&](std::uint64_t, const cluster::ClusterNode& node) { online += call.view.is_live(node.id) ? 1 : 0; });
  const std::size_t target = call.view.target_cluster_size();
  if (online >= target) return answer_health(call, Health::ok);
  answer_health(call, Health::failed,
                {{"reason", fmt::format("target cluster size not reached: {} of {} nodes are online", online, target)},
                 {"online", online},
                 {"target", target}});
}

void below_node_connection_limit(Call call) {
  if (call.view.is_below_connection_limit()) return answer_health(call, Health::ok);
  answer_health(call, Health::failed, {{"reason", "node connection limit is reached"}});
}

/// In RabbitMQ it does nothing any more.
void aliveness_test(Call call) {
  if (call.topology().find_vhost(call.path.at("vhost")) == nullptr) return answer_not_found(call);
  answer_health(call, Health::ok);
}

void node_is_quorum_critical(Call call) {
  const std::vector<CriticalRow> critical = call.view.quorum_critical();
  if (critical.empty()) return answer_health(call, Health::ok);
  json::array rows;
  for (const CriticalRow& row : critical) rows.push_back(critical_json(row));
  answer_health(call, Health::failed,
                {{"reason", "There are quorum queues that would lose their quorum if the target node is shut down"},
                 {"queues", std::move(rows)}});
}

void alarms(Call call) { answer_alarms(call, call.view.alarms(), "There are alarms in effect in the cluster"); }

void local_alarms(Call call) {
  std::vector<AlarmRow> alarms = call.view.alarms();
  std::erase_if(alarms, [&](const AlarmRow& alarm) { return alarm.node != call.view.node_name(); });
  answer_alarms(call, alarms, "There are alarms in effect on the node");
}

/// A vhost is a name in the metadata: where that is known, all of them run, also in maintenance.
void virtual_hosts(Call call) { answer_health(call, Health::ok); }

void port_listener(Call call) {
  const std::string& text = call.path.at("port");
  std::uint16_t port = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (fault != std::errc{} || end != text.data() + text.size()) {
    return answer_error(call, 400, "bad_request", "Could not parse port number: " + text);
  }
  json::array ports;
  for (const ListenerRow& listener : call.view.this_node().listeners) {
    if (listener.port == port) return answer_health(call, Health::ok, {{"port", port}});
    ports.push_back(listener.port);
  }
  answer_health(call, Health::failed,
                {{"reason", "No active listener"}, {"missing", port}, {"ports", std::move(ports)}});
}

void protocol_listener(Call call) {
  const std::vector<ListenerRow> listeners = call.view.this_node().listeners;
  json::array missing;
  json::array found;
  std::string_view asked = call.path.at("protocols");
  while (!asked.empty()) {
    const auto comma = std::min(asked.find(','), asked.size());
    const std::string_view name = asked.substr(0, comma);
    const bool is_there = std::ranges::find(listeners, protocol_of(name), &ListenerRow::protocol) != listeners.end();
    (is_there ? found : missing).push_back(json::value(json_text(name)));
    asked.remove_prefix(std::min(comma + 1, asked.size()));
  }
  if (missing.empty()) return answer_health(call, Health::ok, {{"protocols", std::move(found)}});
  json::array open;
  for (const ListenerRow& listener : listeners) open.push_back(json::value(listener.protocol));
  answer_health(call, Health::failed,
                {{"reason", "No active listener"}, {"missing", std::move(missing)}, {"protocols", std::move(open)}});
}

}  // namespace quorate::http::endpoints

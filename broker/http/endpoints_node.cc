// Overview and nodes, in the shape of management.md §1.6.1 and §1.6.2. What only an Erlang runtime has is 0 or empty:
// clients demand the keys.
#include <algorithm>
#include <utility>

#include "broker/exchange/exchange_types.h"
#include "broker/http/endpoints.h"
#include "broker/http/json_fields.h"

namespace quorate::http::endpoints {
namespace {

namespace json = boost::json;

constexpr std::string_view kRatesMode = "basic";
constexpr std::string_view kRuntime = "27";  // dashboards group by it

json::array exchange_types() {
  json::array types;
  for (const exchange::ExchangeType& type : exchange::exchange_types()) {
    types.push_back(json::object{{"name", type.name}, {"description", ""}, {"enabled", true}});
  }
  return types;
}

json::array listener_rows(const NodeRow& node) {
  json::array rows;
  for (const ListenerRow& listener : node.listeners) {
    rows.push_back(json::object{{"node", node.name},
                                {"protocol", listener.protocol},
                                {"ip_address", listener.address},
                                {"port", listener.port},
                                {"socket_opts", json::object()},
                                {"tls", listener.is_tls}});
  }
  return rows;
}

json::array context_rows(const NodeRow& node) {
  json::array rows;
  for (const ListenerRow& listener : node.listeners) {
    if (listener.protocol != "http") continue;
    rows.push_back(json::object{{"node", node.name},
                                {"description", "RabbitMQ Management"},
                                {"path", "/"},
                                {"cowboy_opts", "[]"},
                                {"port", std::to_string(listener.port)}});
  }
  return rows;
}

json::object node_row(const NodeRow& node, const Call& call) {
  json::object row{
      {"name", node.name}, {"type", "disc"}, {"running", node.running}, {"being_drained", node.being_drained}};
  if (!node.running) return row;
  row["os_pid"] = std::to_string(node.os_pid);
  row["uptime"] = node.uptime.count();
  row["processors"] = node.processors;
  row["run_queue"] = 0;
  row["rates_mode"] = kRatesMode;
  put_counter(row, "fd_used", node.files_open);
  row["fd_total"] = node.files_max;
  put_counter(row, "sockets_used", node.sockets_open);
  row["sockets_total"] = node.files_max;
  put_counter(row, "proc_used", 0);
  row["proc_total"] = 0;
  put_counter(row, "mem_used", node.memory_used);
  row["mem_limit"] = node.memory_limit;
  row["mem_alarm"] = node.memory_alarm;
  row["mem_calculation_strategy"] = "rss";
  put_counter(row, "disk_free", node.disk_free);
  row["disk_free_limit"] = node.disk_free_limit;
  row["disk_free_alarm"] = node.disk_alarm;
  row["partitions"] = json::array();
  row["exchange_types"] = exchange_types();
  row["auth_mechanisms"] = json::array();
  row["applications"] =
      json::array{json::object{{"name", "quorate"}, {"description", "Quorate"}, {"version", QUORATE_VERSION}}};
  row["contexts"] = context_rows(node);
  row["listeners"] = listener_rows(node);
  row["log_files"] = json_strings(node.log_files);
  row["config_files"] = json_strings(node.config_files);
  row["db_dir"] = node.data_dir;
  row["net_ticktime"] = 60;
  row["enabled_plugins"] = json::array{"rabbitmq_management"};
  row["cluster_links"] = json::array();
  row["ra_open_file_metrics"] = json::object{{"ra_log_wal", 0}, {"ra_log_segment_writer", 0}};
  row["metrics_gc_queue_length"] = json::object();
  row["rabbitmq_version"] = call.view.rabbitmq_version();
  row["erlang_version"] = kRuntime;
  return row;
}

json::object overview_facts(const Call& call) {
  return {{"management_version", call.view.rabbitmq_version()},
          {"rates_mode", kRatesMode},
          {"sample_retention_policies",
           json::object{{"global", json::array()}, {"basic", json::array()}, {"detailed", json::array()}}},
          {"exchange_types", exchange_types()},
          {"product_name", "Quorate"},
          {"product_version", QUORATE_VERSION},
          {"rabbitmq_version", call.view.rabbitmq_version()},
          {"cluster_name", json_text(call.view.cluster_name())},
          {"cluster_tags", json::object()},
          {"node_tags", json::object()},
          {"erlang_version", kRuntime},
          {"erlang_full_version", "none: Quorate is a native program"},
          {"crypto_lib_version", "OpenSSL"},
          {"default_queue_type", call.view.default_queue_type()},
          {"disable_stats", false},
          {"enable_queue_totals", false},
          {"is_op_policy_updating_enabled", true},
          {"require_definition_json_extension", false},
          {"message_stats", json::object()},
          {"churn_rates", json::object()},
          {"statistics_db_event_queue", 0}};
}

struct Totals {
  std::uint64_t messages = 0;
  std::uint64_t ready = 0;
  std::uint64_t unacknowledged = 0;
  std::uint64_t queues = 0;
  std::uint64_t consumers = 0;
  std::uint64_t connections = 0;
  std::uint64_t channels = 0;
};

void add(Totals& totals, const Call& call, const std::vector<QueueRow>& queues) {
  for (const QueueRow& queue : queues) {
    if (!call.sees_vhost(queue.definition->vhost)) continue;
    ++totals.queues;
    totals.messages += queue.messages();
    totals.ready += queue.ready;
    totals.unacknowledged += queue.unacknowledged;
    totals.consumers += queue.consumers;
  }
}

void add(Totals& totals, const Call& call, const std::vector<ConnectionRow>& connections) {
  for (const ConnectionRow& connection : connections) {
    if (!call.caller.sees(connection)) continue;
    ++totals.connections;
    totals.channels += connection.channels.size();
  }
}

std::size_t count_exchanges(const Call& call) {
  std::size_t count = 0;
  call.topology().vhosts.for_each([&](const std::string& name, const cluster::VhostPtr& vhost) {
    if (call.sees_vhost(name)) count += vhost->exchanges.size();
  });
  return count;
}

void answer_overview(Call& call, const Totals& totals) {
  json::object body = overview_facts(call);
  json::object queue_totals;
  put_counter(queue_totals, "messages", totals.messages);
  put_counter(queue_totals, "messages_ready", totals.ready);
  put_counter(queue_totals, "messages_unacknowledged", totals.unacknowledged);
  body["queue_totals"] = std::move(queue_totals);
  body["object_totals"] = json::object{{"channels", totals.channels},
                                       {"connections", totals.connections},
                                       {"consumers", totals.consumers},
                                       {"exchanges", count_exchanges(call)},
                                       {"queues", totals.queues}};
  if (call.caller.has(Access::monitoring)) {
    const NodeRow here = call.view.this_node();
    body["node"] = here.name;
    body["listeners"] = listener_rows(here);
    body["contexts"] = context_rows(here);
  }
  answer(call, std::move(body));
}

}  // namespace

void version(Call call) { answer(call, json::value(call.view.rabbitmq_version())); }

void overview(Call call) {
  BrokerView& view = call.view;
  view.collect_queues([call = std::move(call)](const std::vector<QueueRow>& queues) mutable {
    Totals totals;
    add(totals, call, queues);
    BrokerView& next = call.view;
    next.collect_connections([call = std::move(call), totals](const std::vector<ConnectionRow>& connections) mutable {
      add(totals, call, connections);
      answer_overview(call, totals);
    });
  });
}

void cluster_name(Call call) {
  json::object body{{"name", json_text(call.view.cluster_name())}};
  answer(call, std::move(body));
}

void set_cluster_name(Call call) {
  const auto body = read_body(call);
  if (!body) return;
  const json::value* name = body->if_contains("name");
  if (name == nullptr) return answer_error(call, 400, "bad_request", "[{key_missing,name}]");
  if (!name->is_string()) return answer_error(call, 400, "bad_request", "name is no text");
  BrokerView& view = call.view;
  view.submit(cluster::SetClusterName{.name = std::string(name->get_string())},
              [call = std::move(call)](cluster::Outcome outcome) mutable {
                if (outcome != cluster::Outcome::refused) return answer_done(call);
                answer_error(call, 400, "bad_request", "name has to have 1 to 255 octets");
              });
}

void nodes(Call call) {
  BrokerView& view = call.view;
  view.collect_nodes([call = std::move(call)](const std::vector<NodeRow>& members) mutable {
    json::array rows;
    for (const NodeRow& member : members) rows.push_back(node_row(member, call));
    answer_list(call, std::move(rows));
  });
}

void node(Call call) {
  BrokerView& view = call.view;
  view.collect_nodes([call = std::move(call)](const std::vector<NodeRow>& members) mutable {
    const auto found = std::ranges::find(members, call.path.at("name"), &NodeRow::name);
    if (found == members.end()) return answer_not_found(call);
    answer(call, node_row(*found, call));
  });
}

}  // namespace quorate::http::endpoints

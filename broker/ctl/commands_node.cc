// The node and its cluster: status, checks, alarms.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <iterator>
#include <utility>

#include "broker/ctl/commands.h"
#include "broker/http/json_fields.h"
#include "broker/http/protocol_names.h"
#include "broker/http/refusal.h"

namespace quorate::ctl::run {
namespace {

namespace json = boost::json;
using http::AlarmRow;
using http::ListenerRow;
using http::NodeRow;
using http::ServiceState;

json::array alarm_rows(const std::vector<AlarmRow>& alarms) {
  json::array rows;
  for (const AlarmRow& alarm : alarms) rows.push_back(json::object{{"node", alarm.node}, {"resource", alarm.resource}});
  return rows;
}

std::string describe(const AlarmRow& alarm) {
  return fmt::format("{} alarm on node {}", alarm.resource == "memory" ? "Memory" : "Free disk space", alarm.node);
}

/// Or "(none)".
std::string one_per_line(const std::vector<std::string>& lines) {
  return lines.empty() ? "(none)" : fmt::format("{}", fmt::join(lines, "\n"));
}

std::string alarm_lines(const std::vector<AlarmRow>& alarms) {
  std::vector<std::string> lines;
  for (const AlarmRow& alarm : alarms) lines.push_back(describe(alarm));
  return one_per_line(lines);
}

std::string purpose_of(const ListenerRow& listener) {
  if (listener.protocol == "amqp") return "AMQP 0-9-1";
  if (listener.protocol == "amqp/ssl") return "AMQP 0-9-1 over TLS";
  if (listener.protocol == "http") return "HTTP API";
  if (listener.protocol == "clustering") return "inter-node and CLI tool communication";
  if (listener.protocol == "clustering/ssl") return "inter-node and CLI tool communication over TLS";
  return listener.protocol;
}

json::array listener_rows(const std::string& node, const std::vector<ListenerRow>& listeners) {
  json::array rows;
  for (const ListenerRow& listener : listeners) {
    rows.push_back(json::object{{"node", node},
                                {"interface", listener.address},
                                {"port", listener.port},
                                {"protocol", listener.protocol},
                                {"purpose", purpose_of(listener)}});
  }
  return rows;
}

std::string listener_lines(const std::vector<ListenerRow>& listeners, std::string_view prefix) {
  std::vector<std::string> lines;
  for (const ListenerRow& listener : listeners) {
    const bool is_v6 = listener.address.find(':') != std::string::npos;
    lines.push_back(fmt::format("{}Interface: {}, port: {}, protocol: {}, purpose: {}", prefix,
                                is_v6 ? "[" + listener.address + "]" : listener.address, listener.port,
                                listener.protocol, purpose_of(listener)));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

void answer_check(Done& done, const std::vector<AlarmRow>& alarms, std::string fine, std::string_view where) {
  if (!alarms.empty()) return fail(done, Exit::unavailable, fmt::format("{}:\n{}", where, alarm_lines(alarms)));
  done(Answer{.data = json::object{{"result", "ok"}}, .text = std::move(fine)});
}

struct Counts {
  std::size_t connections = 0;
  std::size_t queues = 0;
  std::size_t vhosts = 0;
};

auto uptime_seconds(const NodeRow& node) {
  return std::chrono::duration_cast<std::chrono::seconds>(node.uptime).count();
}

json::object status_json(const BrokerView& view, const NodeRow& node, const Counts& counts) {
  return json::object{{"pid", node.os_pid},
                      {"os", "Linux"},
                      {"node_name", node.name},
                      {"product_name", "Quorate"},
                      {"product_version", QUORATE_VERSION},
                      {"rabbitmq_version", view.rabbitmq_version()},
                      {"uptime", uptime_seconds(node)},
                      {"is_running", view.service_state() == ServiceState::serving},
                      {"state", http::describe_state(view)},
                      {"waits_for", view.waits_for()},
                      {"is_under_maintenance", node.being_drained},
                      {"data_directory", node.data_dir},
                      {"log_files", http::json_strings(node.log_files)},
                      {"alarms", alarm_rows(view.alarms())},
                      {"processors", node.processors},
                      {"memory", node.memory_used},
                      {"vm_memory_limit", node.memory_limit},
                      {"disk_free", node.disk_free},
                      {"disk_free_limit", node.disk_free_limit},
                      {"file_descriptors", json::object{{"total_used", node.files_open},
                                                        {"total_limit", node.files_max},
                                                        {"sockets_used", node.sockets_open}}},
                      {"totals", json::object{{"connection_count", counts.connections},
                                              {"queue_count", counts.queues},
                                              {"virtual_host_count", counts.vhosts}}},
                      {"listeners", listener_rows(node.name, node.listeners)}};
}

std::string known_bytes(std::uint64_t bytes) { return bytes == 0 ? "unknown" : fmt::format("{} bytes", bytes); }

std::string status_text(const BrokerView& view, const NodeRow& node, const Counts& counts) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "Runtime\n\nOS PID: {}\nOS: Linux\nUptime (seconds): {}\n", node.os_pid, uptime_seconds(node));
  fmt::format_to(out, "State: the node {}\nIs under maintenance?: {}\n", http::describe_state(view),
                 node.being_drained);
  fmt::format_to(out, "RabbitMQ version: {}\nQuorate version: {}\nNode name: {}\n\n", view.rabbitmq_version(),
                 QUORATE_VERSION, node.name);
  fmt::format_to(out, "Data directory\n\nNode data directory: {}\n\n", node.data_dir);
  fmt::format_to(out, "Alarms\n\n{}\n\n", alarm_lines(view.alarms()));
  fmt::format_to(out, "Memory\n\nTotal memory used: {} bytes\n", node.memory_used);
  fmt::format_to(out, "Memory high watermark setting: {}, computed to: {}\n\n", node.memory_limit_setting,
                 known_bytes(node.memory_limit));
  fmt::format_to(out, "File Descriptors\n\nTotal: {}, limit: {}\n\n", node.files_open, node.files_max);
  fmt::format_to(out, "Free Disk Space\n\nLow free disk space watermark: {}\nFree disk space: {} bytes\n\n",
                 known_bytes(node.disk_free_limit), node.disk_free);
  fmt::format_to(out, "Totals\n\nConnection count: {}\nQueue count: {}\nVirtual host count: {}\n\n", counts.connections,
                 counts.queues, counts.vhosts);
  fmt::format_to(out, "Listeners\n\n{}", listener_lines(node.listeners, ""));
  return text;
}

void answer_cluster_status(BrokerView& view, const std::vector<NodeRow>& nodes, Done& done) {
  std::vector<std::string> all;
  std::vector<std::string> running;
  json::object listeners;
  json::object versions;
  json::object maintenance;
  json::object cores;
  std::string listener_text;
  for (const NodeRow& node : nodes) {
    all.push_back(node.name);
    maintenance[node.name] = node.being_drained ? "marked for maintenance" : "not under maintenance";
    if (!node.running) continue;
    running.push_back(node.name);
    listeners[node.name] = listener_rows(node.name, node.listeners);
    versions[node.name] = json::object{{"rabbitmq_version", view.rabbitmq_version()},
                                       {"rabbitmq_name", "RabbitMQ"},
                                       {"product_name", "Quorate"},
                                       {"product_version", QUORATE_VERSION}};
    cores[node.name] = node.processors;
    listener_text += (listener_text.empty() ? "" : "\n") + listener_lines(node.listeners, "Node: " + node.name + ", ");
  }
  const std::string waits_for = view.waits_for();
  json::object data{{"cluster_name", http::json_text(view.cluster_name())},
                    {"waits_for", waits_for},
                    {"cluster_tags", json::array()},
                    {"disk_nodes", http::json_strings(all)},
                    {"ram_nodes", json::array()},
                    {"running_nodes", http::json_strings(running)},
                    {"alarms", alarm_rows(view.alarms())},
                    {"maintenance_status", maintenance},
                    {"partitions", json::object()},
                    {"listeners", std::move(listeners)},
                    {"versions", std::move(versions)},
                    {"cpu_cores", std::move(cores)},
                    {"feature_flags", json::array()}};
  std::string maintenance_text;
  for (const NodeRow& node : nodes) {
    maintenance_text += fmt::format("{}Node: {}, status: {}", maintenance_text.empty() ? "" : "\n", node.name,
                                    node.being_drained ? "marked for maintenance" : "not under maintenance");
  }
  std::string text = fmt::format(
      "Basics\n\nCluster name: {}{}{}\n\nDisk Nodes\n\n{}\n\nRunning Nodes\n\n{}\n\nMaintenance "
      "status\n\n{}\n\nAlarms\n\n{}"
      "\n\nListeners\n\n{}",
      view.cluster_name(), waits_for.empty() ? "" : "\nThis node waits: ", waits_for, one_per_line(all),
      one_per_line(running), maintenance_text, alarm_lines(view.alarms()), listener_text);
  done(Answer{.data = std::move(data), .text = std::move(text)});
}

}  // namespace

void ping(BrokerView&, const Arguments&, Done done) {
  done(Answer{.data = json::object{{"result", "ok"}}, .text = "Ping succeeded"});
}

void status(BrokerView& view, const Arguments&, Done done) {
  view.collect_queues([&view, done = std::move(done)](const std::vector<http::QueueRow>& queues) mutable {
    view.collect_connections([&view, done = std::move(done),
                              count = queues.size()](const std::vector<http::ConnectionRow>& connections) mutable {
      const NodeRow node = view.this_node();
      const Counts counts{.connections = connections.size(), .queues = count, .vhosts = view.topology()->vhosts.size()};
      done(Answer{.data = status_json(view, node, counts), .text = status_text(view, node, counts)});
    });
  });
}

void cluster_status(BrokerView& view, const Arguments&, Done done) {
  view.collect_nodes([&view, done = std::move(done)](const std::vector<NodeRow>& nodes) mutable {
    answer_cluster_status(view, nodes, done);
  });
}

void listeners(BrokerView& view, const Arguments&, Done done) {
  const NodeRow node = view.this_node();
  done(Answer{
      .data =
          json::object{{"result", "ok"}, {"node", node.name}, {"listeners", listener_rows(node.name, node.listeners)}},
      .text = listener_lines(node.listeners, "")});
}

void await_startup(BrokerView& view, const Arguments& arguments, Done done) {
  view.when_serving(limit_of(arguments), [&view, done = std::move(done)](bool serves) mutable {
    if (serves) return answer_nothing(done);
    fail(done, Exit::tempfail, "time is up: " + http::what_it_is(view));
  });
}

void check_running(BrokerView& view, const Arguments&, Done done) {
  std::string text = fmt::format("RabbitMQ on node {} {}", view.node_name(), http::describe_state(view));
  if (view.service_state() != ServiceState::serving) return fail(done, Exit::unavailable, std::move(text));
  done(Answer{.data = json::object{{"result", "ok"}}, .text = std::move(text)});
}

void is_running(BrokerView& view, const Arguments&, Done done) {
  const bool is_running = view.service_state() == ServiceState::serving;
  std::string text = fmt::format("RabbitMQ on node {} {}", view.node_name(), http::describe_state(view));
  done(Answer{.data = json::object{{"result", is_running}, {"message", text}}, .text = std::move(text)});
}

void server_version(BrokerView& view, const Arguments&, Done done) {
  done(Answer{.data = json::object{{"result", "ok"}, {"value", view.rabbitmq_version()}},
              .text = std::string(view.rabbitmq_version())});
}

/// A vhost is a name in the metadata: where that is known, all of them run, also in maintenance.
void check_virtual_hosts(BrokerView& view, const Arguments&, Done done) {
  done(Answer{.data = json::object{{"result", "ok"}},
              .text = fmt::format("Node {} reported all vhosts as running", view.node_name())});
}

void list_feature_flags(BrokerView&, const Arguments&, Done done) { done(Answer{.data = json::array(), .text = ""}); }

void enable_feature_flag(BrokerView&, const Arguments&, Done done) { answer_nothing(done); }

void alarms(BrokerView& view, const Arguments&, Done done) {
  answer_check(done, view.alarms(), fmt::format("Node {} reported no alarms, local or clusterwide", view.node_name()),
               "there are alarms in effect in the cluster");
}

void check_local_alarms(BrokerView& view, const Arguments&, Done done) {
  std::vector<AlarmRow> local = view.alarms();
  std::erase_if(local, [&](const AlarmRow& alarm) { return alarm.node != view.node_name(); });
  answer_check(done, local, fmt::format("Node {} reported no local alarms", view.node_name()),
               "there are alarms in effect on the node");
}

void check_port_connectivity(BrokerView& view, const Arguments&, Done done) {
  view.probe_listeners([&view, done = std::move(done)](const std::vector<ListenerRow>& unreachable) mutable {
    if (!unreachable.empty()) {
      return fail(done, Exit::unavailable,
                  "Connection to ports of the following listeners failed:\n" + listener_lines(unreachable, ""));
    }
    std::vector<std::uint16_t> ports;
    for (const ListenerRow& listener : view.this_node().listeners) ports.push_back(listener.port);
    done(Answer{.data = json::object{{"result", "ok"}},
                .text = fmt::format("Successfully connected to ports {} on node {}.", fmt::join(ports, ", "),
                                    view.node_name())});
  });
}

namespace {

/// `texts` in order, with commas between them.
std::string join_sorted(std::vector<std::string> texts) {
  std::ranges::sort(texts);
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

void check_port_listener(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string port = text_of(arguments, "port");
  std::vector<std::string> ports;
  for (const ListenerRow& listener : view.this_node().listeners) ports.push_back(std::to_string(listener.port));
  if (std::ranges::find(ports, port) == ports.end()) {
    return fail(done, Exit::unavailable,
                fmt::format("No listener for port {} is active on node {}. Found listeners that use the following "
                            "ports: {}",
                            port, view.node_name(), join_sorted(std::move(ports))));
  }
  done(Answer{.data = json::object{{"result", "ok"}, {"node", view.node_name()}, {"port", port}},
              .text = fmt::format("A listener for port {} is running on node {}.", port, view.node_name())});
}

void check_protocol_listener(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string asked = text_of(arguments, "protocol");
  const std::string protocol(http::protocol_of(asked));
  std::vector<std::string> protocols;
  for (const ListenerRow& listener : view.this_node().listeners) protocols.push_back(listener.protocol);
  if (std::ranges::find(protocols, protocol) == protocols.end()) {
    return fail(done, Exit::unavailable,
                fmt::format("No listener for protocol {} is active on node {}. Found listeners for the following "
                            "protocols: {}",
                            protocol, view.node_name(), join_sorted(std::move(protocols))));
  }
  done(Answer{.data = json::object{{"result", "ok"}, {"node", view.node_name()}, {"protocol", protocol}},
              .text = fmt::format("A listener for protocol {} is running on node {}.", protocol, view.node_name())});
}

}  // namespace quorate::ctl::run

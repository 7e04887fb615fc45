// The lists: each makes whole rows with the column names of rabbitmqctl; Control keeps the columns asked for.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "broker/ctl/commands.h"
#include "broker/http/binding_json.h"
#include "broker/http/client_json.h"
#include "broker/http/json_fields.h"
#include "broker/http/policy_json.h"
#include "broker/http/queue_json.h"
#include "broker/http/vhost_json.h"

namespace quorate::ctl::run {
namespace {

namespace json = boost::json;
using http::ChannelRow;
using http::ConnectionRow;
using http::ConsumerRow;
using http::json_text;
using http::QueueRow;

/// Which queues list_queues is asked for.
struct QueueChoice {
  std::string vhost;
  bool online = true;   // that somebody leads
  bool offline = true;  // the others
  bool local = false;   // led here; then online and offline say nothing, as in RabbitMQ

  bool has(const QueueRow& queue, std::string_view here) const {
    if (queue.definition->vhost != vhost) return false;
    if (local) return queue.node == here;
    return queue.state == "running" ? online : offline;
  }
};

QueueChoice choice_of(const Arguments& arguments) {
  QueueChoice choice{.vhost = text_of(arguments, "vhost"), .local = is_set(arguments, "local")};
  const bool online = is_set(arguments, "online");
  const bool offline = is_set(arguments, "offline");
  if (online != offline) {
    choice.online = online;
    choice.offline = offline;
  }
  return choice;
}

/// Columns of RabbitMQ's that nothing here is behind: scripts that ask for them get a row all the same.
void put_nothing(json::object& row, std::initializer_list<std::string_view> columns, const json::value& nothing) {
  for (const std::string_view column : columns) row[column] = nothing;
}

json::object queue_row(const QueueRow& queue, const policy::PolicyBook& policies) {
  json::object row = http::queue_json(queue, policies);
  if (!queue.node.empty()) row["pid"] = fmt::format("<{}.{}>", queue.node, queue.definition->id.value());
  put_nothing(row,
              {"messages_ram", "messages_ready_ram", "messages_unacknowledged_ram", "message_bytes_ram", "disk_reads",
               "disk_writes"},
              queue.is_answered ? json::value(0) : json::value(nullptr));
  put_nothing(
      row,
      {"owner_pid", "exclusive_consumer_pid", "exclusive_consumer_tag", "message_bytes_ready",
       "message_bytes_unacknowledged", "message_bytes_persistent", "messages_persistent", "head_message_timestamp"},
      nullptr);
  return row;
}

}  // namespace

void list_queues(BrokerView& view, const Arguments& arguments, Done done) {
  if (find_vhost(view, arguments, done) == nullptr) return;
  view.collect_queues([&view, done = std::move(done),
                       choice = choice_of(arguments)](std::vector<QueueRow> queues) mutable {
    auto make = [choice, queues = std::move(queues), topology = view.topology(), here = std::string(view.node_name())] {
      json::array rows;
      const policy::PolicyBook policies(*topology);
      for (const QueueRow& queue : queues) {
        if (choice.has(queue, here)) rows.push_back(queue_row(queue, policies));
      }
      sort_rows(rows, "name");
      return rows;
    };
    http::aside(view, std::move(make), [done = std::move(done)](json::array rows) mutable {
      done(Answer{.data = std::move(rows), .text = ""});
    });
  });
}

void list_exchanges(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Vhost* vhost = find_vhost(view, arguments, done);
  if (vhost == nullptr) return;
  json::array rows;
  const policy::PolicyBook policies(*view.topology());
  vhost->exchanges.for_each([&](const std::string& name, const cluster::ExchangePtr& exchange) {
    rows.push_back(json::object{{"name", json_text(name)},
                                {"type", exchange->type},
                                {"durable", exchange->durable},
                                {"auto_delete", exchange->auto_delete},
                                {"internal", exchange->internal},
                                {"arguments", http::json_table(exchange->arguments)},
                                {"policy", http::policy_name(policies.of(*exchange).users)}});
  });
  answer_rows(done, std::move(rows), "name");
}

void list_bindings(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Vhost* vhost = find_vhost(view, arguments, done);
  if (vhost == nullptr) return;
  json::array rows;
  http::for_each_binding(*vhost, [&](const cluster::Binding& binding) {
    const json::object full = http::binding_json(binding);
    rows.push_back(json::object{{"source_name", full.at("source")},
                                {"source_kind", "exchange"},
                                {"destination_name", full.at("destination")},
                                {"destination_kind", full.at("destination_type")},
                                {"routing_key", full.at("routing_key")},
                                {"arguments", full.at("arguments")}});
  });
  sort_rows(rows, "destination_name");
  answer_rows(done, std::move(rows), "source_name");
}

void list_connections(BrokerView& view, const Arguments&, Done done) {
  view.collect_connections([done = std::move(done)](const std::vector<ConnectionRow>& connections) mutable {
    json::array rows;
    for (const ConnectionRow& connection : connections) {
      json::object row = http::connection_json(connection);
      row["pid"] = connection.name;
      row["connection_name"] = json_text(connection.client_name);
      put_nothing(row, {"recv_cnt", "send_cnt"}, 0);
      put_nothing(row, {"peer_cert_serial_number", "container_id"}, nullptr);
      rows.push_back(std::move(row));
    }
    answer_rows(done, std::move(rows), "name");
  });
}

void list_channels(BrokerView& view, const Arguments&, Done done) {
  view.collect_connections([done = std::move(done)](const std::vector<ConnectionRow>& connections) mutable {
    json::array rows;
    for (const ConnectionRow& connection : connections) {
      for (const ChannelRow& channel : connection.channels) {
        json::object row = http::channel_json(connection, channel);
        row["pid"] = http::channel_name(connection, channel);
        row["connection"] = connection.name;
        rows.push_back(std::move(row));
      }
    }
    answer_rows(done, std::move(rows), "name");
  });
}

void list_consumers(BrokerView& view, const Arguments& arguments, Done done) {
  if (find_vhost(view, arguments, done) == nullptr) return;
  http::collect_consumers(
      view, [done = std::move(done), vhost = text_of(arguments, "vhost")](const std::vector<ConnectionRow>& connections,
                                                                          const http::Activity& activity) mutable {
        json::array rows;
        http::for_each_consumer(
            connections, [&](const ConnectionRow& connection, const ChannelRow& channel, const ConsumerRow& consumer) {
              if (connection.vhost != vhost) return;
              json::object row = http::consumer_json(connection, channel, consumer, activity);
              row["queue_name"] = json_text(consumer.queue);
              row["channel_pid"] = http::channel_name(connection, channel);
              rows.push_back(std::move(row));
            });
        answer_rows(done, std::move(rows), "queue_name");
      });
}

void list_users(BrokerView& view, const Arguments&, Done done) {
  json::array rows;
  view.topology()->users.for_each([&](const std::string& name, const cluster::User& user) {
    rows.push_back(json::object{{"user", json_text(name)}, {"tags", http::json_strings(user.tags)}});
  });
  answer_rows(done, std::move(rows), "user");
}

void list_vhosts(BrokerView& view, const Arguments&, Done done) {
  json::array rows;
  view.topology()->vhosts.for_each(
      [&](const std::string&, const cluster::VhostPtr& vhost) { rows.push_back(http::vhost_json(*vhost, view)); });
  answer_rows(done, std::move(rows), "name");
}

void list_permissions(BrokerView& view, const Arguments& arguments, Done done) {
  const cluster::Vhost* vhost = find_vhost(view, arguments, done);
  if (vhost == nullptr) return;
  json::array rows;
  view.topology()->users.for_each([&](const std::string& name, const cluster::User& user) {
    const cluster::PermissionPatterns* patterns = user.permissions.find(vhost->name);
    if (patterns != nullptr) rows.push_back(http::permission_json(name, vhost->name, *patterns));
  });
  answer_rows(done, std::move(rows), "user");
}

void list_user_permissions(BrokerView& view, const Arguments& arguments, Done done) {
  const std::string name = text_of(arguments, "username");
  const cluster::User* user = view.topology()->users.find(name);
  if (user == nullptr) return fail(done, Exit::nouser, fmt::format("User \"{}\" does not exist", name));
  json::array rows;
  user->permissions.for_each([&](const std::string& vhost, const cluster::PermissionPatterns& patterns) {
    rows.push_back(http::permission_json(name, vhost, patterns));
  });
  answer_rows(done, std::move(rows), "vhost");
}

}  // namespace quorate::ctl::run

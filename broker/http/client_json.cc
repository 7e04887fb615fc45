#include "broker/http/client_json.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "broker/http/json_fields.h"
#include "broker/message/field_cursor.h"

namespace quorate::http {
namespace {

namespace json = boost::json;

/// "[::1]:5672" or "127.0.0.1:5672".
void read_end(std::string_view text, std::string& host, std::uint16_t& port) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return;
  std::string_view address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  host = address;
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
}

/// Some queue of a consumer has been declared with a single active consumer.
bool may_have_waiting(const cluster::Topology& topology, const std::vector<ConnectionRow>& connections) {
  bool found = false;
  for_each_consumer(connections, [&](const ConnectionRow& connection, const ChannelRow&, const ConsumerRow& consumer) {
    const cluster::Queue* queue = found ? nullptr : topology.find_queue(connection.vhost, consumer.queue);
    if (queue != nullptr) found = find_field_value(as_bytes(queue->arguments), "x-single-active-consumer").has_value();
  });
  return found;
}

}  // namespace

Ends ends_of(std::string_view name) {
  static constexpr std::string_view kArrow = " -> ";
  Ends ends;
  const auto arrow = name.find(kArrow);
  if (arrow == std::string_view::npos) return ends;
  read_end(name.substr(0, arrow), ends.peer_host, ends.peer_port);
  read_end(name.substr(arrow + kArrow.size()), ends.host, ends.port);
  return ends;
}

std::string channel_name(const ConnectionRow& connection, const ChannelRow& channel) {
  return connection.name + " (" + std::to_string(channel.number) + ")";
}

json::object connection_json(const ConnectionRow& row) {
  const Ends ends = ends_of(row.name);
  json::object object{{"name", row.name},
                      {"node", row.node},
                      {"type", "network"},
                      {"protocol", "AMQP 0-9-1"},
                      {"user", json_text(row.user)},
                      {"user_who_performed_action", json_text(row.user)},
                      {"vhost", json_text(row.vhost)},
                      {"host", ends.host},
                      {"port", ends.port},
                      {"peer_host", ends.peer_host},
                      {"peer_port", ends.peer_port},
                      {"ssl", row.is_tls},
                      {"ssl_protocol", nullptr},
                      {"ssl_key_exchange", nullptr},
                      {"ssl_cipher", nullptr},
                      {"ssl_hash", nullptr},
                      {"peer_cert_subject", nullptr},
                      {"peer_cert_issuer", nullptr},
                      {"peer_cert_validity", nullptr},
                      {"auth_mechanism", row.mechanism},
                      {"timeout", row.heartbeat.count()},
                      {"frame_max", row.frame_max},
                      {"channel_max", row.channel_max},
                      {"client_properties", json_table(row.client_properties)},
                      {"connected_at", row.connected_at.time_since_epoch().count()},
                      {"state", row.state},
                      {"channels", row.channels.size()},
                      {"send_pend", row.waiting_bytes}};
  if (!row.client_name.empty()) object["user_provided_name"] = json_text(row.client_name);
  put_counter(object, "recv_oct", row.received_bytes);
  put_counter(object, "send_oct", row.sent_bytes);
  put_counter(object, "reductions", 0);
  return object;
}

json::object channel_json(const ConnectionRow& connection, const ChannelRow& channel) {
  const Ends ends = ends_of(connection.name);
  json::object object{
      {"name", channel_name(connection, channel)},
      {"number", channel.number},
      {"node", connection.node},
      {"user", json_text(connection.user)},
      {"user_who_performed_action", json_text(connection.user)},
      {"vhost", json_text(connection.vhost)},
      {"connection_details",
       json::object{{"name", connection.name}, {"peer_host", ends.peer_host}, {"peer_port", ends.peer_port}}},
      {"state", "running"},
      {"transactional", channel.transactional},
      {"confirm", channel.confirm},
      {"consumer_count", channel.consumers.size()},
      {"prefetch_count", channel.prefetch},
      {"global_prefetch_count", channel.global_prefetch},
      {"messages_unacknowledged", channel.unacknowledged},
      {"messages_unconfirmed", channel.unconfirmed},
      {"messages_uncommitted", channel.uncommitted},
      {"acks_uncommitted", channel.acks_uncommitted},
      {"pending_raft_commands", 0},
      {"cached_segments", 0}};
  put_counter(object, "reductions", 0);
  return object;
}

Activity::Activity(const std::vector<QueueRow>& queues) {
  for (const QueueRow& queue : queues) {
    if (!queue.has_single_active_consumer) continue;
    active_[{queue.definition->vhost, queue.definition->name}] = queue.active_consumer;
  }
}

const std::string* Activity::active_one(const ConnectionRow& connection, const ConsumerRow& consumer) const {
  const auto at = active_.find({connection.vhost, consumer.queue});
  return at != active_.end() ? &at->second : nullptr;
}

bool Activity::is_waiting(const ConnectionRow& connection, const ConsumerRow& consumer) const {
  const std::string* active = active_one(connection, consumer);
  return active != nullptr && *active != consumer.id;
}

std::string_view Activity::status_of(const ConnectionRow& connection, const ConsumerRow& consumer) const {
  if (active_one(connection, consumer) == nullptr) return "up";
  return is_waiting(connection, consumer) ? "waiting" : "single_active";
}

void collect_consumers(BrokerView& view, BrokerView::Done<const std::vector<ConnectionRow>&, const Activity&> done) {
  view.collect_connections([&view, done = std::move(done)](std::vector<ConnectionRow> connections) mutable {
    if (!may_have_waiting(*view.topology(), connections)) return done(connections, Activity());
    view.collect_queues([connections = std::move(connections), done = std::move(done)](
                            const std::vector<QueueRow>& queues) mutable { done(connections, Activity(queues)); });
  });
}

json::object consumer_json(const ConnectionRow& connection, const ChannelRow& channel, const ConsumerRow& consumer,
                           const Activity& activity) {
  const Ends ends = ends_of(connection.name);
  return {{"consumer_tag", json_text(consumer.tag)},
          {"exclusive", consumer.exclusive},
          {"ack_required", consumer.ack_required},
          {"prefetch_count", consumer.prefetch},
          {"active", !activity.is_waiting(connection, consumer)},
          {"activity_status", activity.status_of(connection, consumer)},
          {"arguments", json_table(consumer.arguments)},
          {"consumer_timeout", consumer.timeout_ms},
          {"queue", json::object{{"name", json_text(consumer.queue)}, {"vhost", json_text(connection.vhost)}}},
          {"channel_details", json::object{{"name", channel_name(connection, channel)},
                                           {"number", channel.number},
                                           {"user", json_text(connection.user)},
                                           {"node", connection.node},
                                           {"connection_name", connection.name},
                                           {"peer_host", ends.peer_host},
                                           {"peer_port", ends.peer_port}}}};
}

}  // namespace quorate::http

#include "broker/node/row_json.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <chrono>
#include <concepts>
#include <string>
#include <utility>

namespace quorate {
namespace {

namespace json = boost::json;

// The keys of each row, in both directions.
template <class Io>
void fields(Io& io, http::ListenerRow& row) {
  io("protocol", row.protocol);
  io("address", row.address);
  io("port", row.port);
  io("is_tls", row.is_tls);
}
template <class Io>
void fields(Io& io, http::NodeRow& row) {
  io("name", row.name);
  io("running", row.running);
  io("being_drained", row.being_drained);
  io("os_pid", row.os_pid);
  io("uptime", row.uptime);
  io("processors", row.processors);
  io("files_open", row.files_open);
  io("files_max", row.files_max);
  io("sockets_open", row.sockets_open);
  io("memory_used", row.memory_used);
  io("memory_limit", row.memory_limit);
  io("memory_alarm", row.memory_alarm);
  io("disk_free", row.disk_free);
  io("disk_free_limit", row.disk_free_limit);
  io("disk_alarm", row.disk_alarm);
  io("data_dir", row.data_dir);
  io("log_files", row.log_files);
  io("config_files", row.config_files);
  io("listeners", row.listeners);
}
template <class Io>
void fields(Io& io, http::ConsumerRow& row) {
  io("tag", row.tag);
  io("queue", row.queue);
  io("ack_required", row.ack_required);
  io("exclusive", row.exclusive);
  io("prefetch", row.prefetch);
  io("arguments", row.arguments);
}
template <class Io>
void fields(Io& io, http::ChannelRow& row) {
  io("number", row.number);
  io("transactional", row.transactional);
  io("confirm", row.confirm);
  io("prefetch", row.prefetch);
  io("global_prefetch", row.global_prefetch);
  io("unacknowledged", row.unacknowledged);
  io("unconfirmed", row.unconfirmed);
  io("uncommitted", row.uncommitted);
  io("acks_uncommitted", row.acks_uncommitted);
  io("consumers", row.consumers);
}
template <class Io>
void fields(Io& io, http::ConnectionRow& row) {
  io("name", row.name);
  io("node", row.node);
  io("user", row.user);
  io("vhost", row.vhost);
  io("client_name", row.client_name);
  io("state", row.state);
  io("mechanism", row.mechanism);
  io("client_properties", row.client_properties);
  io("is_tls", row.is_tls);
  io("heartbeat", row.heartbeat);
  io("frame_max", row.frame_max);
  io("channel_max", row.channel_max);
  io("connected_at", row.connected_at);
  io("received_bytes", row.received_bytes);
  io("sent_bytes", row.sent_bytes);
  io("waiting_bytes", row.waiting_bytes);
  io("channels", row.channels);
}
template <class Io>
void fields(Io& io, http::ReplicaRow& row) {
  io("node", row.node);
  io("state", row.state);
  io("membership", row.membership);
  io("last_index", row.last_index);
  io("last_written", row.last_written);
  io("last_applied", row.last_applied);
  io("commit_index", row.commit_index);
  io("snapshot_index", row.snapshot_index);
  io("term", row.term);
  io("machine_version", row.machine_version);
}
template <class Io>
void fields(Io& io, LedQueue& row) {
  io("id", row.id);
  io("ready", row.ready);
  io("unacknowledged", row.unacknowledged);
  io("message_bytes", row.message_bytes);
  io("consumers", row.consumers);
}

class Writer {
 public:
  explicit Writer(json::object& out) : out_(out) {}
  void operator()(std::string_view key, const std::string& text) { out_[key] = text; }
  void operator()(std::string_view key, bool flag) { out_[key] = flag; }
  void operator()(std::string_view key, std::unsigned_integral auto number) { out_[key] = std::uint64_t{number}; }
  void operator()(std::string_view key, GroupId id) { out_[key] = id.value(); }
  template <class Rep, class Period>
  void operator()(std::string_view key, std::chrono::duration<Rep, Period> duration) {
    out_[key] = duration.count();
  }
  void operator()(std::string_view key, WallTime time) { out_[key] = time.time_since_epoch().count(); }
  template <class Item>
  void operator()(std::string_view key, std::vector<Item>& items) {
    json::array array;
    for (Item& item : items) array.push_back(value_of(item));
    out_[key] = std::move(array);
  }

 private:
  static json::value value_of(std::string& text) { return json::value(text); }
  template <class Row>
  static json::value value_of(Row& row) {
    json::object object;
    Writer writer(object);
    fields(writer, row);
    return object;
  }

  json::object& out_;
};

class Reader {
 public:
  explicit Reader(const json::object& in) : in_(in) {}
  void operator()(std::string_view key, std::string& text) {
    const json::value* value = in_.if_contains(key);
    if (value != nullptr) take(*value, text);
  }
  void operator()(std::string_view key, bool& flag) {
    const json::value* value = in_.if_contains(key);
    if (value != nullptr && value->is_bool()) flag = value->get_bool();
  }
  void operator()(std::string_view key, std::unsigned_integral auto& number) { number = integer(key, number); }
  void operator()(std::string_view key, GroupId& id) { id = GroupId(integer(key, id.value())); }
  template <class Rep, class Period>
  void operator()(std::string_view key, std::chrono::duration<Rep, Period>& duration) {
    duration = std::chrono::duration<Rep, Period>(integer(key, Rep{}));
  }
  void operator()(std::string_view key, WallTime& time) {
    time = WallTime(WallTime::duration(integer(key, WallTime::rep{})));
  }
  template <class Item>
  void operator()(std::string_view key, std::vector<Item>& items) {
    const json::value* value = in_.if_contains(key);
    if (value == nullptr || !value->is_array()) return;
    for (const json::value& item : value->get_array()) {
      if (Item read; take(item, read)) items.push_back(std::move(read));
    }
  }

 private:
  template <class Number>
  Number integer(std::string_view key, Number fallback) const {
    const json::value* value = in_.if_contains(key);
    if (value == nullptr) return fallback;
    json::error_code error;
    const auto number = value->to_number<Number>(error);
    return error ? fallback : number;
  }
  static bool take(const json::value& value, std::string& text) {
    if (value.is_string()) text = std::string(value.get_string());
    return value.is_string();
  }
  template <class Row>
  static bool take(const json::value& value, Row& row) {
    if (!value.is_object()) return false;
    Reader reader(value.get_object());
    fields(reader, row);
    return true;
  }

  const json::object& in_;
};

template <class Row>
json::value write(Row& row) {
  json::object object;
  Writer writer(object);
  fields(writer, row);
  return object;
}

template <class Row>
std::optional<Row> read(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  Row row;
  Reader reader(value.get_object());
  fields(reader, row);
  return row;
}

}  // namespace

json::value to_json(http::NodeRow row) { return write(row); }
json::value to_json(http::ConnectionRow row) { return write(row); }
json::value to_json(http::ReplicaRow row) { return write(row); }
json::value to_json(LedQueue row) { return write(row); }

template <>
std::optional<http::NodeRow> row_from(const json::value& value) {
  return read<http::NodeRow>(value);
}
template <>
std::optional<http::ConnectionRow> row_from(const json::value& value) {
  return read<http::ConnectionRow>(value);
}
template <>
std::optional<http::ReplicaRow> row_from(const json::value& value) {
  return read<http::ReplicaRow>(value);
}
template <>
std::optional<LedQueue> row_from(const json::value& value) {
  return read<LedQueue>(value);
}

Result<json::value> parse_words(ByteView words) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  json::error_code error;
  const std::string_view text(reinterpret_cast<const char*>(words.data()), words.size());
  json::value value = json::parse(text, error, {}, options);
  if (error) return failure(ErrorCode::corruption, "what another node said is no JSON: " + error.message());
  return value;
}

}  // namespace quorate

#include "broker/node/row_json.h"

#include <algorithm>
#include <boost/describe/class.hpp>
#include <boost/describe/members.hpp>
#include <boost/json/parse.hpp>
#include <boost/mp11/algorithm.hpp>
#include <boost/mp11/list.hpp>
#include <boost/pfr/tuple_size.hpp>
#include <chrono>
#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

// The keys of each row: the names of its fields.
namespace quorate::http {
BOOST_DESCRIBE_STRUCT(ListenerRow, (), (protocol, address, port, is_tls))
BOOST_DESCRIBE_STRUCT(NodeRow, (),
                      (name, running, being_drained, os_pid, uptime, processors, files_open, files_max, sockets_open,
                       memory_used, memory_limit, memory_limit_setting, memory_alarm, disk_free, disk_free_limit,
                       disk_alarm, data_dir, log_files, config_files, listeners))
BOOST_DESCRIBE_STRUCT(ConsumerRow, (), (id, tag, queue, ack_required, timeout_ms, exclusive, prefetch, arguments))
BOOST_DESCRIBE_STRUCT(ChannelRow, (),
                      (number, transactional, confirm, prefetch, global_prefetch, unacknowledged, unconfirmed,
                       uncommitted, acks_uncommitted, consumers))
BOOST_DESCRIBE_STRUCT(ConnectionRow, (),
                      (name, node, user, vhost, client_name, state, mechanism, client_properties, is_tls, heartbeat,
                       frame_max, channel_max, connected_at, received_bytes, sent_bytes, waiting_bytes, channels))
BOOST_DESCRIBE_STRUCT(ReplicaRow, (),
                      (node, state, membership, last_index, last_written, last_applied, commit_index, snapshot_index,
                       term, machine_version))
}  // namespace quorate::http

namespace quorate {
BOOST_DESCRIBE_STRUCT(LedQueue, (),
                      (id, ready, unacknowledged, delayed, message_bytes, consumers, has_single_active_consumer,
                       active_consumer))

namespace {

namespace json = boost::json;

/// visit(key, field) for each.
template <class Row, class Visit>
void for_each_field(Row& row, Visit&& visit) {
  using Fields = boost::describe::describe_members<std::remove_const_t<Row>, boost::describe::mod_public>;
  static_assert(boost::mp11::mp_size<Fields>::value == boost::pfr::tuple_size_v<std::remove_const_t<Row>>,
                "a field of the row has no key");
  boost::mp11::mp_for_each<Fields>([&](auto field) { visit(field.name, row.*field.pointer); });
}

class Writer {
 public:
  explicit Writer(json::object& out) : out_(out) {}
  void operator()(std::string_view key, const std::string& text) { out_[key] = text; }
  void operator()(std::string_view key, bool flag) { out_[key] = flag; }
  void operator()(std::string_view key, std::integral auto number) { out_[key] = number; }
  void operator()(std::string_view key, GroupId id) { out_[key] = id.value(); }
  template <class Rep, class Period>
  void operator()(std::string_view key, std::chrono::duration<Rep, Period> duration) {
    out_[key] = duration.count();
  }
  void operator()(std::string_view key, WallTime time) { out_[key] = time.time_since_epoch().count(); }
  template <class Item>
  void operator()(std::string_view key, const std::vector<Item>& items) {
    json::array array;
    for (const Item& item : items) array.push_back(value_of(item));
    out_[key] = std::move(array);
  }

 private:
  static json::value value_of(const std::string& text) { return json::value(text); }
  template <class Row>
  static json::value value_of(const Row& row) {
    json::object object;
    Writer writer(object);
    for_each_field(row, writer);
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
  void operator()(std::string_view key, std::integral auto& number) { number = integer(key, number); }
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
    for_each_field(row, reader);
    return true;
  }

  const json::object& in_;
};

template <class Row>
json::value write(const Row& row) {
  json::object object;
  Writer writer(object);
  for_each_field(row, writer);
  return object;
}

template <class Row>
std::optional<Row> read(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  Row row;
  Reader reader(value.get_object());
  for_each_field(row, reader);
  return row;
}

}  // namespace

json::value to_json(const http::NodeRow& row) { return write(row); }
json::value to_json(const http::ConnectionRow& row) { return write(row); }
json::value to_json(const http::ReplicaRow& row) { return write(row); }
json::value to_json(const LedQueue& row) { return write(row); }

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

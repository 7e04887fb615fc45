// Rows as nodes tell each other of them: JSON objects with one key for each field. What is missing or of another kind
// is as good as absent, so nodes of different versions understand each other; nothing that a peer sends aborts.
#pragma once
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "broker/http/broker_view.h"
#include "cluster/metadata/topology.h"

namespace quorate {

/// A queue as the node of its leader knows it. What the metadata says is not told again.
struct LedQueue {
  GroupId id;
  std::uint64_t ready = 0;
  std::uint64_t unacknowledged = 0;
  std::uint64_t delayed = 0;
  std::uint64_t message_bytes = 0;
  std::uint64_t consumers = 0;
  bool has_single_active_consumer = false;
  std::string active_consumer;  // http::ConsumerRow::id
  bool operator==(const LedQueue&) const = default;
};

boost::json::value to_json(const http::NodeRow& row);
boost::json::value to_json(const http::ConnectionRow& row);
boost::json::value to_json(const http::ReplicaRow& row);
boost::json::value to_json(const LedQueue& row);
template <class Row>
boost::json::value to_json(const std::vector<Row>& rows) {
  boost::json::array array;
  for (const Row& row : rows) array.push_back(to_json(row));
  return array;
}

/// One row; nothing when `value` is no object.
template <class Row>
std::optional<Row> row_from(const boost::json::value& value);
/// Every object of an array.
template <class Row>
std::vector<Row> rows_from(const boost::json::value& value) {
  std::vector<Row> rows;
  if (!value.is_array()) return rows;
  for (const boost::json::value& item : value.get_array()) {
    if (auto row = row_from<Row>(item)) rows.push_back(std::move(*row));
  }
  return rows;
}

/// Texts are octets that clients chose, not always UTF-8; they stay as they are.
Result<boost::json::value> parse_words(ByteView words);

}  // namespace quorate

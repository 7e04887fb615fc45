// The words in which routing tests speak: bind, unbind, and where a message goes. Destinations are single letters.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "broker/amqp/table_codec.h"
#include "broker/exchange/exchange_types.h"

namespace quorate::exchange {

inline std::string encoded(const Table& table) { return std::string(as_text(amqp::encode_table(table))); }

class RoutingFixture : public ::testing::Test {
 protected:
  void declare(std::string_view type) { index_ = find_exchange_type(type)->make_index(); }

  void bind(char queue, std::string_view routing_key, const Table& arguments = {}) {
    index_ = index_->bind(key(routing_key, arguments), destination(queue));
  }
  void unbind(char queue, std::string_view routing_key, const Table& arguments = {}) {
    index_ = index_->unbind(key(routing_key, arguments), destination(queue));
  }

  /// The letters of the queues, sorted; a queue that is told twice is seen twice.
  std::string route(std::string_view routing_key, const Table& headers = {}) const {
    const std::string bytes = encoded(headers);
    cluster::RouteSink sink;
    index_->route({.routing_key = routing_key, .headers = as_bytes(bytes)}, sink);
    std::string letters;
    for (const cluster::Destination& reached : sink.destinations()) letters += static_cast<char>(reached.id);
    std::ranges::sort(letters);
    return letters;
  }

  static cluster::BindingKey key(std::string_view routing_key, const Table& arguments) {
    return {.routing_key = std::string(routing_key), .arguments = encoded(arguments)};
  }
  static cluster::Destination destination(char queue) { return {.id = static_cast<std::uint64_t>(queue)}; }

  cluster::RoutingIndexPtr index_;
};

}  // namespace quorate::exchange

// The words in which tests of the metadata machine speak, and an index that only remembers what is bound, so that a
// test can compare it with the bindings.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/metadata/machine.h"

namespace quorate::cluster {

/// Routes by equal keys, and fails a CHECK when it is told to bind twice or to unbind what is not bound.
class PlainIndex final : public RoutingIndex {
 public:
  struct Row {
    std::string routing_key;
    std::string arguments;
    Destination destination;
    auto operator<=>(const Row&) const = default;
  };

  RoutingIndexPtr bind(const BindingKey& key, Destination destination) const override {
    auto next = std::make_shared<PlainIndex>(*this);
    CHECK(next->rows.insert({key.routing_key, key.arguments, destination}).second);
    return next;
  }
  RoutingIndexPtr unbind(const BindingKey& key, Destination destination) const override {
    auto next = std::make_shared<PlainIndex>(*this);
    CHECK_EQ(next->rows.erase({key.routing_key, key.arguments, destination}), 1u);
    return next;
  }
  void route(const RoutingInput& input, RouteSink& sink) const override {
    for (const Row& row : rows) {
      if (row.routing_key == input.routing_key) sink.add(row.destination);
    }
  }

  std::set<Row> rows;
};

inline RoutingIndexPtr make_plain_index(std::string_view type) {
  static const std::set<std::string_view> kTypes = {"direct", "fanout", "headers", "topic"};
  return kTypes.contains(type) ? std::make_shared<PlainIndex>() : nullptr;
}

/// Everything in a topology fits together: both views of the bindings, the indexes, the tables by id and by owner.
inline void check_topology(const Topology& topology) {
  std::size_t exchanges = 0;
  std::size_t queues = 0;
  std::size_t owned = 0;
  topology.vhosts.for_each([&](const std::string& vhost_name, const VhostPtr& vhost) {
    std::set<std::string> from_sources;
    std::set<std::string> from_destinations;
    vhost->exchanges.for_each([&](const std::string& name, const ExchangePtr& exchange) {
      ++exchanges;
      ASSERT_EQ(name, exchange->name);
      ASSERT_EQ(*topology.exchanges_by_id.find(exchange->id), exchange);
      std::set<PlainIndex::Row> expected;
      exchange->bindings.for_each([&](const std::string& identity, const BindingPtr& binding) {
        from_sources.insert(identity);
        ASSERT_EQ(binding->source, name);
        std::uint64_t id = 0;
        if (binding->kind == Destination::Kind::queue) {
          const Queue* queue = topology.find_queue(vhost_name, binding->destination);
          ASSERT_NE(queue, nullptr) << binding->destination;
          id = queue->id.value();
        } else {
          const Exchange* found = topology.find_exchange(vhost_name, binding->destination);
          ASSERT_NE(found, nullptr) << binding->destination;
          id = found->id;
        }
        expected.insert({binding->key.routing_key, binding->key.arguments, {.kind = binding->kind, .id = id}});
      });
      ASSERT_EQ(dynamic_cast<const PlainIndex&>(*exchange->index).rows, expected) << name;
    });
    vhost->bindings_to.for_each([&](const std::string& key, const auto& bindings) {
      ASSERT_FALSE(bindings.empty()) << key;
      bindings.for_each([&](const std::string& identity, const BindingPtr& binding) {
        from_destinations.insert(identity);
        ASSERT_EQ(destination_key(binding->kind, binding->destination), key);
      });
    });
    ASSERT_EQ(from_sources, from_destinations);
    vhost->queues.for_each([&](const std::string& name, const QueuePtr& queue) {
      ++queues;
      ASSERT_EQ(name, queue->name);
      ASSERT_EQ(*topology.queues_by_id.find(queue->id.value()), queue);
      if (!queue->owner) return;
      ++owned;
      const auto* of_owner = topology.queues_by_owner.find(owner_key(*queue->owner));
      ASSERT_NE(of_owner, nullptr);
      ASSERT_NE(of_owner->find(queue->id.value()), nullptr);
    });
  });
  ASSERT_EQ(topology.exchanges_by_id.size(), exchanges);
  ASSERT_EQ(topology.queues_by_id.size(), queues);
  std::size_t in_owner_table = 0;
  topology.queues_by_owner.for_each(
      [&](const std::string&, const auto& of_owner) { in_owner_table += of_owner.size(); });
  ASSERT_EQ(in_owner_table, owned);
}

class MetadataFixture : public ::testing::Test {
 protected:
  MetadataFixture() : machine_(make_plain_index) { submit(PutVhost{.name = "/"}); }

  Outcome submit(MetadataCommand command) {
    const auto outcomes = submit_all({std::move(command)});
    return outcomes.size() == 1 ? outcomes.front() : Outcome::refused;
  }
  std::vector<Outcome> submit_all(const std::vector<MetadataCommand>& commands) {
    effects_ = {};
    ++index_;
    const Bytes payload = encode_entry({.commands = commands});
    const auto applied = machine_.apply(index_, payload.view(), effects_);
    EXPECT_TRUE(applied) << applied.error().text;
    check_topology(topology());
    return effects_.outcomes;
  }

  Outcome exchange(const std::string& name, Exchange exchange = {.durable = true}) {
    exchange.vhost = "/";
    exchange.name = name;
    if (exchange.type.empty()) exchange.type = "direct";
    return submit(DeclareExchange{.exchange = std::move(exchange)});
  }
  Outcome queue(const std::string& name, Queue queue = {.durable = true}) {
    queue.vhost = "/";
    queue.name = name;
    queue.node = NodeId(1);
    return submit(DeclareQueue{.queue = std::move(queue)});
  }
  Outcome bind(const std::string& source, const std::string& queue, const std::string& key = "k") {
    return submit(Bind{.binding = binding(source, Destination::Kind::queue, queue, key)});
  }
  Outcome unbind(const std::string& source, const std::string& queue, const std::string& key = "k") {
    return submit(Unbind{.binding = binding(source, Destination::Kind::queue, queue, key)});
  }
  Outcome bind_exchange(const std::string& source, const std::string& destination, const std::string& key = "k") {
    return submit(Bind{.binding = binding(source, Destination::Kind::exchange, destination, key)});
  }
  Outcome unbind_exchange(const std::string& source, const std::string& destination, const std::string& key = "k") {
    return submit(Unbind{.binding = binding(source, Destination::Kind::exchange, destination, key)});
  }
  Outcome delete_queue(const std::string& name) { return submit(DeleteQueue{.id = find_queue(name)->id}); }
  Outcome delete_exchange(const std::string& name, bool if_unused = false) {
    return submit(DeleteExchange{.vhost = "/", .name = name, .if_unused = if_unused});
  }

  static Binding binding(const std::string& source, Destination::Kind kind, const std::string& destination,
                         const std::string& key) {
    return {.vhost = "/", .source = source, .kind = kind, .destination = destination, .key = {.routing_key = key}};
  }
  static Owner owner(std::uint64_t connection, std::uint32_t epoch = 1) {
    return {.node = NodeId(1), .epoch = Epoch(epoch), .connection = ConnectionId(connection)};
  }

  const Topology& topology() const { return *machine_.topology(); }
  const Exchange* find_exchange(const std::string& name) const { return topology().find_exchange("/", name); }
  const Queue* find_queue(const std::string& name) const { return topology().find_queue("/", name); }
  /// How many destinations a message with that key reaches.
  std::size_t reached(const std::string& exchange, const std::string& key = "k") const {
    RouteSink sink;
    find_exchange(exchange)->index->route({.routing_key = key, .headers = {}}, sink);
    return sink.destinations().size();
  }

  MetadataMachine machine_;
  LogIndex index_;
  MetadataEffects effects_;  // of the last entry
};

}  // namespace quorate::cluster

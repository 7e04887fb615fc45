// How fast the metadata changes: declarations and bindings per second by how many there are, and how long a snapshot
// takes. Each command is an entry of its own, as from clients that wait for the answer, or one of many in an entry, as
// from clients that do not.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/check.h"
#include "broker/exchange/exchange_types.h"
#include "cluster/metadata/machine.h"
#include "tests/bench/allocation_meter.h"

namespace quorate::cluster {
namespace {

RoutingIndexPtr make_index(std::string_view type) {
  const exchange::ExchangeType* found = exchange::find_exchange_type(type);
  return found != nullptr ? found->make_index() : nullptr;
}

class Metadata {
 public:
  explicit Metadata(std::int64_t queues) {
    submit(PutVhost{.name = "/"});
    for (std::int64_t i = 0; i < queues; ++i) {
      declare(i);
      bind(i);
    }
  }
  void submit(MetadataCommand command) { submit_all({std::move(command)}); }
  void submit_all(std::vector<MetadataCommand> commands) {
    const Bytes entry = encode_entry({.commands = std::move(commands)});
    MetadataEffects effects;
    CHECK(machine_.apply(++index_, entry.view(), effects).has_value());
    CHECK(effects.outcomes.front() == Outcome::done);
  }
  void declare(std::int64_t i) {
    submit(DeclareQueue{.queue = {.vhost = "/", .name = name(i), .durable = true, .node = NodeId(1)}});
  }
  void remove(std::int64_t i) { submit(DeleteQueue{.id = machine_.topology()->find_queue("/", name(i))->id}); }
  void bind(std::int64_t i) { submit(Bind{.binding = binding(i)}); }
  void unbind(std::int64_t i) { submit(Unbind{.binding = binding(i)}); }
  /// The queue gets that many bindings more.
  void bind_many(std::int64_t queue, std::int64_t first, std::int64_t count) {
    std::vector<MetadataCommand> commands;
    for (std::int64_t i = 0; i < count; ++i) {
      Binding more = binding(queue);
      more.key.routing_key = fmt::format("b.{}", first + i);
      commands.emplace_back(Bind{.binding = std::move(more)});
    }
    submit_all(std::move(commands));
  }
  const MetadataMachine& machine() const { return machine_; }

 private:
  static std::string name(std::int64_t i) { return fmt::format("queue.{}", i); }
  static Binding binding(std::int64_t i) {
    return {
        .vhost = "/", .source = "amq.topic", .destination = name(i), .key = {.routing_key = fmt::format("a.{}.#", i)}};
  }

  MetadataMachine machine_{&make_index};
  LogIndex index_;
};

void declare_and_delete_queue(benchmark::State& state) {
  Metadata metadata(state.range(0));
  for (auto _ : state) {
    metadata.declare(-1);
    metadata.remove(-1);
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(declare_and_delete_queue)->Arg(100)->Arg(10'000)->Arg(100'000);

void bind_and_unbind(benchmark::State& state) {
  Metadata metadata(state.range(0));
  metadata.declare(-1);
  for (auto _ : state) {
    metadata.bind(-1);
    metadata.unbind(-1);
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(bind_and_unbind)->Arg(100)->Arg(10'000)->Arg(100'000);

/// So many in one entry.
void bind_packed(benchmark::State& state) {
  Metadata metadata(10'000);
  const std::int64_t count = state.range(0);
  std::int64_t bound = 0;
  for (auto _ : state) {
    metadata.bind_many(bound % 10'000, bound, count);
    bound += count;
  }
  state.SetItemsProcessed(bound);
}
BENCHMARK(bind_packed)->Arg(1)->Arg(8)->Arg(kMetadataCommandsMax);

void snapshot(benchmark::State& state) {
  const Metadata metadata(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(metadata.machine().serialize().data());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(snapshot)->Arg(10'000)->Unit(benchmark::kMillisecond);

void restore(benchmark::State& state) {
  const Metadata metadata(state.range(0));
  const Bytes bytes = metadata.machine().serialize();
  for (auto _ : state) {
    MetadataMachine machine(&make_index);
    CHECK(machine.restore(bytes.view()).has_value());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(restore)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace quorate::cluster

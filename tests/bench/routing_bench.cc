// What one message costs on its way from an exchange to its queues: nanoseconds, and allocations (there must be none).
// The argument is the number of bindings; each message matches the few that its benchmark says.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "broker/amqp/table_codec.h"
#include "broker/exchange/exchange_types.h"
#include "broker/exchange/router.h"
#include "tests/bench/allocations.h"

namespace quorate::exchange {

namespace {

using cluster::BindingKey;
using cluster::RoutingIndexPtr;

class OneExchange final : public ExchangeLookup {
 public:
  explicit OneExchange(RoutingIndexPtr index) : index_(std::move(index)) {}
  const cluster::RoutingIndex* index_of(std::uint64_t) const override { return index_.get(); }
  std::optional<std::uint64_t> alternate_of(std::uint64_t) const override { return std::nullopt; }

 private:
  RoutingIndexPtr index_;
};

template <class MakeKey>
RoutingIndexPtr bind_all(std::string_view type, std::int64_t count, MakeKey make_key) {
  RoutingIndexPtr index = find_exchange_type(type)->make_index();
  for (std::int64_t i = 0; i < count; ++i) {
    index = index->bind(make_key(i), {.id = static_cast<std::uint64_t>(i)});
  }
  return index;
}

std::string encoded(const Table& table) { return std::string(as_text(amqp::encode_table(table))); }

void run(benchmark::State& state, RoutingIndexPtr index, std::string_view routing_key, const Table& headers = {}) {
  const OneExchange exchange(std::move(index));
  const std::string bytes = encoded(headers);
  Router router;
  const auto route = [&] { return router.route(exchange, 1, {&routing_key, 1}, as_bytes(bytes)); };
  const std::size_t queues = route().size();
  const std::uint64_t before = allocation_count();
  for (auto _ : state) benchmark::DoNotOptimize(route().data());
  state.counters["allocations"] =
      static_cast<double>(allocation_count() - before) / static_cast<double>(state.iterations());
  state.counters["queues"] = static_cast<double>(queues);
}

void direct(benchmark::State& state) {
  const auto key = [](std::int64_t i) { return BindingKey{.routing_key = fmt::format("orders.{}", i)}; };
  run(state, bind_all("direct", state.range(0), key), "orders.7");
}
BENCHMARK(direct)->Arg(10)->Arg(1'000)->Arg(100'000);

void fanout(benchmark::State& state) {
  const auto key = [](std::int64_t) { return BindingKey{}; };
  run(state, bind_all("fanout", state.range(0), key), "");
}
BENCHMARK(fanout)->Arg(1)->Arg(10)->Arg(1'000);

/// A literal binding, one with a star and one with a hash match; the others have other first words.
void topic(benchmark::State& state) {
  const auto key = [](std::int64_t i) {
    static constexpr std::string_view kShapes[] = {"site{}.hall.sensor.temperature", "site{}.*.sensor.*", "site{}.#"};
    return BindingKey{.routing_key = fmt::format(fmt::runtime(kShapes[i % 3]), i / 3)};
  };
  run(state, bind_all("topic", state.range(0), key), "site2.hall.sensor.temperature");
}
BENCHMARK(topic)->Arg(10)->Arg(1'000)->Arg(100'000);

/// Every binding begins with a '#', so that every word of the key is looked for below it.
void topic_hashes(benchmark::State& state) {
  const auto key = [](std::int64_t i) { return BindingKey{.routing_key = fmt::format("#.w{}.#", i)}; };
  run(state, bind_all("topic", state.range(0), key), "a.b.c.w7.d.e");
}
BENCHMARK(topic_hashes)->Arg(10)->Arg(1'000);

void headers(benchmark::State& state) {
  const auto key = [](std::int64_t i) {
    return BindingKey{.arguments = encoded({{{"x-match", "all"}, {"colour", "red"}, {"size", i}}})};
  };
  const Table message{{{"id", "4711"}, {"colour", "red"}, {"size", std::int32_t{7}}, {"fast", true}}};
  run(state, bind_all("headers", state.range(0), key), "", message);
}
BENCHMARK(headers)->Arg(10)->Arg(1'000);

void bind_one(benchmark::State& state, std::string_view type) {
  const auto key = [](std::int64_t i) { return BindingKey{.routing_key = fmt::format("site{}.*.sensor.#", i)}; };
  const RoutingIndexPtr index = bind_all(type, state.range(0), key);
  const BindingKey another{.routing_key = "another.*.sensor.#"};
  for (auto _ : state) benchmark::DoNotOptimize(index->bind(another, {.id = 1}).get());
}
BENCHMARK_CAPTURE(bind_one, direct, "direct")->Arg(100'000);
BENCHMARK_CAPTURE(bind_one, topic, "topic")->Arg(100'000);
BENCHMARK_CAPTURE(bind_one, fanout, "fanout")->Arg(10'000);

}  // namespace

}  // namespace quorate::exchange

// What an entry costs on its way through group hosts: proposed by a client on the leader's shard, replicated, made
// durable by RocksDB and told as committed; and what groups cost in which nothing happens. Nodes share this process
// and, under TMPDIR, its disk: see bench_cluster.h. docs/PERFORMANCE.md says what came out and how to read it.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/allocations.h"
#include "tests/bench/append_floor.h"
#include "tests/bench/bench_cluster.h"
#include "tests/bench/process_usage.h"

namespace quorate::cluster {
namespace {

constexpr std::size_t kMessageBytes = 100;
// Host and floor take turns, as the disk is not equally fast all the time.
constexpr int kRounds = 3;
constexpr std::chrono::milliseconds kWarmUp{500};
constexpr std::chrono::milliseconds kMeasured{1500};
constexpr std::chrono::milliseconds kFloorMeasured{500};
constexpr std::chrono::seconds kIdleMeasured{20};

/// Bytes that no compression shortens.
Bytes noise_of(std::size_t size) {
  Random random(size);
  std::string out;
  while (out.size() < size) out.push_back(static_cast<char>(random.next() >> 56));
  return Bytes::copy_of(out);
}

double quantile_ms(std::vector<float>& latencies_us, double quantile) {
  if (latencies_us.empty()) return 0;
  const auto rank = static_cast<std::ptrdiff_t>(quantile * static_cast<double>(latencies_us.size() - 1));
  std::nth_element(latencies_us.begin(), latencies_us.begin() + rank, latencies_us.end());
  return latencies_us[static_cast<std::size_t>(rank)] / 1e3;
}

/// Everything so far, as the main thread sees it.
struct Reading {
  explicit Reading(BenchCluster& cluster)
      : committed(static_cast<double>(cluster.sum([](BenchNode& node) { return node.load().committed(); }))),
        letters(static_cast<double>(cluster.sum([](BenchNode& node) { return node.transport().letters(); }))),
        cpu_us(process_cpu_us()),
        allocations(static_cast<double>(allocation_count())),
        seconds(std::chrono::duration<double>(SystemClock().now().time_since_epoch()).count()) {
    const auto writes = cluster.node(1).writes();
    written = static_cast<double>(writes.entries);
    syncs = static_cast<double>(writes.syncs);
  }
  Reading() = default;

  void add(const Reading& before, const Reading& after) {
    for (auto field : {&Reading::committed, &Reading::letters, &Reading::cpu_us, &Reading::allocations,
                       &Reading::seconds, &Reading::written, &Reading::syncs}) {
      this->*field += after.*field - before.*field;
    }
  }

  double committed = 0;
  double letters = 0;
  double cpu_us = 0;
  double allocations = 0;
  double seconds = 0;
  double written = 0;  // by node 1, and its syncs
  double syncs = 0;
};

void measure(BenchCluster& cluster, std::size_t window, const Bytes& payload, Reading& spent,
             std::vector<float>& latencies_us) {
  cluster.each([&](BenchNode& node) { node.load().begin(window, payload); });
  std::this_thread::sleep_for(kWarmUp);
  cluster.each([](BenchNode& node) { node.load().reset(); });
  const Reading before(cluster);
  std::this_thread::sleep_for(kMeasured);
  spent.add(before, Reading(cluster));
  cluster.each([&](BenchNode& node) {
    const auto& some = node.load().latencies_us();
    latencies_us.insert(latencies_us.end(), some.begin(), some.end());
    node.load().end();
  });
  cluster.wait("all is answered",
               [&] { return cluster.sum([](BenchNode& node) { return node.load().under_way(); }) == 0; });
}

/// Arguments: groups, messages per entry, replicas, entries under way altogether, leaders on all nodes.
void replicate(benchmark::State& state) {
  const auto groups = static_cast<std::size_t>(state.range(0));
  const auto packed = static_cast<std::size_t>(state.range(1));
  const auto replicas = static_cast<std::size_t>(state.range(2));
  const Leaders leaders = state.range(4) != 0 ? Leaders::spread : Leaders::on_first_node;
  const auto window = static_cast<std::size_t>(state.range(3)) / (leaders == Leaders::spread ? replicas : 1);
  const Bytes payload = noise_of(packed * kMessageBytes);
  BenchCluster cluster(replicas);
  cluster.open(groups, leaders);
  Reading spent;
  std::vector<float> latencies_us;
  AppendFloor floor;
  for (auto _ : state) {
    for (int round = 0; round < kRounds; ++round) {
      measure(cluster, window, payload, spent, latencies_us);
      const double batch = std::max(1.0, std::round(spent.written / spent.syncs));
      floor.measure(cluster.node(1).directory(), replicas, static_cast<std::size_t>(batch), payload, kFloorMeasured);
    }
    state.SetIterationTime(spent.seconds);
  }
  const double rate = spent.committed / spent.seconds;
  state.counters["1_entries/s"] = rate;
  state.counters["2_msgs/s"] = rate * static_cast<double>(packed);
  state.counters["3_cpu_us"] = spent.cpu_us / spent.committed;
  state.counters["4_syncs/s"] = spent.syncs / spent.seconds;
  state.counters["5_batch"] = spent.written / spent.syncs;
  state.counters["6_p50_ms"] = quantile_ms(latencies_us, 0.5);
  state.counters["7_p99_ms"] = quantile_ms(latencies_us, 0.99);
  state.counters["8_floor/s"] = floor.entries_per_second();
  state.counters["8_floor_cpu"] = floor.cpu_us_per_entry();
  state.counters["9_of_floor"] = rate / floor.entries_per_second();
  state.counters["a_letters"] = spent.letters / spent.committed;
  state.counters["b_allocs"] = spent.allocations / spent.committed;
}
BENCHMARK(replicate)
    ->ArgNames({"groups", "packed", "replicas", "window", "spread"})
    ->Args({1, 1, 1, 1, 0})
    ->Args({1, 1, 1, 1000, 0})
    ->Args({1, 32, 1, 1000, 0})
    ->Args({100, 1, 1, 1000, 0})
    ->Args({100, 32, 1, 1000, 0})
    ->Args({10'000, 1, 1, 1000, 0})
    ->Args({10'000, 32, 1, 1000, 0})
    ->Args({10'000, 1, 1, 10'000, 0})
    ->Args({1, 1, 3, 1, 0})
    ->Args({1, 1, 3, 1000, 0})
    ->Args({1, 32, 3, 1000, 0})
    ->Args({100, 1, 3, 1000, 0})
    ->Args({100, 32, 3, 1000, 0})
    ->Args({10'000, 1, 3, 1000, 0})
    ->Args({10'000, 32, 3, 1000, 0})
    ->Args({10'000, 1, 3, 10'000, 0})
    ->Args({100, 1, 3, 1000, 1})
    ->Args({10'000, 1, 3, 1000, 1})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kSecond);

/// Groups without work, the nodes' heartbeats going on. Arguments: groups, replicas, and whether the groups may sleep.
void idle(benchmark::State& state) {
  const auto groups = static_cast<std::size_t>(state.range(0));
  const auto replicas = static_cast<std::size_t>(state.range(1));
  const bool may_sleep = state.range(2) != 0;
  raft::Core::Timing timing;
  if (!may_sleep) timing.idle = std::chrono::hours(1);
  BenchCluster cluster(replicas, timing);
  const double resident = resident_bytes();
  cluster.open(groups, Leaders::spread);
  const std::size_t all = groups * replicas;
  const std::size_t sleepers = may_sleep ? all : 0;
  for (auto _ : state) {
    const Instant led_at = SystemClock().now();
    const auto asleep = [&] {
      std::size_t count = 0;
      cluster.each([&](BenchNode& node) {
        node.each_replica([&](const Replica& replica) { count += replica.core().is_steady() ? 1 : 0; });
      });
      return count;
    };
    cluster.wait("all groups sleep that may", [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return asleep() == sleepers;
    });
    const Instant asleep_at = SystemClock().now();
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const Reading before(cluster);
    std::this_thread::sleep_for(kIdleMeasured);
    Reading spent;
    spent.add(before, Reading(cluster));
    const std::size_t still_asleep = asleep();
    const std::uint64_t deaths = cluster.sum([](BenchNode& node) { return node.deaths(); });
    std::uint64_t replica_bytes = 0;
    cluster.each([&](BenchNode& node) {
      node.each_replica([&](const Replica& replica) { replica_bytes += replica.memory_bytes(); });
    });
    const double held = resident_bytes() - resident;
    ::malloc_trim(0);
    const double held_trimmed = resident_bytes() - resident;
    state.SetIterationTime(spent.seconds);
    state.counters["1_core_%"] = spent.cpu_us / 1e4 / spent.seconds;
    state.counters["2_sleep_s"] = std::chrono::duration<double>(asleep_at - led_at).count();
    state.counters["3_memory_bytes"] = static_cast<double>(replica_bytes) / static_cast<double>(all);
    state.counters["4_resident_each"] = held / static_cast<double>(all);
    state.counters["5_trimmed_each"] = held_trimmed / static_cast<double>(all);
    state.counters["6_letters"] = spent.letters;
    state.counters["7_awake"] = static_cast<double>(all - still_asleep);
    state.counters["8_deaths"] = static_cast<double>(deaths);  // a starved machine makes nodes look dead
  }
}
BENCHMARK(idle)
    ->ArgNames({"groups", "replicas", "asleep"})
    ->Args({1, 3, 1})
    ->Args({10'000, 3, 1})
    ->Args({10'000, 3, 0})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kSecond);

}  // namespace
}  // namespace quorate::cluster

// What a synced entry costs through LogWriter and LogStore, by how many share a sync, and what reading it back costs.
// Runs on the real disk under TMPDIR; "allocs" is per message, "cpu_us" the whole process.
#include <benchmark/benchmark.h>

#include <future>
#include <string>

#include "storage/log_writer.h"
#include "tests/bench/allocations.h"
#include "tests/bench/process_usage.h"
#include "tests/storage/directories.h"

namespace quorate::storage {
namespace {

constexpr GroupId kGroup{5};

/// A directory, a log and its writer, gone when the run is over.
class Bench {
 public:
  Bench() {
    auto store = LogStore::open({.path = directory_ / "log"});
    CHECK(store.has_value());
    store_ = std::move(*store);
    writer_ = std::make_unique<LogWriter>(*store_, clock_);
  }
  ~Bench() { writer_->stop(); }

  /// Entries that share one sync, written and answered.
  void write(std::size_t count, const Bytes& payload) {
    std::vector<GroupWrite> writes(1);
    writes[0].group = kGroup;
    if (next_ == LogIndex(1)) writes[0].row = GroupRow{};
    writes[0].entries.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      writes[0].entries.push_back(
          {.index = next_, .term = Term(1), .type = raft::EntryType::command, .payload = payload});
      ++next_;
    }
    std::promise<void> answered;
    writer_->submit(std::move(writes), count * payload.size(), Durability::synced, [&](Result<void> written) {
      CHECK(written.has_value());
      answered.set_value();
    });
    answered.get_future().wait();
  }
  LogStore& store() { return *store_; }
  LogIndex next() const { return next_; }

 private:
  TestDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<LogStore> store_;
  std::unique_ptr<LogWriter> writer_;
  LogIndex next_{1};
};

/// Bytes that no compression shortens.
Bytes noise_of(std::size_t size) {
  std::string out;
  for (std::uint64_t noise = 1; out.size() < size;) {
    noise = noise * 6364136223846793005 + 1442695040888963407;
    out.push_back(static_cast<char>(noise >> 56));
  }
  return Bytes::copy_of(out);
}

/// Arguments: entries per sync, messages per entry, bytes per message.
void write_and_sync(benchmark::State& state) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  const auto messages_per_entry = static_cast<std::size_t>(state.range(1));
  const auto message_bytes = static_cast<std::size_t>(state.range(2));
  Bench bench;
  const Bytes payload = noise_of(messages_per_entry * message_bytes);
  const std::uint64_t allocations = allocation_count();
  const double cpu_us = process_cpu_us();
  for (auto _ : state) bench.write(entries, payload);
  const auto messages = static_cast<double>(state.iterations()) * static_cast<double>(entries * messages_per_entry);
  state.counters["msg/s"] = benchmark::Counter(messages, benchmark::Counter::kIsRate);
  state.counters["cpu_us"] = (process_cpu_us() - cpu_us) / messages;
  state.counters["allocs"] = static_cast<double>(allocation_count() - allocations) / messages;
}
BENCHMARK(write_and_sync)
    ->ArgNames({"entries", "packed", "bytes"})
    ->Args({1, 1, 100})
    ->Args({10, 1, 100})
    ->Args({100, 1, 100})
    ->Args({1000, 1, 100})
    ->Args({10, 32, 100})
    ->Args({100, 32, 100})
    ->Args({100, 1, 1024})
    ->Args({100, 16, 1024})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

/// A backlog read back in order, after it went to tables or blob files. Arguments as above, 4 Ki entries in all.
void read_backlog(benchmark::State& state) {
  constexpr std::size_t kEntries = 4096;
  const auto entry_bytes = static_cast<std::size_t>(state.range(0) * state.range(1));
  Bench bench;
  const Bytes payload = noise_of(entry_bytes);
  for (std::size_t i = 0; i < kEntries; i += 64) bench.write(64, payload);
  CHECK(bench.store().compact_all().has_value());
  for (auto _ : state) {
    const auto scanned = bench.store().scan(kGroup, LogIndex(0), bench.next(), [](raft::Entry&& entry) {
      benchmark::DoNotOptimize(entry.payload.size());
      return true;
    });
    CHECK(scanned.has_value());
  }
  const auto messages =
      static_cast<double>(state.iterations()) * static_cast<double>(kEntries) * static_cast<double>(state.range(0));
  state.counters["msg/s"] = benchmark::Counter(messages, benchmark::Counter::kIsRate);
}
BENCHMARK(read_backlog)
    ->ArgNames({"packed", "bytes"})
    ->Args({1, 1024})
    ->Args({16, 1024})
    ->Args({32, 100})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace quorate::storage

// What the queue machine costs per message: nanoseconds as items per second, and allocations. The argument is the
// backlog that stands in front.
#include <benchmark/benchmark.h>

#include <optional>
#include <vector>

#include "base/check.h"
#include "broker/queue/queue_machine.h"
#include "tests/bench/allocation_meter.h"

namespace quorate::queue {
namespace {

constexpr int kPacked = 32;
const SessionId kSession{.node = NodeId(1), .epoch = Epoch(1), .serial = 256};
const ConsumerKey kConsumer{.session = kSession, .link = 1};

class Machine {
 public:
  explicit Machine(std::int64_t backlog, std::optional<std::uint64_t> ttl_ms = {})
      : enqueues_(packed_enqueues(ttl_ms)) {
    for (std::int64_t i = 0; i < backlog; i += kPacked) apply(enqueues_);
  }
  void apply(const std::vector<std::byte>& payload) {
    effects_.clear();
    ts_ += std::chrono::milliseconds(1);
    CHECK(machine_.apply(++index_, ts_, payload, effects_).has_value());
  }
  void enqueue() { apply(enqueues_); }
  void attach(bool no_ack) {
    payload_.clear();
    encode_command(Attach{.consumer = kConsumer, .no_ack = no_ack, .prefetch = kPacked, .window = 1ull << 50},
                   payload_);
    apply(payload_);
  }
  /// The next `kPacked` ids, in one range.
  void settle() {
    payload_.clear();
    auto& ids = std::get<Settle>(settle_).ids;
    ids.front() = {.first = settled_ + 1, .last = settled_ + kPacked};
    settled_ += kPacked;
    encode_command(settle_, payload_);
    apply(payload_);
  }
  const QueueMachine& machine() const { return machine_; }

 private:
  static std::vector<std::byte> packed_enqueues(std::optional<std::uint64_t> ttl_ms) {
    static const std::vector<std::byte> message(200);
    std::vector<std::byte> out;
    for (int i = 0; i < kPacked; ++i) {
      encode_command(Enqueue{.persistent = true, .ttl_ms = ttl_ms, .body_size = 128, .message = message}, out);
    }
    return out;
  }

  const std::vector<std::byte> enqueues_;
  QueueMachine machine_;
  LogIndex index_;
  WallTime ts_{std::chrono::years(50)};
  Effects effects_;
  std::vector<std::byte> payload_;
  Command settle_ = Settle{.consumer = kConsumer, .ids = {{}}};
  std::uint64_t settled_ = 0;
};

/// Enqueue, deliver, settle, 32 to an entry.
void enqueue_deliver_settle(benchmark::State& state) {
  Machine machine(state.range(0));
  machine.attach(false);
  for (int i = 0; i < 100; ++i) {
    machine.enqueue();
    machine.settle();
  }
  const AllocationMeter meter;
  for (auto _ : state) {
    machine.enqueue();
    machine.settle();
  }
  meter.report(state, state.iterations() * kPacked);
}
BENCHMARK(enqueue_deliver_settle)->Arg(0)->Arg(1'000'000);

/// The same with an hour to live.
void enqueue_deliver_settle_with_ttl(benchmark::State& state) {
  Machine machine(state.range(0), 3'600'000);
  machine.attach(false);
  for (int i = 0; i < 100; ++i) {
    machine.enqueue();
    machine.settle();
  }
  const AllocationMeter meter;
  for (auto _ : state) {
    machine.enqueue();
    machine.settle();
  }
  meter.report(state, state.iterations() * kPacked);
}
BENCHMARK(enqueue_deliver_settle_with_ttl)->Arg(0)->Arg(1'000'000);

/// Nobody takes what is published; it expires after a second.
void enqueue_expire(benchmark::State& state) {
  Machine machine(0, 1'000);
  for (int i = 0; i < 2'000; ++i) machine.enqueue();
  const AllocationMeter meter;
  for (auto _ : state) machine.enqueue();
  meter.report(state, state.iterations() * kPacked);
}
BENCHMARK(enqueue_expire);

void enqueue_deliver_without_ack(benchmark::State& state) {
  Machine machine(0);
  machine.attach(true);
  for (int i = 0; i < 100; ++i) machine.enqueue();
  const AllocationMeter meter;
  for (auto _ : state) machine.enqueue();
  meter.report(state, state.iterations() * kPacked);
}
BENCHMARK(enqueue_deliver_without_ack);

void serialize(benchmark::State& state) {
  const Machine machine(state.range(0));
  const AllocationMeter meter;
  for (auto _ : state) benchmark::DoNotOptimize(machine.machine().serialize().data());
  meter.report(state, state.iterations() * state.range(0));
}
BENCHMARK(serialize)->Arg(1'000'000);

}  // namespace
}  // namespace quorate::queue

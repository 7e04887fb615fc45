// What the plane costs between two nodes of one process over loopback: a round trip, and bytes per second with the CPU
// of both ends together.
#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <vector>

#include "base/check.h"
#include "cluster/plane/plane.h"
#include "tests/bench/process_usage.h"

namespace quorate::cluster {
namespace {

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};

/// Counts what comes, and sends it back if told so.
class BenchNode final : public PlaneClient {
 public:
  BenchNode(NodeId id, NodeId peer) : id_(id), peer_(peer), plane_({}, clock_, *this) {
    CHECK(plane_.start());
    plane_.set_identity({.cluster_id = 1, .node = id_, .epoch = Epoch(1)});
  }
  ~BenchNode() override { plane_.stop(); }

  Plane& plane() { return plane_; }
  void set_peer(const BenchNode& peer) {
    plane_.set_peers({{.node = peer_, .host = "127.0.0.1", .port = peer.plane_.port()}});
    for (int up = up_; up < static_cast<int>(kLaneCount); up = up_) up_.wait(up);
  }
  void set_echo(bool echo) { echo_ = echo; }
  /// Waits until so many bytes have come in all.
  void wait(std::uint64_t bytes) {
    for (std::uint64_t have = bytes_; have < bytes; have = bytes_) bytes_.wait(have);
  }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t frames() const { return frames_; }

  Result<void> judge(const Identity& /*peer*/) override { return {}; }
  void on_frame(NodeId from, Lane lane, Bytes frame) override {
    ++frames_;
    bytes_ += frame.size();
    bytes_.notify_one();
    if (echo_) CHECK(plane_.send(from, lane, {frame.view().begin(), frame.view().end()}));
  }
  void on_connection(NodeId /*peer*/, Lane /*lane*/, bool up) override {
    up_ += up ? 1 : -1;
    up_.notify_one();
  }
  void on_trouble(NodeId /*peer*/, const Error& /*why*/) override {}
  void on_question(std::string_view /*kind*/, Bytes /*question*/, const std::string& /*from*/,
                   AnswerFunction /*answer*/) override {}

 private:
  const NodeId id_;
  const NodeId peer_;
  SystemClock clock_;
  std::atomic<int> up_ = 0;
  std::atomic<bool> echo_ = false;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> frames_ = 0;
  Plane plane_;
};

struct Pair {
  Pair() {
    one.set_peer(two);
    two.set_peer(one);
  }
  BenchNode one{kOne, kTwo};
  BenchNode two{kTwo, kOne};
};

void BM_round_trip(benchmark::State& state) {
  Pair pair;
  pair.two.set_echo(true);
  const auto size = static_cast<std::size_t>(state.range(0));
  const double cpu_before = process_cpu_us();
  for (auto _ : state) {
    const std::uint64_t before = pair.one.bytes();
    CHECK(pair.one.plane().send(kTwo, Lane::data, std::vector<std::byte>(size)));
    pair.one.wait(before + size);
  }
  state.counters["cpu_us"] = benchmark::Counter(process_cpu_us() - cpu_before, benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_round_trip)->Arg(100)->Arg(4096)->Arg(65536)->UseRealTime();

/// Batches of this size, as many at a time as eight frames hold.
void BM_stream(benchmark::State& state) {
  Pair pair;
  const auto size = static_cast<std::size_t>(state.range(0));
  constexpr std::uint64_t kAhead = 8u << 20;
  std::uint64_t sent = 0;
  const double cpu_before = process_cpu_us();
  for (auto _ : state) {
    CHECK(pair.one.plane().send(kTwo, Lane::data, std::vector<std::byte>(size)));
    sent += size;
    if (sent > kAhead) pair.two.wait(sent - kAhead);
  }
  pair.two.wait(sent);
  const auto megabytes = static_cast<double>(sent) / 1e6;
  state.SetBytesProcessed(static_cast<std::int64_t>(sent));
  state.counters["cpu_ms_per_MB"] = (process_cpu_us() - cpu_before) / 1e3 / megabytes;
  state.counters["frames"] = benchmark::Counter(static_cast<double>(pair.two.frames()), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_stream)->Arg(256)->Arg(4096)->Arg(65536)->Arg(1 << 20)->UseRealTime();

}  // namespace
}  // namespace quorate::cluster

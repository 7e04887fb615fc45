// What quorate-perf can do at most: one thread of it against a broker that keeps nothing. Whole runs of three seconds,
// sockets included. Messages per second of wall time depend on who else wants the cores; `cpu_ns` is the generator's
// own CPU time per message, and 1e9 / cpu_ns what it would reach with a core to itself.
#include <benchmark/benchmark.h>

#include "broker/perf/options.h"
#include "broker/perf/run.h"
#include "tests/bench/amqp_sink.h"
#include "tests/bench/process_usage.h"

namespace quorate::perf {
namespace {

void load(benchmark::State& state, const std::vector<std::string>& words) {
  const std::string size = std::to_string(state.range(0));
  bench::AmqpSink sink(static_cast<std::size_t>(state.range(0)));
  std::vector<std::string> arguments = {"-h", "amqp://127.0.0.1:" + sink.port(), "-p", "-s", size, "-z", "3"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const PlanOutcome parsed = parse_options(arguments);
  double messages = 0;
  double cpu_us = 0;
  double seconds = 0;
  for (auto _ : state) {
    const double before_us = process_cpu_us() - sink.cpu_us();
    Run run(*parsed.plan, [](const std::string&) {});
    const Outcome outcome = run.execute();
    if (!outcome.failure.empty()) state.SkipWithError(outcome.failure.c_str());
    cpu_us += process_cpu_us() - sink.cpu_us() - before_us;
    const Counters& counters = outcome.measured.counters;
    messages += static_cast<double>(counters.sent + counters.received);
    seconds += outcome.seconds;
  }
  state.counters["messages/s"] = messages / seconds;
  state.counters["cpu_ns"] = cpu_us * 1e3 / messages;
}

void publish(benchmark::State& state) { load(state, {"-x", "1", "-y", "0"}); }
void consume(benchmark::State& state) { load(state, {"-x", "0", "-y", "1", "-a"}); }

BENCHMARK(publish)->Arg(16)->Arg(1000)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(consume)->Arg(16)->Arg(1000)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace quorate::perf

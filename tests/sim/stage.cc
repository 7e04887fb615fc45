#include "tests/sim/stage.h"

#include <algorithm>
#include <cstdio>

namespace quorate::sim {

/// So much within a second of virtual time is no traffic, it is a storm that feeds itself.
constexpr std::uint64_t kEventsPerSecondMax = 400'000;

void Stage::run_until(WorldTime end) {
  for (;;) {
    const WorldTime second = std::min(end, schedule.now() + std::chrono::seconds(1));
    const std::uint64_t before = schedule.events();
    while (schedule.step(second)) {
      if (schedule.events() - before > kEventsPerSecondMax) violated("a storm: events without end");
    }
    if (second == end) return;
  }
}

void Stage::end(const std::string& what, int code) const {
  trace.print(stdout);
  std::fflush(stdout);
  std::fprintf(stderr, "seed %llu at %.6f s, event %llu: %s\n", static_cast<unsigned long long>(options.seed),
               static_cast<double>(schedule.now().time_since_epoch().count()) / 1e9,
               static_cast<unsigned long long>(schedule.events()), what.c_str());
  std::fflush(stderr);
  std::_Exit(code);
}

}  // namespace quorate::sim

#include "tests/sim/stage.h"

#include <cstdio>

namespace quorate::sim {

void Stage::violated(const std::string& what) const {
  trace.print(stdout);
  std::fflush(stdout);
  std::fprintf(stderr, "seed %llu at %.6f s, event %llu: %s\n", static_cast<unsigned long long>(options.seed),
               static_cast<double>(schedule.now().time_since_epoch().count()) / 1e9,
               static_cast<unsigned long long>(schedule.events()), what.c_str());
  std::fflush(stderr);
  std::_Exit(kViolationExit);
}

}  // namespace quorate::sim

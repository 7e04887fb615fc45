// One run: a seed, from the first start of its nodes to convergence. A violation ends the process.
#pragma once
#include <cstdint>

#include "tests/sim/options.h"
#include "tests/sim/seen.h"

namespace quorate::sim {

struct RunResult {
  double virtual_seconds = 0;
  std::uint64_t events = 0;
  std::uint64_t digest = 0;
  Coverage coverage;
};

RunResult run_seed(const Options& options);

}  // namespace quorate::sim

// What was lost, judged when all has been sent and received. Pure.
#pragma once
#include <cstdint>
#include <vector>

#include "broker/perf/plan.h"
#include "broker/perf/worker.h"

namespace quorate::perf {

struct Verdict {
  std::uint64_t missing = 0;     // sent, not excused, and not seen where it should have come out
  std::uint64_t duplicated = 0;  // seen by two threads; what one thread saw twice it has counted itself
};

/// Takes the ledgers of all workers together.
Verdict judge_ledgers(const Plan& plan, std::vector<Ledger> ledgers);

}  // namespace quorate::perf

// Reports the allocations of a benchmark as a mean per message.
#pragma once
#include <benchmark/benchmark.h>

#include <cstdint>

#include "tests/bench/allocations.h"

namespace quorate {

/// Counts from its birth to report().
class AllocationMeter {
 public:
  AllocationMeter() : before_(allocation_count()) {}
  void report(benchmark::State& state, std::int64_t messages) const {
    state.counters["allocations"] = static_cast<double>(allocation_count() - before_) / static_cast<double>(messages);
    state.SetItemsProcessed(messages);
  }

 private:
  std::uint64_t before_;
};

}  // namespace quorate

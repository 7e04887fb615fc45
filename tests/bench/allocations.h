// Counts allocations for benchmarks that promise to make none. Link allocations.cc: it replaces operator new.
#pragma once
#include <cstdint>

namespace quorate {

/// Calls of any operator new since the program began, by all threads.
std::uint64_t allocation_count();

}  // namespace quorate

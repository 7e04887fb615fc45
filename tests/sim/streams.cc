#include "tests/sim/streams.h"

#include <utility>

namespace quorate::sim {
namespace {

template <std::size_t... I>
std::array<Random, kFaultCount> fault_streams(std::uint64_t seed, std::index_sequence<I...>) {
  return {Random(stream_seed(seed, 1000 + I))...};
}

}  // namespace

std::uint64_t stream_seed(std::uint64_t seed, std::uint64_t concern) {
  Random random(seed * 0x9e3779b97f4a7c15 + concern);
  random.next();
  return random.next() ^ concern;
}

Streams::Streams(std::uint64_t seed)
    : network(stream_seed(seed, 1)),
      disk(stream_seed(seed, 2)),
      clock(stream_seed(seed, 3)),
      nodes(stream_seed(seed, 4)),
      workload(stream_seed(seed, 5)),
      operators(stream_seed(seed, 6)),
      faults(fault_streams(seed, std::make_index_sequence<kFaultCount>())) {}

}  // namespace quorate::sim

// Where chance comes from in a run: one stream per concern, so that turning one concern off leaves what the others draw
// as it was, and a few ways to draw.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>

#include "base/random.h"
#include "base/time.h"
#include "tests/sim/fault.h"

namespace quorate::sim {

struct Streams {
  explicit Streams(std::uint64_t seed);

  Random network;
  Random disk;
  Random clock;
  Random nodes;
  Random workload;
  Random operators;  // membership changes and other orders from above
  std::array<Random, kFaultCount> faults;
  Random& of(Fault fault) { return faults[static_cast<std::size_t>(fault)]; }
};

/// The seed of a stream named by `concern`.
std::uint64_t stream_seed(std::uint64_t seed, std::uint64_t concern);

inline double draw_unit(Random& random) { return static_cast<double>(random.next() >> 11) * 0x1.0p-53; }
inline bool draw_chance(Random& random, double probability) { return draw_unit(random) < probability; }
/// In [low, high].
inline std::uint64_t draw_between(Random& random, std::uint64_t low, std::uint64_t high) {
  return low + random.below(high - low + 1);
}
inline Duration draw_between(Random& random, Duration low, Duration high) {
  return low + Duration(static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}
inline Duration draw_exponential(Random& random, Duration mean) {
  return Duration(static_cast<Duration::rep>(-std::log(1.0 - draw_unit(random)) * static_cast<double>(mean.count())));
}
/// Between two bounds, each order of magnitude as likely as the others.
inline std::uint64_t draw_magnitude(Random& random, std::uint64_t low, std::uint64_t high) {
  const double exponent = draw_unit(random) * std::log(static_cast<double>(high) / static_cast<double>(low));
  return static_cast<std::uint64_t>(static_cast<double>(low) * std::exp(exponent) + 0.5);
}
template <class Items>
auto& draw_one(Random& random, Items& items) {
  return items[random.below(items.size())];
}

}  // namespace quorate::sim

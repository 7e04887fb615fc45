// The second door: chance. Seeded and small (SplitMix64, Steele et al. 2014), so that a seed replays a run exactly.
#pragma once
#include <cstdint>
#include <random>

#include "base/check.h"

namespace quorate {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  /// Seeded by the operating system, for a real node.
  static Random from_system() {
    std::random_device device;
    return Random((static_cast<std::uint64_t>(device()) << 32) | device());
  }

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Uniform enough in [0, bound) for tests and jitter; not for secrets.
  std::uint64_t below(std::uint64_t bound) {
    CHECK_GT(bound, 0u);
    return next() % bound;
  }

 private:
  std::uint64_t state_;
};

}  // namespace quorate

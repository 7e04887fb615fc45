// A node's own idea of time: it runs too fast or too slow, and its wall clock may jump.
#pragma once
#include <cmath>

#include "base/time.h"
#include "tests/sim/schedule.h"

namespace quorate::sim {

class NodeClock final : public Clock {
 public:
  NodeClock(const Schedule& schedule, Instant start, double rate)
      : schedule_(schedule), world_start_(schedule.now()), start_(start), rate_(rate) {}

  Instant now() const override {
    const double elapsed = static_cast<double>((schedule_.now() - world_start_).count());
    return start_ + Duration(static_cast<Duration::rep>(elapsed * rate_));
  }
  WallTime wall() const override {
    using std::chrono::milliseconds;
    return WallTime(std::chrono::duration_cast<milliseconds>(now().time_since_epoch()) + wall_offset_);
  }

  /// The first moment at which now() is not before `instant`.
  WorldTime when(Instant instant) const {
    const double elapsed = static_cast<double>((instant - start_).count()) / rate_;
    WorldTime time = world_start_ + Duration(static_cast<Duration::rep>(std::ceil(elapsed)) + 2);
    return std::max(time, schedule_.now());
  }

  void set_rate(double rate) {
    start_ = now();
    world_start_ = schedule_.now();
    rate_ = rate;
  }
  void jump_wall(std::chrono::milliseconds by) { wall_offset_ += by; }

 private:
  const Schedule& schedule_;
  WorldTime world_start_;
  Instant start_;
  double rate_;
  std::chrono::milliseconds wall_offset_{1'700'000'000'000};
};

}  // namespace quorate::sim

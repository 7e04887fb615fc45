// When each message of an agent is meant to leave, or a consumer may take one. Pure: message numbers in, times out, so
// latency can count from the time that was meant, not from the time that the broker allowed.
//
// At up to 10,000 messages a second each has its own time. Faster ones leave in groups every 100 µs, for a thread
// cannot be woken more often: a message's time is the first tick at or after its even share.
#pragma once
#include <cstdint>

#include "base/time.h"

namespace quorate::perf {

class Pace {
 public:
  static constexpr Duration kTick = std::chrono::microseconds(100);

  /// At once, always.
  Pace() = default;
  /// `per_second` 0 is unlimited.
  Pace(double per_second, Instant begin);

  bool is_unlimited() const { return period_ns_ == 0; }
  /// When message `number`, counted from 0, is due; `now` if there is no limit.
  Instant due(std::uint64_t number, Instant now) const;

 private:
  double period_ns_ = 0;
  Instant begin_{};
};

}  // namespace quorate::perf

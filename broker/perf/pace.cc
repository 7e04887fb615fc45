#include "broker/perf/pace.h"

#include <cmath>

namespace quorate::perf {

Pace::Pace(double per_second, Instant begin) : period_ns_(per_second > 0 ? 1e9 / per_second : 0), begin_(begin) {}

Instant Pace::due(std::uint64_t number, Instant now) const {
  if (is_unlimited()) return now;
  constexpr auto kTickNs = static_cast<double>(kTick.count());
  double offset_ns = static_cast<double>(number) * period_ns_;
  if (period_ns_ < kTickNs) offset_ns = std::ceil(offset_ns / kTickNs) * kTickNs;
  return begin_ + Duration(static_cast<Duration::rep>(offset_ns));
}

}  // namespace quorate::perf

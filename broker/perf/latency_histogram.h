// Durations counted in buckets that are never wider than 1/256 of what they hold, from a nanosecond to centuries: what
// percentiles are read from. The layout is that of HdrHistogram (Tene): a power of two each is split in equal parts.
// Owned by one thread; recording allocates nothing.
#pragma once
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace quorate::perf {

class LatencyHistogram {
 public:
  LatencyHistogram();
  /// Durations below zero count as zero.
  void record(Duration latency);
  void add(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }
  Duration min() const { return count_ == 0 ? Duration(0) : min_; }
  Duration max() const { return max_; }
  /// What `fraction` (0 to 1) of the recorded durations do not exceed, rounded up to the end of a bucket; 0 when empty.
  Duration percentile(double fraction) const;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;  // Invariant: the sum of counts_
  Duration min_ = Duration::max();
  Duration max_{0};
};

}  // namespace quorate::perf

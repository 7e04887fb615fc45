#include "broker/perf/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace quorate::perf {
namespace {

/// A power of two has 1 << kPartBits buckets; below twice that every nanosecond has its own.
constexpr unsigned kPartBits = 8;
constexpr std::size_t kParts = std::size_t{1} << kPartBits;
constexpr std::size_t kBuckets = (64 - kPartBits + 1) * kParts;

std::size_t bucket_of(std::uint64_t nanoseconds) {
  const int excess = static_cast<int>(std::bit_width(nanoseconds)) - static_cast<int>(kPartBits) - 1;
  const unsigned shift = excess > 0 ? static_cast<unsigned>(excess) : 0;
  return (static_cast<std::size_t>(shift) << kPartBits) + static_cast<std::size_t>(nanoseconds >> shift);
}

/// The largest value of a bucket.
std::uint64_t end_of(std::size_t bucket) {
  if (bucket < 2 * kParts) return bucket;
  const auto shift = static_cast<unsigned>((bucket >> kPartBits) - 1);
  const std::uint64_t part = kParts + bucket % kParts;
  return ((part + 1) << shift) - 1;
}

}  // namespace

LatencyHistogram::LatencyHistogram() : counts_(kBuckets) {}

void LatencyHistogram::record(Duration latency) {
  latency = std::max(latency, Duration(0));
  ++counts_[bucket_of(static_cast<std::uint64_t>(latency.count()))];
  ++count_;
  min_ = std::min(min_, latency);
  max_ = std::max(max_, latency);
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus<>());
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

Duration LatencyHistogram::percentile(double fraction) const {
  if (count_ == 0) return Duration(0);
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t passed = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    passed += counts_[bucket];
    if (passed >= rank) return std::min(max_, Duration(static_cast<Duration::rep>(end_of(bucket))));
  }
  return max_;
}

}  // namespace quorate::perf

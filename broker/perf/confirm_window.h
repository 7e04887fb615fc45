// What one channel has published and the broker has not yet answered, with the time from which each counts. Pure.
// Publications are numbered from 0 here; delivery tags of confirms are one higher.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/time.h"

namespace quorate::perf {

class ConfirmWindow {
 public:
  /// At most `limit` are under way.
  explicit ConfirmWindow(std::uint32_t limit) : limit_(limit), ring_(std::bit_ceil(limit | 1u)) {}

  bool has_room() const { return outstanding_ < limit_; }
  std::uint64_t outstanding() const { return outstanding_; }

  void publish(Instant meant) {
    if (next_ - oldest_ == ring_.size()) grow();
    slot(next_++) = meant;
    ++outstanding_;
  }

  /// The broker has answered `tag`, or with `multiple` all up to it (0: all there are). Calls f(number, meant) for each
  /// that had no answer yet. False when the tag was never published.
  template <class F>
  bool settle(std::uint64_t tag, bool multiple, F&& f) {
    if (multiple && tag == 0) tag = next_;
    if (tag == 0 || tag > next_) return false;
    const std::uint64_t first = multiple ? oldest_ : std::max(oldest_, tag - 1);
    for (std::uint64_t number = first; number < tag; ++number) {
      const Instant meant = std::exchange(slot(number), kSettled);
      if (meant == kSettled) continue;
      --outstanding_;
      f(number, meant);
    }
    while (oldest_ < next_ && slot(oldest_) == kSettled) ++oldest_;
    return true;
  }

  template <class F>
  void for_each_outstanding(F&& f) const {
    for (std::uint64_t number = oldest_; number < next_; ++number) {
      if (ring_[number & (ring_.size() - 1)] != kSettled) f(number);
    }
  }

 private:
  static constexpr Instant kSettled = Instant::min();

  Instant& slot(std::uint64_t number) { return ring_[number & (ring_.size() - 1)]; }
  /// Answers that come out of order leave holes, so the span may exceed the limit.
  void grow() {
    std::vector<Instant> larger(ring_.size() * 2);
    for (std::uint64_t number = oldest_; number < next_; ++number) larger[number & (larger.size() - 1)] = slot(number);
    ring_ = std::move(larger);
  }

  std::uint32_t limit_;
  std::vector<Instant> ring_;      // a power of two; slot(n) belongs to n of [oldest_, next_)
  std::uint64_t oldest_ = 0;       // Invariant: equals next_, or its slot is not settled
  std::uint64_t next_ = 0;         // number of the next publication
  std::uint64_t outstanding_ = 0;  // Invariant: slots of [oldest_, next_) that are not settled
};

}  // namespace quorate::perf

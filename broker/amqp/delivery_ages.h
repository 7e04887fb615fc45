// How long the deliveries of a channel have been out, to a tick: at each tick somebody says which tags had been given
// out by then, so that a delivery itself costs nothing. Owned by its Channel; pure.
#pragma once
#include <algorithm>
#include <deque>
#include <iterator>

#include "base/ids.h"
#include "base/time.h"

namespace quorate::amqp {

class DeliveryAges {
 public:
  /// Tags up to `last` have been given out; those below `oldest` are settled.
  void tick(Instant now, DeliveryTag oldest, DeliveryTag last) {
    while (!marks_.empty() && marks_.front().last < oldest) marks_.pop_front();
    const bool is_new = last >= oldest && (marks_.empty() || marks_.back().last < last);
    if (is_new) marks_.push_back({.at = now, .last = last});
  }
  /// Every tag up to this one was out at least `age` ago; 0: of none is it known.
  DeliveryTag older_than(Duration age, Instant now) const {
    const auto young = std::ranges::partition_point(marks_, [&](const Mark& mark) { return now - mark.at >= age; });
    return young == marks_.begin() ? DeliveryTag() : std::prev(young)->last;
  }

 private:
  struct Mark {
    Instant at{};
    DeliveryTag last;
  };
  std::deque<Mark> marks_;  // Invariant: ascending in both; no more of them than deliveries are out.
};

}  // namespace quorate::amqp

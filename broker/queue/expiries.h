// When messages expire, for those that do. A time is fixed when the message comes and stays with it; it counts while
// the message waits in the backlog, not while a consumer holds it. Part of the queue machine and of its state.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/time.h"
#include "broker/queue/effects.h"

namespace quorate::queue {

class Expiries {
 public:
  /// A message that does not wait yet. False, and nothing changes, when there is one at that place.
  bool add(Position message, WallTime at) {
    const std::size_t before = times_.size();
    times_.emplace_hint(times_.end(), message, at);
    return times_.size() > before;
  }
  /// Of one that was added.
  WallTime of(Position message) const { return times_.at(message); }
  void wait(Position message) { waiting_.emplace_hint(waiting_.end(), of(message), message); }
  void hold(Position message) { waiting_.erase({of(message), message}); }
  void remove(Position message) {
    hold(message);
    times_.erase(message);
  }

  std::size_t size() const { return times_.size(); }
  std::size_t waiting_count() const { return waiting_.size(); }
  /// Of those that wait, the earliest.
  std::optional<WallTime> next() const {
    return waiting_.empty() ? std::nullopt : std::optional(waiting_.begin()->first);
  }
  bool is_due(WallTime now) const { return !waiting_.empty() && waiting_.begin()->first <= now; }
  /// Requires that one waits. Those of one time come in the order of the queue.
  Position first() const {
    CHECK(!waiting_.empty());
    return waiting_.begin()->second;
  }

 private:
  std::map<Position, WallTime> times_;
  std::set<std::pair<WallTime, Position>> waiting_;
};

}  // namespace quorate::queue

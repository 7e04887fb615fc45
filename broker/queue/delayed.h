// Messages that were given back and wait before they are tried again (features.md Q025), in the order of their times.
// Part of the queue machine and of its state.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/time.h"
#include "broker/queue/effects.h"

namespace quorate::queue {

class Delayed {
 public:
  /// False, and nothing changes, when it waits already.
  bool add(WallTime until, const MessageRef& message) {
    const bool added = waiting_.try_emplace({until, message.position}, message).second;
    if (added) body_bytes_ += message.body_size;
    return added;
  }
  /// Requires that one waits: the one that is tried again first.
  MessageRef take_first() {
    CHECK(!waiting_.empty());
    const MessageRef message = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    body_bytes_ -= message.body_size;
    return message;
  }

  bool empty() const { return waiting_.empty(); }
  std::uint64_t size() const { return waiting_.size(); }
  std::uint64_t body_bytes() const { return body_bytes_; }
  std::optional<WallTime> next() const {
    return waiting_.empty() ? std::nullopt : std::optional(waiting_.begin()->first.first);
  }
  bool is_due(WallTime now) const { return !waiting_.empty() && waiting_.begin()->first.first <= now; }

  /// Calls `visit(WallTime until, const MessageRef&)` for each.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [place, message] : waiting_) visit(place.first, message);
  }
  /// Takes out each for which `is_gone(const MessageRef&)` holds.
  template <class IsGone>
  void remove_if(IsGone&& is_gone) {
    std::erase_if(waiting_, [&](const auto& entry) {
      const MessageRef message = entry.second;
      if (!is_gone(message)) return false;
      body_bytes_ -= message.body_size;
      return true;
    });
  }

 private:
  std::map<std::pair<WallTime, Position>, MessageRef> waiting_;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace quorate::queue

// Messages of one priority in the order of the log. Most leave from the front; one that is taken out elsewhere leaves a
// gap behind, and the gaps are closed when they outnumber the messages. Part of the backlog.
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/check.h"
#include "broker/queue/effects.h"

namespace quorate::queue {

class Level {
 public:
  bool empty() const { return messages_.empty(); }
  std::size_t size() const { return messages_.size() - gaps_; }
  /// Whether `position` lies behind everything that is or was here since it was last empty.
  bool can_end_with(Position position) const { return empty() || messages_.back().position < position; }

  void push(const MessageRef& message) {
    CHECK(can_end_with(message.position));
    messages_.push_back(message);
  }
  /// Both require that there is one.
  const MessageRef& front() const { return messages_.front(); }
  MessageRef take_front() {
    const MessageRef message = messages_.front();
    messages_.pop_front();
    if (gaps_ > 0) trim();
    return message;
  }
  /// Nothing when it is not here.
  std::optional<MessageRef> take_out(Position position) {
    const auto at = std::ranges::lower_bound(messages_, position, {}, &MessageRef::position);
    if (at == messages_.end() || at->position != position || at->is_gap) return std::nullopt;
    const MessageRef message = *at;
    at->is_gap = true;
    ++gaps_;
    trim();
    return message;
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const MessageRef& message : messages_) {
      if (!message.is_gap) visit(message);
    }
  }
  template <class Change>
  void change_each(Change&& change) {
    for (MessageRef& message : messages_) {
      if (!message.is_gap) change(message);
    }
  }
  template <class IsGone>
  void remove_if(IsGone&& is_gone) {
    std::erase_if(messages_, [&](const MessageRef& message) { return message.is_gap || is_gone(message); });
    gaps_ = 0;
  }
  void clear() {
    messages_.clear();
    gaps_ = 0;
  }

  void check_invariants() const {
    CHECK_EQ(gaps_, static_cast<std::size_t>(std::ranges::count_if(messages_, &is_gap)));
    CHECK_LE(gaps_, messages_.size() / 2);
    CHECK(empty() || !messages_.front().is_gap);
    CHECK(std::ranges::is_sorted(messages_, {}, &MessageRef::position));
  }

 private:
  static bool is_gap(const MessageRef& message) { return message.is_gap; }
  void trim() {
    for (; !messages_.empty() && messages_.front().is_gap; messages_.pop_front()) --gaps_;
    if (gaps_ > messages_.size() / 2) remove_if([](const MessageRef&) { return false; });
  }

  std::deque<MessageRef> messages_;  // Invariant: ascending positions; the front is no gap.
  std::size_t gaps_ = 0;             // Invariant: at most half of them.
};

}  // namespace quorate::queue

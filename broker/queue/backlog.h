// The messages that nobody holds, in the order in which they are handed out: by priority, and within one by their place
// in the log. What was given back stands where it stood, or, in a quorum queue, before everything else in the order of
// coming back (features.md Q024). Part of the queue machine and of its state.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "broker/queue/effects.h"
#include "broker/queue/level.h"

namespace quorate::queue {

class Backlog {
 public:
  enum class Returns : bool { to_their_place, first };

  /// Messages of a priority above `priority_max` count as of that one; 0: all are alike.
  void arrange(std::uint8_t priority_max, Returns returns);

  bool empty() const { return size_ == 0; }
  std::uint64_t size() const { return size_; }
  std::uint64_t body_bytes() const { return body_bytes_; }
  std::uint64_t returned_count() const { return returned_.size(); }

  /// A new message, from behind all others.
  void push(MessageRef message) {
    const std::size_t rank = rank_of(message);
    level_of(rank).push(message);
    used_[rank / kWord] |= bit_of(rank);
    count(message);
  }
  void give_back(const MessageRef& message);

  /// Requires that there is one.
  MessageRef take_next() {
    if (!returned_.empty() && is_returned_next()) return take_returned(returned_.begin());
    return take_from(first_rank());
  }
  /// What a full queue can do without: the oldest of the least priority.
  MessageRef take_least();
  /// One that expires and is there, wherever it stands.
  MessageRef take_out(Position position);

  /// Calls `visit(const MessageRef&)` for each: what was given back in the order of being handed out, then the others,
  /// the highest priority first.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [place, message] : returned_) visit(message);
    for_each_level([&](std::size_t, const Level& level) { level.for_each(visit); });
  }
  /// Of those that were not given back: `visit(rank, messages)` for each level in use; rank 0 is the highest priority.
  template <class Visit>
  void for_each_level(Visit&& visit) const {
    for (std::size_t rank = 0; rank < levels_.size(); ++rank) {
      if (levels_[rank] != nullptr && !levels_[rank]->empty()) visit(rank, *levels_[rank]);
    }
  }
  /// Of those given back.
  template <class Visit>
  void for_each_returned(Visit&& visit) const {
    for (const auto& [place, message] : returned_) visit(message);
  }
  template <class Change>
  void change_each(Change&& change) {
    for (auto& [place, message] : returned_) change(message);
    for (const auto& level : levels_) {
      if (level != nullptr) level->change_each(change);
    }
  }
  /// Takes out each for which `is_gone(const MessageRef&)` holds.
  template <class IsGone>
  void remove_if(IsGone&& is_gone) {
    const auto remove = [&](const MessageRef& message) {
      if (!is_gone(message)) return false;
      if (message.expires) expiring_returned_.erase(message.position);
      discount(message);
      return true;
    };
    for (std::size_t rank = 0; rank < levels_.size(); ++rank) {
      if (levels_[rank] == nullptr) continue;
      levels_[rank]->remove_if(remove);
      if (levels_[rank]->empty()) used_[rank / kWord] &= ~bit_of(rank);
    }
    std::erase_if(returned_, [&](const auto& entry) { return remove(entry.second); });
  }
  void clear();

  /// As push and give_back, from bytes that may be anything: false, and nothing changes, when it cannot follow what is
  /// there already.
  bool restore_ready(const MessageRef& message);
  bool restore_returned(const MessageRef& message);
  void check_invariants() const;

 private:
  struct Place {
    std::size_t rank = 0;
    std::uint64_t order = 0;  // a position, or how often something came back
    auto operator<=>(const Place&) const = default;
  };
  using Returned = std::map<Place, MessageRef>;
  static constexpr std::size_t kWord = 64;

  static std::uint64_t bit_of(std::size_t rank) { return std::uint64_t{1} << (rank % kWord); }
  std::size_t rank_of(MessageRef message) const {
    return message.priority >= priority_max_ ? 0 : std::size_t{priority_max_} - message.priority;
  }
  Level& level_of(std::size_t rank) {
    std::unique_ptr<Level>& level = levels_[rank];
    if (level == nullptr) level = std::make_unique<Level>();
    return *level;
  }
  /// Of what was not given back; levels_.size() when there is none.
  std::size_t first_rank() const {
    for (std::size_t word = 0; word < used_.size(); ++word) {
      if (used_[word] != 0) return word * kWord + static_cast<std::size_t>(std::countr_zero(used_[word]));
    }
    return levels_.size();
  }
  std::size_t last_rank() const;
  Place place_of_returned(const MessageRef& message) const;
  bool is_returned_next() const;
  MessageRef take_from(std::size_t rank) {
    Level& level = *levels_[rank];
    const MessageRef message = level.take_front();
    if (level.empty()) used_[rank / kWord] &= ~bit_of(rank);
    discount(message);
    return message;
  }
  MessageRef take_returned(Returned::iterator at);
  Returned::iterator least_returned();
  void count(MessageRef message) {
    ++size_;
    body_bytes_ += message.body_size;
  }
  void discount(MessageRef message) {
    --size_;
    body_bytes_ -= message.body_size;
  }

  std::uint8_t priority_max_ = 0;
  Returns returns_ = Returns::to_their_place;
  std::vector<std::unique_ptr<Level>> levels_{1};  // by rank, made when needed
  std::array<std::uint64_t, 4> used_{};            // bit by rank: the level holds something
  Returned returned_;
  std::map<Position, Place> expiring_returned_;  // where those stand in returned_ that expire
  std::uint64_t size_ = 0;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace quorate::queue

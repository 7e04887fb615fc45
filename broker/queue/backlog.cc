#include "broker/queue/backlog.h"

#include <algorithm>
#include <iterator>

namespace quorate::queue {

void Backlog::arrange(std::uint8_t priority_max, Returns returns) {
  if (priority_max == priority_max_ && returns == returns_) return;
  std::vector<MessageRef> ready;
  std::vector<MessageRef> returned;
  for_each_level([&](std::size_t, const Level& level) {
    level.for_each([&](const MessageRef& message) { ready.push_back(message); });
  });
  for_each_returned([&](const MessageRef& message) { returned.push_back(message); });
  std::ranges::sort(ready, {}, &MessageRef::position);
  clear();
  priority_max_ = priority_max;
  returns_ = returns;
  levels_.resize(std::size_t{priority_max} + 1);
  for (const MessageRef& message : ready) push(message);
  for (const MessageRef& message : returned) give_back(message);
}

Backlog::Place Backlog::place_of_returned(const MessageRef& message) const {
  if (returns_ == Returns::to_their_place) return {.rank = rank_of(message), .order = message.position.packed};
  return {.order = returned_.empty() ? 1 : returned_.rbegin()->first.order + 1};
}

void Backlog::give_back(const MessageRef& message) {
  const Place place = place_of_returned(message);
  const bool is_new = returned_.try_emplace(place, message).second;
  CHECK(is_new);
  if (message.expires) expiring_returned_.emplace(message.position, place);
  count(message);
}

bool Backlog::restore_ready(const MessageRef& message) {
  const std::unique_ptr<Level>& level = levels_[rank_of(message)];
  if (level != nullptr && !level->can_end_with(message.position)) return false;
  push(message);
  return true;
}

bool Backlog::restore_returned(const MessageRef& message) {
  if (!returned_.empty() && returned_.rbegin()->first >= place_of_returned(message)) return false;
  give_back(message);
  return true;
}

bool Backlog::is_returned_next() const {
  const std::size_t rank = first_rank();
  if (returns_ == Returns::first || rank == levels_.size()) return true;
  const Place place{.rank = rank, .order = levels_[rank]->front().position.packed};
  return returned_.begin()->first < place;
}

MessageRef Backlog::take_returned(Returned::iterator at) {
  const MessageRef message = at->second;
  if (message.expires) expiring_returned_.erase(message.position);
  returned_.erase(at);
  discount(message);
  return message;
}

MessageRef Backlog::take_out(Position position) {
  if (const auto at = expiring_returned_.find(position); at != expiring_returned_.end()) {
    return take_returned(returned_.find(at->second));
  }
  for (std::size_t rank = first_rank();; ++rank) {
    CHECK_LT(rank, levels_.size());
    Level* level = levels_[rank].get();
    const auto message = level != nullptr ? level->take_out(position) : std::nullopt;
    if (!message) continue;
    if (level->empty()) used_[rank / kWord] &= ~bit_of(rank);
    discount(*message);
    return *message;
  }
}

std::size_t Backlog::last_rank() const {
  for (std::size_t word = used_.size(); word-- > 0;) {
    if (used_[word] != 0) return word * kWord + kWord - 1 - static_cast<std::size_t>(std::countl_zero(used_[word]));
  }
  return levels_.size();
}

MessageRef Backlog::take_least() {
  const std::size_t rank = last_rank();
  if (returned_.empty()) return take_from(rank);
  const auto returned = least_returned();
  if (rank == levels_.size()) return take_returned(returned);
  const std::size_t returned_rank = rank_of(returned->second);
  const bool is_older = returns_ == Returns::first || returned->second.position < levels_[rank]->front().position;
  const bool is_less = returned_rank > rank || (returned_rank == rank && is_older);
  return is_less ? take_returned(returned) : take_from(rank);
}

/// Where returned messages have no order of priority, the one that came back first.
Backlog::Returned::iterator Backlog::least_returned() {
  if (returns_ == Returns::first) return returned_.begin();
  return returned_.lower_bound({.rank = returned_.rbegin()->first.rank});
}

void Backlog::clear() {
  for (const auto& level : levels_) {
    if (level != nullptr) level->clear();
  }
  used_ = {};
  returned_.clear();
  expiring_returned_.clear();
  size_ = 0;
  body_bytes_ = 0;
}

void Backlog::check_invariants() const {
  std::uint64_t size = 0;
  std::uint64_t bytes = 0;
  for_each([&](const MessageRef& message) {
    ++size;
    bytes += message.body_size;
  });
  CHECK_EQ(size, size_);
  CHECK_EQ(bytes, body_bytes_);
  CHECK_EQ(levels_.size(), std::size_t{priority_max_} + 1);
  for (std::size_t rank = 0; rank < levels_.size(); ++rank) {
    const bool is_used = levels_[rank] != nullptr && !levels_[rank]->empty();
    CHECK_EQ(is_used, (used_[rank / kWord] & bit_of(rank)) != 0);
    if (levels_[rank] != nullptr) levels_[rank]->check_invariants();
  }
  for_each_level([&](std::size_t rank, const Level& level) {
    level.for_each([&](const MessageRef& message) { CHECK_EQ(rank, rank_of(message)); });
  });
  std::size_t expiring = 0;
  for (const auto& [place, message] : returned_) {
    if (!message.expires) continue;
    ++expiring;
    CHECK(expiring_returned_.at(message.position) == place);
  }
  CHECK_EQ(expiring, expiring_returned_.size());
}

}  // namespace quorate::queue

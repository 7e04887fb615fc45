// Fifo: a queue that owns no memory while it is empty, because ten thousand idle replicas have several each.
// Amortised constant time at both ends; elements stand in one vector behind those that have left.
#pragma once
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "base/check.h"

namespace quorate::raft {

template <class T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  std::size_t capacity_bytes() const { return items_.capacity() * sizeof(T); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  void pop_front() {
    CHECK(!empty());
    items_[head_++] = T();  // what it holds is free at once
    if (empty()) {
      clear();
    } else if (head_ > items_.size() / 2) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void pop_back() {
    CHECK(!empty());
    items_.pop_back();
    if (empty()) clear();
  }
  void clear() {
    items_.clear();
    head_ = 0;
    if (items_.capacity() > kKeptItems) items_.shrink_to_fit();
  }
  /// Gives the memory back too.
  void release() { *this = Fifo(); }

  const T& front() const { return (*this)[0]; }
  const T& back() const { return (*this)[size() - 1]; }
  const T& operator[](std::size_t i) const { return items_[head_ + i]; }
  auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
  auto end() const { return items_.end(); }

 private:
  static constexpr std::size_t kKeptItems = 64;

  std::vector<T> items_;
  std::size_t head_ = 0;  // Invariant: what stands before it has left.
};

}  // namespace quorate::raft

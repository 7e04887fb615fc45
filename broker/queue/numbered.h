// Numbered: values by ascending number, such as log indexes or delivery ids. Neighbours lie side by side in blocks, and
// a block without a value is given back: one old value that stays costs one block, whatever came and went after it.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

#include "base/check.h"

namespace quorate::queue {

template <class T>
class Numbered {
 public:
  /// False, and nothing changes, when there is a value of that number.
  bool insert(std::uint64_t number, T value) {
    Block& block = block_of(number);
    if ((block.present & bit_of(number)) != 0) return false;
    block.present |= bit_of(number);
    block.values[number % kBlock] = std::move(value);
    ++size_;
    return true;
  }

  T* find(std::uint64_t number) {
    const auto at = blocks_.find(number / kBlock);
    if (at == blocks_.end() || (at->second.present & bit_of(number)) == 0) return nullptr;
    return &at->second.values[number % kBlock];
  }
  const T* find(std::uint64_t number) const { return const_cast<Numbered*>(this)->find(number); }

  bool erase(std::uint64_t number) {
    return take_range(number, number, [](std::uint64_t, T&&) {}) > 0;
  }

  /// Takes out every value in [first, last], in order, and calls `visit(number, T&&)` for each, which must leave this
  /// map alone. Returns how many there were.
  template <class Visit>
  std::size_t take_range(std::uint64_t first, std::uint64_t last, Visit&& visit) {
    const std::size_t before = size_;
    auto at = blocks_.lower_bound(first / kBlock);
    while (at != blocks_.end() && at->first <= last / kBlock) {
      Block& block = at->second;
      const std::uint64_t base = at->first * kBlock;
      for (std::uint32_t left = block.present; left != 0; left &= left - 1) {
        const std::uint64_t number = base + static_cast<unsigned>(std::countr_zero(left));
        if (number < first || number > last) continue;
        block.present &= ~bit_of(number);
        --size_;
        visit(number, std::exchange(block.values[number % kBlock], T{}));
      }
      const auto next = std::next(at);
      if (block.present == 0) spare_ = blocks_.extract(at);
      at = next;
    }
    return before - size_;
  }

  /// Calls `visit(number, value)` for each in order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [place, block] : blocks_) {
      for (std::uint32_t left = block.present; left != 0; left &= left - 1) {
        const auto slot = static_cast<unsigned>(std::countr_zero(left));
        visit(place * kBlock + slot, block.values[slot]);
      }
    }
  }

  /// The same for those above `after`.
  template <class Visit>
  void for_each_after(std::uint64_t after, Visit&& visit) const {
    for (auto at = blocks_.lower_bound(after / kBlock); at != blocks_.end(); ++at) {
      const auto& [place, block] = *at;
      for (std::uint32_t left = block.present; left != 0; left &= left - 1) {
        const auto slot = static_cast<unsigned>(std::countr_zero(left));
        const std::uint64_t number = place * kBlock + slot;
        if (number > after) visit(number, block.values[slot]);
      }
    }
  }

  /// The lowest number there is; requires that there is one.
  std::uint64_t first() const {
    CHECK(!empty());
    const auto& [place, block] = *blocks_.begin();
    return place * kBlock + static_cast<unsigned>(std::countr_zero(block.present));
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    blocks_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::uint64_t kBlock = 32;
  struct Block {
    std::uint32_t present = 0;  // Invariant: not 0; bit i says whether values[i] is one.
    std::array<T, kBlock> values{};
  };
  using Blocks = std::map<std::uint64_t, Block>;

  static std::uint32_t bit_of(std::uint64_t number) { return 1u << (number % kBlock); }

  Block& block_of(std::uint64_t number) {
    const std::uint64_t place = number / kBlock;
    if (!blocks_.empty() && blocks_.rbegin()->first == place) return blocks_.rbegin()->second;
    if (spare_.empty()) return blocks_[place];
    spare_.key() = place;
    auto inserted = blocks_.insert(std::move(spare_));
    spare_ = std::move(inserted.node);  // comes back when the block was there already
    return inserted.position->second;
  }

  Blocks blocks_;
  typename Blocks::node_type spare_;  // the last block that was emptied, so that a short queue allocates nothing
  std::size_t size_ = 0;
};

}  // namespace quorate::queue

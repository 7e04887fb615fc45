#include "broker/perf/sequence_check.h"

#include <algorithm>
#include <bit>

namespace quorate::perf {

bool SeenSet::insert(std::uint64_t sequence) {
  const std::uint64_t word = sequence / kWordBits;
  if (word < base_) return false;
  if (word - base_ >= words_.size()) words_.resize(word - base_ + 1);
  const Word bit = Word{1} << (sequence % kWordBits);
  Word& held = words_[word - base_];
  if ((held & bit) != 0) return false;
  held |= bit;
  ++size_;
  if (held == ~Word{0}) drop_full_words();
  return true;
}

bool SeenSet::contains(std::uint64_t sequence) const {
  const std::uint64_t word = sequence / kWordBits;
  if (word < base_) return true;
  return word - base_ < words_.size() && (words_[word - base_] >> (sequence % kWordBits) & 1) != 0;
}

std::uint64_t SeenSet::merge(const SeenSet& other) {
  const std::uint64_t both = size_ + other.size_;
  const std::uint64_t end = std::max(base_ + words_.size(), other.base_ + other.words_.size());
  std::deque<Word> merged;
  size_ = 0;
  const auto word_of = [](const SeenSet& set, std::uint64_t word) {
    if (word < set.base_) return ~Word{0};
    return word - set.base_ < set.words_.size() ? set.words_[word - set.base_] : Word{0};
  };
  for (std::uint64_t word = 0; word < end; ++word) {
    merged.push_back(word_of(*this, word) | word_of(other, word));
    size_ += static_cast<std::uint64_t>(std::popcount(merged.back()));
  }
  words_ = std::move(merged);
  base_ = 0;
  drop_full_words();
  return both - size_;
}

void SeenSet::drop_full_words() {
  while (!words_.empty() && words_.front() == ~Word{0}) {
    words_.pop_front();
    ++base_;
  }
}

void note_arrival(std::uint64_t sequence, bool redelivered, FlowOrder& order, SeenSet& seen, FlowCounts& counts) {
  const bool is_new = seen.insert(sequence);
  ++(is_new ? counts.unique : counts.duplicated);
  if (is_new && !redelivered && sequence < order.next) ++counts.disordered;
  order.next = std::max(order.next, sequence + 1);
}

std::uint64_t count_missing(std::uint64_t sent, const SeenSet& seen, const std::vector<std::uint64_t>& excused) {
  if (seen.size() >= sent) return 0;
  std::uint64_t missing = 0;
  auto excuse = excused.begin();
  for (std::uint64_t sequence = 0; sequence < sent; ++sequence) {
    while (excuse != excused.end() && *excuse < sequence) ++excuse;
    const bool is_excused = excuse != excused.end() && *excuse == sequence;
    if (!is_excused && !seen.contains(sequence)) ++missing;
  }
  return missing;
}

}  // namespace quorate::perf

// Which messages of a producer have come out of a queue: what is missing, came twice, or came out of order. Pure.
// A source is whatever should give each message once: a queue, or one consumer of a stream.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace quorate::perf {

/// A set of sequences that grows at its end and takes one bit for each beyond the first that is missing.
class SeenSet {
 public:
  /// False when it was there.
  bool insert(std::uint64_t sequence);
  bool contains(std::uint64_t sequence) const;
  std::uint64_t size() const { return size_; }
  /// Takes all of `other` in; how many both had.
  std::uint64_t merge(const SeenSet& other);

 private:
  using Word = std::uint64_t;
  static constexpr std::uint64_t kWordBits = 64;

  void drop_full_words();

  std::uint64_t base_ = 0;  // words in front of words_, all full
  std::deque<Word> words_;
  std::uint64_t size_ = 0;
};

/// Source and producer.
using FlowKey = std::pair<std::uint32_t, std::uint32_t>;
/// What one thread has seen of every flow; merged when all is over.
using SeenFlows = std::map<FlowKey, SeenSet>;

/// One consumer's view of one producer; order is judged here, the set may be shared by consumers of the source.
struct FlowOrder {
  std::uint64_t next = 0;  // one above the highest so far
};

struct FlowCounts {
  std::uint64_t unique = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t disordered = 0;
};

/// Takes one message in. A message is disordered when it is new, was not redelivered, and a later one came before it.
void note_arrival(std::uint64_t sequence, bool redelivered, FlowOrder& order, SeenSet& seen, FlowCounts& counts);

/// How many of [0, sent) are neither seen nor excused. `excused` is sorted: what the broker returned, refused or did
/// not answer.
std::uint64_t count_missing(std::uint64_t sent, const SeenSet& seen, const std::vector<std::uint64_t>& excused);

}  // namespace quorate::perf

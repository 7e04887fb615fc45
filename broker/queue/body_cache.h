// The entries of one queue whose bytes are in memory, by log index. Bodies are here while they are young or about to be
// delivered; a queue with a log reads the others back. Pure; the budget is shared by the queues of a shard.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/bytes.h"
#include "base/ids.h"

namespace quorate::queue {

/// Bytes that the caches of a shard hold together.
struct CacheBudget {
  std::size_t used = 0;
};

class BodyCache {
 public:
  explicit BodyCache(CacheBudget& budget) : budget_(budget) {}
  ~BodyCache() { clear(); }
  BodyCache(const BodyCache&) = delete;
  BodyCache& operator=(const BodyCache&) = delete;

  /// Replaces nothing: an index that is present stays as it is.
  void put(LogIndex index, Bytes payload);
  /// Empty when it is not in memory.
  const Bytes& find(LogIndex index) const;
  void erase(LogIndex index);
  /// Forgets the lowest indexes below `below` until at most `bytes` are held or none is left there.
  void trim_below(LogIndex below, std::size_t bytes);
  void clear();

  std::size_t bytes() const { return bytes_; }

 private:
  void release(Bytes& slot);

  CacheBudget& budget_;
  LogIndex first_;            // slots_[i] is entry first_ + i; an empty slot is not in memory.
  std::deque<Bytes> slots_;   // Invariant: empty, or front and back are in memory.
  std::size_t bytes_ = 0;
};

}  // namespace quorate::queue

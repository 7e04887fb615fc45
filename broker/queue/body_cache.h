// The entries of one queue whose bytes are in memory, by log index. Bodies are here while they are young or about to be
// delivered; a queue with a log reads the others back. Pure; the budget is shared by the durable queues of a shard.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "broker/queue/numbered.h"

namespace quorate::queue {

/// Bytes that the caches of a shard hold together, and what they may hold.
struct CacheBudget {
  std::size_t used = 0;
  std::size_t shard_max_bytes = limits::kBodyCacheShardMaxBytes;
  std::size_t queue_max_bytes = limits::kBodyCacheQueueMaxBytes;
  std::size_t read_ahead_bytes = limits::kReadAheadBytes;
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
  CacheBudget& budget_;
  Numbered<Bytes> entries_;  // by index
  std::size_t bytes_ = 0;    // Invariant: the sizes of entries_.
};

}  // namespace quorate::queue

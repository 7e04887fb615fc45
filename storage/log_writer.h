// LogWriter: the only thread that waits for fsync. It merges all that the shards submitted while the last sync ran into
// one write and one sync, then answers every submission in order. A failed write is never retried: the state of the
// page cache is unknown after it, so this submission and all later ones fail with that same error.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/log_store.h"

namespace quorate::storage {

class LogWriter {
 public:
  /// Called once, on the writer thread, in the order of submission; it posts to its shard and returns.
  using Done = std::move_only_function<void(Result<void>)>;
  struct Counters {
    std::uint64_t batches = 0;
    std::uint64_t syncs = 0;
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    std::uint64_t batch_bytes_max = 0;
  };

  /// Borrows both until stop() has returned.
  LogWriter(LogStore& store, const Clock& clock);
  ~LogWriter();

  /// Any thread; never blocks on the disk. `bytes` is what the submission weighs in pending_bytes(). The batch is
  /// synced if any submission in it asks for it; nobody's answer overtakes an earlier one.
  void submit(std::vector<GroupWrite> writes, std::size_t bytes, Durability durability, Done done);

  /// Submitted and not yet answered: a shard beyond limits::kLogWriterQueueMaxBytes stops reading its publishers.
  std::size_t pending_bytes() const { return pending_bytes_.load(std::memory_order_relaxed); }
  Counters counters() const;
  /// How long the disk has been at the write or the mark that it is asked for now; zero when it is asked for none. Any
  /// thread.
  Duration busy_for(Instant now) const;

  /// Writes and answers what was submitted, syncs all of it, records the durability mark, ends the thread. No
  /// submission after it.
  void stop();

 private:
  struct Submission {
    std::vector<GroupWrite> writes;
    std::size_t bytes = 0;
    Durability durability = Durability::synced;
    Done done;
  };
  struct Batch {
    std::vector<GroupWrite> writes;
    std::size_t bytes = 0;
    std::size_t entries = 0;
    Durability durability = Durability::buffered;

    void add(Submission& submission);
  };

  void run();
  std::deque<Submission> wait_for_work();
  void write_all(std::deque<Submission> submissions);
  template <class Work>
  Result<void> timed(Work work);
  Result<void> write_batch(const Batch& batch);
  bool is_ending();
  void sync_rest();
  void refresh_mark();
  void fail(const Error& error);

  LogStore& store_;
  const Clock& clock_;
  std::atomic<std::size_t> pending_bytes_ = 0;
  std::atomic<Instant> writing_since_ = Instant{};  // the epoch: not writing

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Submission> queue_;  // guarded by mutex_
  Counters counters_;             // guarded by mutex_
  bool stopping_ = false;         // guarded by mutex_

  std::optional<Error> failure_;  // writer thread only, like the next two
  bool mark_is_stale_ = false;    // something was synced since the mark was stored
  Instant mark_stored_at_{};
  std::thread thread_;  // last: runs as soon as it is constructed
};

}  // namespace quorate::storage

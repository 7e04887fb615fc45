// LogReader: reads a backlog in order and ahead, away from the shards, and runs storage's chores (snapshots, reclaim)
// on a thread of their own so that a long one delays no read.
#pragma once
#include <cstddef>
#include <functional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "raft/types.h"
#include "storage/log_store.h"
#include "storage/worker.h"

namespace quorate::storage {

class LogReader {
 public:
  /// Called once, on the reader thread; it posts to its shard and returns.
  using Done = std::move_only_function<void(Result<std::vector<raft::Entry>>)>;

  /// Borrows the store until stop() has returned.
  explicit LogReader(const LogStore& store) : store_(store) {}

  /// Entries [from, to] in order, until their payloads reach `bytes_max`; at least one if there is any.
  /// Dead indexes are missing from the answer, and an empty answer means that none of the range is left. A damaged
  /// entry is ErrorCode::corruption if it is the first, else it ends the answer, and whoever reads on meets it.
  void read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, Done done);
  /// The entries at `indexes` that exist, in the order asked for.
  void read_each(GroupId group, std::vector<LogIndex> indexes, Done done);
  /// A chore; chores run one after the other, beside the reads.
  void run(Worker::Task chore) { chores_.post(std::move(chore)); }

  /// Before a stop that must not take long: chores that have not begun are forgotten, and one that compacts gives up.
  /// Nothing is lost: the next start finds what they would have tidied.
  void abandon_chores();
  /// Answers what was asked and ends both threads. Nothing may be asked after it.
  void stop();

 private:
  const LogStore& store_;
  Worker reads_;
  Worker chores_;
};

}  // namespace quorate::storage

// LogSummarizer: says of a log, entry by entry, what a replica must know of it before it may act, and where it is
// damaged. A value for the length of one pass.
#pragma once
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "raft/types.h"
#include "storage/group_storage.h"

namespace quorate::storage {

class LogSummarizer {
 public:
  LogSummarizer(GroupId group, LogIndex after) : group_(group), summary_{.last = after} {}

  /// The next entry. ErrorCode::corruption: it is not the next, its term goes back, or it is no configuration although
  /// it says so; the summary then ends in front of it.
  Result<void> add(const raft::Entry& entry);
  LogSummary take() && { return std::move(summary_); }

 private:
  GroupId group_;
  LogSummary summary_;
};

}  // namespace quorate::storage

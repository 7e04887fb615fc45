// The configurations that the log holds, oldest at the bottom: a pure function of the log, so truncation pops what it
// takes back, and the newest appended one is in force whether or not it is committed or applied.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "raft/types.h"

namespace quorate::raft {

class ConfigStack {
 public:
  /// `base` is in force up to `position`, where the log begins.
  ConfigStack(LogIndex position, Configuration base) { stack_.emplace_back(position, std::move(base)); }

  const Configuration& current() const { return stack_.back().second; }
  /// Where the one in force stands in the log.
  LogIndex current_index() const { return stack_.back().first; }
  const Configuration& at(LogIndex index) const {
    CHECK_LE(stack_.front().first, index);
    auto it = stack_.rbegin();
    while (it->first > index) ++it;
    return it->second;
  }

  /// `replica` votes in the one in force at `index`, or in a newer one.
  bool has_voter_since(LogIndex index, ReplicaId replica) const {
    for (auto it = stack_.rbegin(); it != stack_.rend(); ++it) {
      if (it->second.is_voter(replica)) return true;
      if (it->first <= index) return false;
    }
    return false;
  }

  void append(LogIndex index, Configuration configuration) {
    CHECK_GT(index, current_index());
    stack_.emplace_back(index, std::move(configuration));
  }
  void truncate(LogIndex from) {
    CHECK_GT(from, stack_.front().first);
    while (stack_.back().first >= from) stack_.pop_back();
  }
  /// The log now begins behind `index`.
  void compact(LogIndex index) {
    while (stack_.size() > 1 && stack_[1].first <= index) stack_.erase(stack_.begin());
    stack_.front().first = std::max(stack_.front().first, index);
  }
  void reset(LogIndex position, Configuration base) {
    stack_.clear();
    stack_.emplace_back(position, std::move(base));
  }

 private:
  std::vector<std::pair<LogIndex, Configuration>> stack_;  // Invariant: ascending indexes, never empty.
};

}  // namespace quorate::raft

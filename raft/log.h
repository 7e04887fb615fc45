// Log: what a replica knows of its log without reading it. Terms are kept as runs, so they cost nothing however long
// the log is; entries are kept only while somebody may still ask for them (the tail).
#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "raft/fifo.h"
#include "raft/types.h"

namespace quorate::raft {

/// From `first` on, until the next run begins, all entries have this term.
struct TermRun {
  LogIndex first;
  Term term;
  bool operator==(const TermRun&) const = default;
};

class Log {
 public:
  /// `base`: what a snapshot stands for. `runs` describe (base.index, last].
  Log(LogPosition base, std::vector<TermRun> runs, LogIndex last);

  LogPosition base() const { return base_; }
  LogPosition last() const { return last_; }
  /// nullopt: before base() or behind last().
  std::optional<Term> term_at(LogIndex index) const;
  bool contains(LogPosition position) const { return term_at(position.index) == position.term; }
  /// The last position at or before `limit` whose term is not newer than limit's: where two logs may agree when they
  /// disagree at `limit`. Skips a whole term at a time. Never before base().
  LogPosition last_not_after(LogPosition limit) const;

  void append(Entry entry);
  /// Takes back everything from `from` on; base() < from <= last().
  void truncate(LogIndex from);
  /// The log now begins behind `position`, which it contains.
  void compact(LogPosition position);
  /// Nothing is left; the log begins behind `base`.
  void reset(LogPosition base);

  /// nullptr: not in memory.
  const Entry* find(LogIndex index) const;
  /// Forgets entries up to `index`, and older ones than `max_bytes` allow.
  void trim(LogIndex index, std::size_t max_bytes);
  std::size_t tail_bytes() const { return tail_bytes_; }
  /// The oldest entry in memory; behind last() when there is none.
  LogIndex tail_first() const { return tail_.empty() ? last_.index.plus(1) : tail_.front().index; }
  std::size_t memory_bytes() const;

 private:
  static std::size_t weight(const Entry& entry) { return sizeof(Entry) + entry.payload.size(); }

  LogPosition base_;
  LogPosition last_;
  std::vector<TermRun> runs_;  // Invariant: ascending in both fields; empty when last_ == base_.
  Fifo<Entry> tail_;           // Invariant: when not empty, it ends with last_.
  std::size_t tail_bytes_ = 0;
};

}  // namespace quorate::raft

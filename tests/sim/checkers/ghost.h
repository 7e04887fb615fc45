// Ghost: what all replicas of a group together have promised, seen from outside: every entry that was ever written, and
// the committed log with the state that it leads to. Nothing in the product can see it.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "broker/queue/queue_machine.h"
#include "raft/core.h"
#include "raft/types.h"
#include "tests/sim/checkers/queue_history.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

struct Committed {
  raft::Entry entry;
  Term seen_in;             // the term of whoever was first seen to have committed it
  std::uint32_t state = 0;  // checksum of the machine behind it
};

class Ghost {
 public:
  Ghost(Stage& stage, GroupId group, raft::Configuration first)
      : stage_(stage), group_(group), history_(stage, group), configurations_{{LogIndex(0), std::move(first)}} {}

  /// Log matching: there is one entry for an index and a term.
  void note_written(const raft::Entry& entry);
  /// `core` believes that everything up to `limit` is committed.
  void advance(const raft::Core& core, LogIndex limit);

  LogIndex commit() const { return LogIndex(log_.size()); }
  const Committed* at(LogIndex index) const {
    return index.value() == 0 || index > commit() ? nullptr : &log_[index.value() - 1];
  }
  /// Checksum of the machine when it has applied everything up to `index`.
  std::uint32_t state_at(LogIndex index) const;
  const raft::Configuration& configuration_at(LogIndex index) const;
  const raft::Configuration& configuration() const { return configurations_.back().second; }
  LogIndex configuration_index() const { return configurations_.back().first; }
  QueueHistory& history() { return history_; }
  const raft::Entry* written(LogIndex index, Term term) const;

 private:
  Stage& stage_;
  const GroupId group_;
  std::map<std::pair<LogIndex, Term>, raft::Entry> written_;
  std::vector<Committed> log_;
  queue::QueueMachine machine_;
  std::uint32_t state_ = 0;
  QueueHistory history_;
  std::vector<std::pair<LogIndex, raft::Configuration>> configurations_;
};

}  // namespace quorate::sim

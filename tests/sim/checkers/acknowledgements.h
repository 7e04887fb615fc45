// Acknowledgements: whoever says "I have the leader's log up to here" has it on the disk.
#pragma once
#include <map>
#include <tuple>

#include "base/ids.h"
#include "cluster/transport.h"
#include "raft/message.h"
#include "tests/sim/checkers/ghost.h"
#include "tests/sim/disk.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class Acknowledgements {
 public:
  explicit Acknowledgements(Stage& stage) : stage_(stage) {}

  /// A leader shows its log.
  void on_append_sent(GroupId group, const raft::Message& message, const raft::Append& append);
  void on_reply_sent(GroupId group, const raft::Message& message, const raft::AppendReply& reply, const Disk& disk,
                     const Ghost& ghost) const;

 private:
  void note(GroupId group, Term term, const raft::LogPosition& position);

  Stage& stage_;
  std::map<std::tuple<GroupId, Term, LogIndex>, Term> shown_;  // the term of an entry in the log of a term's leader
};

}  // namespace quorate::sim

// Observer: sees everything in a cluster at once and says what must never be. Whatever a script is about, these hold:
// one leader a term, a leader has all that was ever committed, committed entries never differ, what is committed is on
// the disks of a majority, and no replica says what its disk does not hold.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "raft/core.h"
#include "tests/raft/disk.h"

namespace quorate::raft::test {

using Disks = std::map<ReplicaId, const Disk*>;

class Observer {
 public:
  /// Everything that is wrong about what this replica has just done. `disks` are everybody's, its own among them.
  std::vector<std::string> judge(const Core& core, const Output& output, const Disks& disks);
  /// What is committed, as somebody has believed so far.
  const std::map<LogIndex, Entry>& committed() const { return committed_; }

 private:
  void judge_leader(const Core& core, const Image& written);
  void judge_message(const Message& message, const Disk& disk);
  void judge_commit(const Core& core, const Disks& disks);

  std::map<Term, ReplicaId> leaders_;
  std::map<LogIndex, Entry> committed_;
  std::map<ReplicaId, LogIndex> seen_;  // the commit index of each replica that has been looked at
  std::vector<std::string> complaints_;
};

}  // namespace quorate::raft::test

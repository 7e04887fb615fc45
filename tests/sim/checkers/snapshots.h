// Snapshots: a durable snapshot says what the committed log says at its index, and every entry it still needs is there.
#pragma once
#include "base/ids.h"
#include "broker/queue/queue_machine.h"
#include "storage/group_storage.h"
#include "tests/sim/checkers/ghost.h"
#include "tests/sim/disk.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class Snapshots {
 public:
  explicit Snapshots(Stage& stage) : stage_(stage) {}
  /// `is_whole`: the disk has not lost anything.
  void on_saved(NodeId node, GroupId group, const storage::Snapshot& snapshot, const Disk& disk, bool is_whole,
                const Ghost& ghost) const;

 private:
  void check_live(NodeId node, GroupId group, LogIndex index, const queue::QueueMachine& machine,
                  const Disk& disk) const;
  Stage& stage_;
};

}  // namespace quorate::sim

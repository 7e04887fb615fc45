// Checkers: the promises of Raft and of the queue, each in a file of its own beside this one. This class only tells
// each of them what concerns it; checks look at what has changed, after every turn and every completion of a disk.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "cluster/replica.h"
#include "cluster/transport.h"
#include "tests/sim/checkers/acknowledgements.h"
#include "tests/sim/checkers/elections.h"
#include "tests/sim/checkers/ghost.h"
#include "tests/sim/checkers/logs.h"
#include "tests/sim/checkers/sightings.h"
#include "tests/sim/checkers/snapshots.h"
#include "tests/sim/checkers/states.h"
#include "tests/sim/disk.h"
#include "tests/sim/harm.h"
#include "tests/sim/sim_queue.h"
#include "tests/sim/stage.h"

namespace quorate::sim {

class Checkers {
 public:
  Checkers(Stage& stage, const Harm& harm, Logs::DiskOf disk_of)
      : stage_(stage),
        harm_(harm),
        disk_of_(disk_of),
        elections_(stage),
        acknowledgements_(stage),
        logs_(stage, harm, std::move(disk_of)),
        states_(stage),
        snapshots_(stage),
        sightings_(stage) {}

  void add_group(GroupId group, const raft::Configuration& first);
  Ghost& ghost(GroupId group) { return *ghosts_.at(group); }

  // What happens on a node.
  void on_submit(NodeId node, const storage::GroupWrite& write, const raft::Core* core);
  void on_syncing(NodeId node, const StoredWrite& write, const Disk& disk);
  void on_snapshot_saved(NodeId node, GroupId group, const storage::Snapshot& snapshot, const Disk& disk,
                         const raft::Core* core);
  void on_send(NodeId node, const cluster::PeerMessage& message);
  void on_applied(NodeId node, const SimQueue& queue, const raft::Entry& entry, const cluster::Replica* replica);
  void on_restored(NodeId node, const SimQueue& queue);
  void on_turn_end(NodeId node, GroupId group, const cluster::Replica& replica);
  void on_down(NodeId node);
  void on_wiped(NodeId node) { logs_.on_wiped(node); }
  void on_closed(NodeId node, GroupId group);

  // What clients hear.
  void on_confirmed(GroupId group, const std::vector<std::uint64_t>& publications, const raft::LogPosition& position,
                    const raft::Core* core);
  void on_delivery(GroupId group, const queue::effect::Deliver& delivery, std::uint64_t publication, bool is_alone);
  /// A read that began when everything up to `floor` was committed has brought `index`.
  void on_read(GroupId group, LogIndex floor, LogIndex index);

 private:
  void advance(GroupId group, const raft::Core& core);
  void note_configuration(GroupId group, const raft::Core& core);

  Stage& stage_;
  const Harm& harm_;
  Logs::DiskOf disk_of_;
  std::map<GroupId, std::unique_ptr<Ghost>> ghosts_;
  std::map<std::pair<GroupId, raft::ReplicaId>, raft::Configuration> configurations_;  // before the event under way
  Elections elections_;
  Acknowledgements acknowledgements_;
  Logs logs_;
  States states_;
  Snapshots snapshots_;
  Sightings sightings_;
};

}  // namespace quorate::sim

#include "tests/sim/checkers/snapshots.h"

#include <fmt/format.h>

#include "tests/sim/sim_queue.h"

namespace quorate::sim {

void Snapshots::on_saved(NodeId node, GroupId group, const storage::Snapshot& snapshot, const Disk& disk, bool is_whole,
                         const Ghost& ghost) const {
  const LogIndex index = snapshot.meta.last.index;
  const auto violated = [&](std::string_view what) {
    stage_.violated(
        fmt::format("node {}: the snapshot of group {} at {}: {}", node.value(), group.value(), index.value(), what));
  };
  const Committed* committed = ghost.at(index);
  if (committed == nullptr) violated("is of entries that are not committed");
  if (committed->entry.term != snapshot.meta.last.term) violated("has another term");
  if (committed->entry.ts != snapshot.meta.ts) violated("has another time");
  if (ghost.configuration_at(index) != snapshot.meta.configuration) violated("has another configuration");
  const auto machine = queue::QueueMachine::deserialize(snapshot.state.view());
  if (!machine) violated("cannot be read");
  if (machine->applied().value() > 0 && SimQueue::checksum_of(*machine) != committed->state) {
    violated("has another state");
  }
  for (const auto& [first, last] : machine->live_entries()) {
    for (LogIndex live = first; live <= last; ++live) {
      if (!snapshot.live.contains(live)) violated("does not count an entry as live that it needs");
    }
  }
  // Entries that only peers may still ask for are in the live set as well, and may be gone.
  if (is_whole) check_live(node, group, snapshot.meta.last.index, *machine, disk);
}

void Snapshots::check_live(NodeId node, GroupId group, LogIndex index, const queue::QueueMachine& machine,
                           const Disk& disk) const {
  const GroupImage* image = disk.synced().find(group);
  for (const auto& [first, last] : machine.live_entries()) {
    for (LogIndex live = first; live <= last; ++live) {
      if (image != nullptr && image->entries.contains(live)) continue;
      stage_.violated(fmt::format("node {}: the snapshot of group {} at {} needs entry {}, which is not there",
                                  node.value(), group.value(), index.value(), live.value()));
    }
  }
}

}  // namespace quorate::sim

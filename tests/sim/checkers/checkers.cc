#include "tests/sim/checkers/checkers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/overloaded.h"

namespace quorate::sim {

void Checkers::add_group(GroupId group, const raft::Configuration& first) {
  ghosts_.emplace(group, std::make_unique<Ghost>(stage_, group, first));
}

void Checkers::advance(GroupId group, const raft::Core& core) {
  Ghost& ghost = this->ghost(group);
  LogIndex limit = core.commit_index();
  const bool is_alone = core.configuration().is_alone(core.self());
  if (is_alone) {
    // It may commit what is only written, as long as nobody waits for it: that counts when it is synced.
    const Image& synced = disk_of_(raft::node_of(core.self()))->synced();
    const GroupImage* image = synced.find(group);
    const storage::Snapshot* snapshot = synced.snapshot(group);
    LogIndex durable = image == nullptr || image->entries.empty() ? LogIndex(0) : image->entries.rbegin()->first;
    if (snapshot != nullptr) durable = std::max(durable, snapshot->meta.last.index);
    limit = std::min(limit, durable);
  }
  if (limit <= ghost.commit()) return;
  if (core.role() == raft::Role::leader && !is_alone) {
    const auto before = configurations_.find({group, core.self()});
    logs_.on_commit(group, core, limit, before == configurations_.end() ? core.configuration() : before->second);
  }
  ghost.advance(core, limit);
}

void Checkers::note_configuration(GroupId group, const raft::Core& core) {
  raft::Configuration& known = configurations_[{group, core.self()}];
  if (known != core.configuration()) known = core.configuration();
}

// --- what happens on a node ---

void Checkers::on_submit(NodeId, const storage::GroupWrite& write, const raft::Core*) {
  sightings_.on_submit(write);
  Ghost& ghost = this->ghost(write.group);
  for (const raft::Entry& entry : write.entries) ghost.note_written(entry);
}

void Checkers::on_syncing(NodeId node, const StoredWrite& write, const Disk& disk) {
  const auto ghost = ghosts_.find(write.group);
  if (ghost == ghosts_.end()) return;  // a staging group
  if (write.row) elections_.on_row(write.group, *write.row);
  logs_.on_synced(node, write, disk.synced(), *ghost->second);
}

void Checkers::on_snapshot_saved(NodeId node, GroupId group, const storage::Snapshot& snapshot, const Disk& disk,
                                 const raft::Core* core) {
  stage_.seen(Seen::snapshot_saved);
  if (core != nullptr) advance(group, *core);
  logs_.on_snapshot_saved(node, group, snapshot.meta.last.index);
  const GroupImage* image = disk.synced().find(group);
  if (image == nullptr || !image->row) return;  // dropped meanwhile
  const bool is_whole = disk.loss() == storage::Loss::none && !harm_.is_harmed(group, image->row->self);
  snapshots_.on_saved(node, group, snapshot, disk, is_whole, ghost(group));
}

void Checkers::on_send(NodeId node, const cluster::PeerMessage& message) {
  sightings_.on_send(message);
  const Disk& disk = *disk_of_(node);
  const auto* m = std::get_if<raft::Message>(&message.body);
  if (m == nullptr) return;
  std::visit(Overloaded{
                 [&](const raft::Append& b) { acknowledgements_.on_append_sent(message.group, *m, b); },
                 [&](const raft::AppendReply& b) {
                   if (b.rejected || b.recovering || harm_.is_harmed(message.group, m->from)) return;
                   acknowledgements_.on_reply_sent(message.group, *m, b, disk, ghost(message.group));
                 },
                 [&](const raft::VoteReply& b) {
                   if (b.granted) elections_.on_vote_sent(message.group, *m);
                 },
                 [](const auto&) {},
             },
             m->body);
}

void Checkers::on_applied(NodeId node, const SimQueue& queue, const raft::Entry& entry,
                          const cluster::Replica* replica) {
  bool is_alone = false;
  if (replica != nullptr && replica->is_open()) {
    advance(queue.group(), replica->core());
    is_alone = replica->core().configuration().is_alone(replica->core().self());
  }
  states_.on_applied(node, queue, entry, is_alone, ghost(queue.group()));
}

void Checkers::on_restored(NodeId node, const SimQueue& queue) {
  states_.on_restored(node, queue, ghost(queue.group()));
}

void Checkers::on_turn_end(NodeId node, GroupId group, const cluster::Replica& replica) {
  const raft::Core& core = replica.core();
  advance(group, core);
  note_configuration(group, core);
  if (core.role() == raft::Role::leader) elections_.on_leader(group, core);
  logs_.on_turn_end(node, group, core, ghost(group));
  states_.on_turn_end(node, ghost(group), group);
  sightings_.on_turn_end(node, group, replica);
}

void Checkers::on_down(NodeId node) {
  logs_.on_down(node);
  states_.on_down(node);
  sightings_.on_down(node);
}

void Checkers::on_closed(NodeId node, GroupId group) { logs_.on_closed(node, group); }

// --- what clients hear ---

void Checkers::on_confirmed(GroupId group, const std::vector<std::uint64_t>& publications,
                            const raft::LogPosition& position, const raft::Core* core) {
  if (core != nullptr) advance(group, *core);
  Ghost& ghost = this->ghost(group);
  const Committed* committed = ghost.at(position.index);
  if (committed == nullptr || committed->entry.term != position.term) {
    stage_.violated(fmt::format("group {}: a publication is confirmed in {}@{}, which is not committed", group.value(),
                                position.index.value(), position.term.value()));
  }
  for (const std::uint64_t publication : publications) ghost.history().on_confirmed(publication, position.index);
}

void Checkers::on_delivery(GroupId group, const queue::effect::Deliver& delivery, std::uint64_t publication,
                           bool is_alone) {
  ghost(group).history().on_delivery(delivery, publication, is_alone);
}

void Checkers::on_read(GroupId group, LogIndex floor, LogIndex index) {
  if (index >= floor) return;
  stage_.violated(fmt::format("group {}: a read brings {}, though {} was committed when it was asked", group.value(),
                              index.value(), floor.value()));
}

}  // namespace quorate::sim

#include "tests/sim/checkers/logs.h"

#include <fmt/format.h>

#include <algorithm>

#include "raft/print.h"
#include "raft/quorum.h"

namespace quorate::sim {

using raft::print;

void Logs::on_synced(NodeId node, const StoredWrite& write, const Image& before, const Ghost& ghost) {
  if (write.drop) bases_.erase({node, write.group});
  if (write.drop) return;
  const GroupImage* image = before.find(write.group);
  const bool is_damaged = write.row && write.row->hard_state.recovering;
  if (write.truncate_from && image != nullptr && !is_damaged) {
    const storage::Snapshot* snapshot = before.snapshot(write.group);
    for (auto at = image->entries.lower_bound(*write.truncate_from); at != image->entries.end(); ++at) {
      const Committed* committed = ghost.at(at->first);
      const bool is_covered = (snapshot != nullptr && at->first <= snapshot->meta.last.index) ||
                              (write.row && write.row->installing && at->first <= write.row->installing->index);
      if (committed == nullptr || committed->entry.term != at->second.term || is_covered) continue;
      stage_.violated(fmt::format("group {}: the committed entry {}@{} is cut off a log", write.group.value(),
                                  at->first.value(), at->second.term.value()));
    }
  }
  check_contiguity(node, write, before);
}

void Logs::check_contiguity(NodeId node, const StoredWrite& write, const Image& before) const {
  const GroupImage* image = before.find(write.group);
  const bool in_swap =
      (image != nullptr && image->row && image->row->installing) || (write.row && write.row->installing);
  if (in_swap || write.entries.empty()) return;
  const storage::Snapshot* snapshot = before.snapshot(write.group);
  LogIndex base = snapshot == nullptr ? LogIndex(0) : snapshot->meta.last.index;
  if (const auto known = bases_.find({node, write.group}); known != bases_.end()) base = std::max(base, known->second);
  LogIndex last = image == nullptr || image->entries.empty() ? LogIndex(0) : image->entries.rbegin()->first;
  if (write.truncate_from && *write.truncate_from <= last) last = LogIndex(write.truncate_from->value() - 1);
  last = std::max(last, base);
  for (const auto& [index, entry] : write.entries) {
    const bool is_rewrite = index <= last;
    if (is_rewrite && image != nullptr) {
      const auto old = image->entries.find(index);
      if (old != image->entries.end() && old->second.term == entry.term) continue;
      if (old == image->entries.end() && index <= base) continue;  // a live entry that was lost comes back
    }
    if (index != last.plus(1)) {
      stage_.violated(fmt::format("group {}: entry {}@{} is written to a log that ends with {}", write.group.value(),
                                  index.value(), entry.term.value(), last.value()));
    }
    last = index;
  }
}

void Logs::on_turn_end(NodeId node, GroupId group, const raft::Core& core, const Ghost& ghost) {
  Past& past = seen_[{node, group}];
  const LogIndex commit = core.commit_index();
  if (commit < past.commit || commit > core.last_index()) {
    stage_.violated(fmt::format("group {}: {} believes {} committed after {}, and its log ends with {}", group.value(),
                                print(core.self()), commit.value(), past.commit.value(), core.last_index().value()));
  }
  past.commit = commit;
  const Committed* committed = ghost.at(commit);
  const auto term = core.log().term_at(commit);
  if (committed != nullptr && term && *term != committed->entry.term) {
    stage_.violated(fmt::format("group {}: {} believes {}@{} committed, but that is {}@{}", group.value(),
                                print(core.self()), commit.value(), term->value(), commit.value(),
                                committed->entry.term.value()));
  }
  if (core.role() != raft::Role::leader) return;
  if (past.led_term == core.term() && core.last_index() < past.led_last) {
    stage_.violated(fmt::format("leader append-only: group {}: {} in term {} has shortened its log", group.value(),
                                print(core.self()), core.term().value()));
  }
  past.led_term = core.term();
  past.led_last = core.last_index();
  // Leader completeness: what was committed in its term or before is in its log.
  for (LogIndex index = ghost.commit(); index.value() > 0; index = LogIndex(index.value() - 1)) {
    const Committed& entry = *ghost.at(index);
    if (entry.seen_in > core.term()) continue;
    const bool has = index <= core.log().base().index || core.log().term_at(index) == entry.entry.term;
    if (has) break;
    stage_.violated(fmt::format("leader completeness: group {}: {} leads term {} without {}@{}, committed in term {}",
                                group.value(), print(core.self()), core.term().value(), index.value(),
                                entry.entry.term.value(), entry.seen_in.value()));
  }
}

void Logs::on_commit(GroupId group, const raft::Core& core, LogIndex index, const raft::Configuration& before) const {
  const auto term = core.log().term_at(index);
  if (term != core.term()) {
    stage_.violated(fmt::format("group {}: {} in term {} commits {}@{} by itself", group.value(), print(core.self()),
                                core.term().value(), index.value(), term.value_or(Term(0)).value()));
  }
  const auto has = [&](raft::ReplicaId replica) {
    if (harm_.is_harmed(group, replica)) return true;  // it did, once
    const Disk* disk = disk_of_(raft::node_of(replica));
    if (disk == nullptr) return false;
    const GroupImage* image = disk->synced().find(group);
    if (image == nullptr || !image->row || image->row->self != replica) return false;
    const storage::Snapshot* snapshot = disk->synced().snapshot(group);
    return (snapshot != nullptr && snapshot->meta.last.index >= index) || disk->synced().term_at(group, index) == term;
  };
  if (raft::is_quorum(core.configuration(), has) || raft::is_quorum(before, has)) return;
  stage_.violated(fmt::format("group {}: {} commits {}@{} that is not on the disks of a quorum", group.value(),
                              print(core.self()), index.value(), term->value()));
}

void Logs::on_down(NodeId node) {
  std::erase_if(seen_, [&](const auto& entry) { return entry.first.first == node; });
}

}  // namespace quorate::sim

#include "tests/sim/checkers/acknowledgements.h"

#include <fmt/format.h>

#include "raft/print.h"

namespace quorate::sim {

using raft::print;

void Acknowledgements::note(GroupId group, Term term, const raft::LogPosition& position) {
  const auto [at, added] = shown_.try_emplace({group, term, position.index}, position.term);
  if (at->second == position.term) return;
  stage_.violated(fmt::format("leader append-only: group {}: the leader of term {} had entry {}@{} and has {}@{}",
                              group.value(), term.value(), position.index.value(), at->second.value(),
                              position.index.value(), position.term.value()));
}

void Acknowledgements::on_append_sent(GroupId group, const raft::Message& message, const raft::Append& append) {
  note(group, message.term, append.prev);
  for (const raft::Entry& entry : append.entries) {
    note(group, message.term, {.index = entry.index, .term = entry.term});
  }
}

void Acknowledgements::on_reply_sent(GroupId group, const raft::Message& message, const raft::AppendReply& reply,
                                     const Disk& disk, const Ghost& ghost) const {
  if (reply.index.value() == 0) return;
  const storage::Snapshot* snapshot = disk.synced().snapshot(group);
  const bool is_in_snapshot = snapshot != nullptr && reply.index <= snapshot->meta.last.index;
  const auto shown = shown_.find({group, message.term, reply.index});
  const Committed* committed = ghost.at(reply.index);
  // A swap that has begun will be finished, and its snapshot is durable under the staging group's name.
  const GroupImage* image = disk.synced().find(group);
  const bool is_in_swap =
      image != nullptr && image->row && image->row->installing && reply.index <= image->row->installing->index;
  if ((is_in_snapshot || is_in_swap) && committed != nullptr) return;
  if (shown == shown_.end() && committed == nullptr) {
    stage_.violated(fmt::format("group {}: {} acknowledges entry {} that no leader of term {} has sent", group.value(),
                                print(message.from), reply.index.value(), message.term.value()));
  }
  const Term expected = shown != shown_.end() ? shown->second : committed->entry.term;
  if (disk.synced().term_at(group, reply.index) == expected) return;
  stage_.violated(
      fmt::format("acknowledgement truthfulness: group {}: {} acknowledges {}@{} in term {}; its disk has {}",
                  group.value(), print(message.from), reply.index.value(), expected.value(), message.term.value(),
                  disk.synced().term_at(group, reply.index).value_or(Term(0)).value()));
}

}  // namespace quorate::sim

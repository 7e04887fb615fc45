#include "tests/sim/checkers/states.h"

#include <fmt/format.h>

namespace quorate::sim {

void States::compare(NodeId node, GroupId group, const raft::Entry& entry, std::uint32_t state,
                     const Committed& committed) const {
  if (committed.entry != entry) {
    stage_.violated(fmt::format("state machine safety: node {} applies {}@{} of group {}, but {}@{} is committed there",
                                node.value(), entry.index.value(), entry.term.value(), group.value(),
                                entry.index.value(), committed.entry.term.value()));
  }
  if (committed.state != state) {
    stage_.violated(fmt::format("node {}: the queue of group {} is in another state after entry {} than others",
                                node.value(), group.value(), entry.index.value()));
  }
}

void States::on_applied(NodeId node, const SimQueue& queue, const raft::Entry& entry, bool is_alone,
                        const Ghost& ghost) {
  const std::uint32_t state = queue.state_checksum();
  const Committed* committed = ghost.at(entry.index);
  if (committed != nullptr) return compare(node, queue.group(), entry, state, *committed);
  if (!is_alone) {
    stage_.violated(fmt::format("node {} applies {}@{} of group {}, which is not committed", node.value(),
                                entry.index.value(), entry.term.value(), queue.group().value()));
  }
  ahead_[{node, queue.group()}].push_back({.entry = entry, .state = state});
}

void States::on_turn_end(NodeId node, const Ghost& ghost, GroupId group) {
  const auto at = ahead_.find({node, group});
  if (at == ahead_.end()) return;
  std::vector<Ahead>& waiting = at->second;
  std::size_t count = 0;
  while (count < waiting.size() && waiting[count].entry.index <= ghost.commit()) {
    compare(node, group, waiting[count].entry, waiting[count].state, *ghost.at(waiting[count].entry.index));
    ++count;
  }
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
  if (waiting.empty()) ahead_.erase(at);
}

void States::on_restored(NodeId node, const SimQueue& queue, const Ghost& ghost) {
  const LogIndex applied = queue.machine().applied();
  if (applied > ghost.commit() || applied.value() == 0) return;
  if (ghost.state_at(applied) == queue.state_checksum()) return;
  stage_.violated(fmt::format("node {}: a snapshot of group {} at {} is not the state there", node.value(),
                              queue.group().value(), applied.value()));
}

void States::on_down(NodeId node) {
  std::erase_if(ahead_, [&](const auto& entry) { return entry.first.first == node; });
}

}  // namespace quorate::sim

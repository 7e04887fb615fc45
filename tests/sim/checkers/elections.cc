#include "tests/sim/checkers/elections.h"

#include <fmt/format.h>

#include "raft/print.h"
#include "raft/quorum.h"

namespace quorate::sim {

using raft::print;

void Elections::on_row(GroupId group, const storage::GroupRow& row) {
  const raft::HardState& state = row.hard_state;
  Promise& before = promises_[{group, row.self}];
  const bool is_broken =
      state.term < before.term ||
      (state.term == before.term && before.voted_for != raft::kNoReplica && state.voted_for != before.voted_for);
  if (is_broken) {
    stage_.violated(fmt::format("group {}: replica {} takes a promise back: term {} vote {} after term {} vote {}",
                                group.value(), print(row.self), state.term.value(), print(state.voted_for),
                                before.term.value(), print(before.voted_for)));
  }
  before = {.term = state.term, .voted_for = state.voted_for};
  if (state.voted_for != raft::kNoReplica) votes_[{group, state.term}][row.self] = state.voted_for;
}

bool Elections::on_leader(GroupId group, const raft::Core& core) {
  const auto [at, added] = leaders_.try_emplace({group, core.term()}, core.self());
  if (at->second != core.self()) {
    stage_.violated(fmt::format("election safety: group {} has two leaders in term {}: {} and {}", group.value(),
                                core.term().value(), print(at->second), print(core.self())));
  }
  if (!added) return false;
  const auto& votes = votes_[{group, core.term()}];
  const bool is_elected = raft::is_quorum(core.configuration(), [&](raft::ReplicaId voter) {
    const auto vote = votes.find(voter);
    return vote != votes.end() && vote->second == core.self();
  });
  if (!is_elected) {
    stage_.violated(fmt::format("group {}: {} leads term {} without a quorum of durable votes", group.value(),
                                print(core.self()), core.term().value()));
  }
  return true;
}

void Elections::on_vote_sent(GroupId group, const raft::Message& message) const {
  const auto votes = votes_.find({group, message.term});
  const bool is_durable =
      votes != votes_.end() && votes->second.contains(message.from) && votes->second.at(message.from) == message.to;
  if (!is_durable) {
    stage_.violated(fmt::format("vote truthfulness: group {}: {} grants {} a vote in term {} that is not on its disk",
                                group.value(), print(message.from), print(message.to), message.term.value()));
  }
}

}  // namespace quorate::sim

#include "tests/sim/checkers/ghost.h"

#include <fmt/format.h>

#include "raft/configuration.h"
#include "tests/sim/sim_queue.h"

namespace quorate::sim {

void Ghost::note_written(const raft::Entry& entry) {
  const auto [at, added] = written_.try_emplace({entry.index, entry.term}, entry);
  if (added || at->second == entry) return;
  stage_.violated(fmt::format("log matching: group {} has two entries {}@{}", group_.value(), entry.index.value(),
                              entry.term.value()));
}

const raft::Entry* Ghost::written(LogIndex index, Term term) const {
  const auto at = written_.find({index, term});
  return at == written_.end() ? nullptr : &at->second;
}

void Ghost::advance(const raft::Core& core, LogIndex limit) {
  while (commit() < limit) {
    const LogIndex index = commit().plus(1);
    const auto term = core.log().term_at(index);
    if (!term)
      stage_.violated(fmt::format("group {}: entry {} is committed and nobody has it", group_.value(), index.value()));
    const raft::Entry* entry = written(index, *term);
    if (entry == nullptr) {
      stage_.violated(fmt::format("group {}: entry {}@{} is committed and was never written", group_.value(),
                                  index.value(), term->value()));
    }
    if (entry->type == raft::EntryType::command) {
      queue::Effects effects;
      if (!machine_.apply(index, entry->ts, entry->payload.view(), effects)) {
        stage_.violated(fmt::format("group {}: entry {} cannot be applied", group_.value(), index.value()));
      }
      state_ = SimQueue::checksum_of(machine_);
      history_.on_committed(*entry, effects, machine_);
    } else if (entry->type == raft::EntryType::config) {
      configurations_.emplace_back(index, raft::decode_configuration(entry->payload.view()).value());
    }
    log_.push_back({.entry = *entry, .seen_in = core.term(), .state = state_});
  }
}

std::uint32_t Ghost::state_at(LogIndex index) const { return index.value() == 0 ? 0 : at(index)->state; }

const raft::Configuration& Ghost::configuration_at(LogIndex index) const {
  auto at = configurations_.rbegin();
  while (at->first > index) ++at;
  return at->second;
}

}  // namespace quorate::sim

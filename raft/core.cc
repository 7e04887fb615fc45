#include "raft/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::raft {

Core::Core(const Options& options)
    : self_(options.self),
      voters_(options.voters),
      hard_state_(options.hard_state),
      last_(options.last),
      last_ts_(options.last_ts),
      durable_{.term = options.last.term, .index = options.last.index},
      commit_(options.snapshot) {
  CHECK_NE(self_, kNoReplica);
  CHECK(is_alone());
  CHECK_LE(commit_, last_.index);
  CHECK_LE(last_.term, hard_state_.term);
}

void Core::step(WallTime wall, Input input, Output& out) {
  if (failed_) {
    out.refused |= std::holds_alternative<Propose>(input);
    return;
  }
  std::visit([&](auto& alternative) { on(alternative, wall, out); }, input);
  CHECK_LE(durable_.index, last_.index);
  CHECK_LE(commit_, durable_.index);
}

void Core::on(const Campaign&, WallTime, Output& out) {
  if (role_ == Role::leader) return;
  role_ = Role::candidate;
  ++hard_state_.term;
  hard_state_.voted_for = self_;
  // The candidate's own vote counts once it is durable, which the mark of this append will report.
  if (!out.append) out.append.emplace();
  out.append->hard_state = hard_state_;
  out.append->mark = {.term = hard_state_.term, .index = last_.index};
}

void Core::on(Propose& propose, WallTime wall, Output& out) {
  if (role_ != Role::leader) {
    out.refused = true;
    return;
  }
  append(propose.type, std::move(propose.payload), wall, out);
}

void Core::on(const AppendDone& done, WallTime wall, Output& out) {
  if (done.mark.term != hard_state_.term) return;  // of a log that has been left behind
  CHECK_LE(done.mark.index, last_.index);
  CHECK_GE(done.mark.index, durable_.index);
  durable_ = done.mark;
  if (role_ == Role::candidate) become_leader(wall, out);
  // Only an entry of the leader's own term commits by counting (Raft §5.4.2); what lies before it follows.
  if (role_ == Role::leader && durable_.index >= term_start_) commit_ = std::max(commit_, durable_.index);
}

void Core::on(const AppendFailed&, WallTime, Output&) {
  failed_ = true;
  role_ = Role::follower;
}

void Core::become_leader(WallTime wall, Output& out) {
  role_ = Role::leader;
  out.became_leader = true;
  term_start_ = last_.index.plus(1);
  append(EntryType::noop, Bytes{}, wall, out);
}

void Core::append(EntryType type, Bytes payload, WallTime wall, Output& out) {
  last_ts_ = std::max(last_ts_, wall);
  last_ = {.index = last_.index.plus(1), .term = hard_state_.term};
  if (!out.append) out.append.emplace();
  out.append->entries.push_back(
      {.index = last_.index, .term = last_.term, .type = type, .ts = last_ts_, .payload = std::move(payload)});
  out.append->mark = {.term = last_.term, .index = last_.index};
}

}  // namespace quorate::raft

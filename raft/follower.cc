// Following a leader: taking its entries, sleeping when it says so, replacing the log by its snapshot.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/configuration.h"
#include "raft/core.h"

namespace quorate::raft {
namespace {

bool is_well_formed(const Append& append) {
  LogPosition before = append.prev;
  for (const Entry& entry : append.entries) {
    if (entry.index != before.index.plus(1) || entry.term < before.term) return false;
    if (entry.type == EntryType::config && !decode_configuration(entry.payload.view())) return false;
    before = {.index = entry.index, .term = entry.term};
  }
  return true;
}

}  // namespace

void Core::hear_from_leader(ReplicaId leader) {
  CHECK(leader_ == kNoReplica || leader_ == leader);  // election safety: one leader a term
  leader_ = leader;
  contact_at_ = times_.now;
  steady_ = false;
  schedule_election(timing_.election_min, timing_.election_min);
}

void Core::receive(const Message& message, const Append& body, Output& out) {
  CHECK(role_ != Role::leader);
  if (!is_well_formed(body) || (!body.entries.empty() && body.entries.back().term > message.term)) return;
  if (role_ != Role::follower) become_follower(hard_state_.term, message.from, out);
  hear_from_leader(message.from);
  // What is committed stays true; the rest waits until the swap is done and the leader's next probe finds where to go
  // on.
  if (installing_) return acknowledge(message.from, commit_, body.round, out);
  if (body.recover && !hard_state_.recovering) begin_recovery(out);
  const bool is_contact = hard_state_.recovering && recover_term_ != message.term && body.heard > recovery_ordinal_;
  if (is_contact) {
    recover_term_ = message.term;
    recover_until_ = body.leader_last;
    recovered_to_ = commit_;
  }
  if (body.prev.index < commit_) {
    // What is committed stands in every leader's log. The entries in hand may begin there and reach further.
    const bool reaches_further = !body.entries.empty() && body.entries.back().index > commit_;
    if (!reaches_further) return acknowledge(message.from, commit_, body.round, out);
  } else if (!log_.contains(body.prev)) {
    const LogPosition hint =
        log_.last_not_after({.index = std::min(body.prev.index, log_.last().index), .term = body.prev.term});
    hold(message.from,
         AppendReply{.rejected = true,
                     .index = body.prev.index,
                     .hint = hint,
                     .round = body.round,
                     .ordinal = ++ordinal_,
                     .recovering = hard_state_.recovering,
                     .machine_version = machine_version_},
         LogIndex(0), out);
    return;
  }
  const LogIndex matched = take_entries(body, out);
  // Never more than this message has proved to be the leader's log: an own tail may still be another's (raft.md B1).
  commit_ = std::max(commit_, std::min(body.commit, matched));
  acknowledge(message.from, matched, body.round, out);
}

/// Up to where the log is now known to be the leader's.
LogIndex Core::take_entries(const Append& append, Output& out) {
  LogIndex matched = append.prev.index;
  for (const Entry& entry : append.entries) {
    matched = entry.index;
    if (entry.index <= log_.base().index) continue;
    const std::optional<Term> own = log_.term_at(entry.index);
    if (own == entry.term) continue;
    if (own) {  // only a proven conflict takes entries back; an overtaken message proves nothing (raft.md B11)
      CHECK_GT(entry.index, commit_);
      CHECK_LT(mark_term_, hard_state_.term);
      log_.truncate(entry.index);
      configs_.truncate(entry.index);
      durable_ = std::min(durable_, log_.last().index);
      LogWrite& truncation = write(out);
      CHECK(truncation.entries.empty());
      truncation.truncate_from = entry.index;
    }
    if (entry.type == EntryType::config) configs_.append(entry.index, *decode_configuration(entry.payload.view()));
    last_ts_ = std::max(last_ts_, entry.ts);
    append_to_log(entry, out);
  }
  return matched;
}

void Core::acknowledge(ReplicaId leader, LogIndex index, std::uint64_t round, Output& out) {
  if (recover_term_ == hard_state_.term) recovered_to_ = std::max(recovered_to_, index);
  consider_recovered(out);
  hold(leader,
       AppendReply{.index = index,
                   .round = round,
                   .ordinal = ++ordinal_,
                   .recovering = hard_state_.recovering,
                   .machine_version = machine_version_},
       index, out);
}

// --- recovery: entries were lost, promises were not (raft.md §2.15) ---

void Core::begin_recovery(Output& out) {
  hard_state_.recovering = true;
  recover_term_ = Term(0);
  recovery_ordinal_ = ordinal_;
  save_hard_state(out);
}

/// Every acknowledgement this replica ever gave was to a leader of this term or an older one, and this leader's log at
/// first contact contained whatever such acknowledgements helped to commit. Holding that, it has lost nothing any more.
void Core::consider_recovered(Output& out) {
  if (!hard_state_.recovering || recover_term_ != hard_state_.term || recover_term_ == Term(0)) return;
  if (std::min(durable_, recovered_to_) < recover_until_) return;
  hard_state_.recovering = false;
  save_hard_state(out);
  schedule_election(timing_.election_min, timing_.election_min);
}

// --- sleep ---

void Core::receive(const Message& message, const Steady& body, Output& out) {
  CHECK(role_ != Role::leader);
  if (role_ != Role::follower) become_follower(hard_state_.term, message.from, out);
  const bool agrees = (leader_ == kNoReplica || leader_ == message.from) && commit_ == body.commit &&
                      log_.last().index == commit_ && durable_ == commit_ && !installing_ && !hard_state_.recovering &&
                      is_live(message.from) &&
                      std::ranges::none_of(body.dead, [&](ReplicaId dead) { return is_live(dead); });
  hear_from_leader(message.from);
  if (agrees) {
    steady_ = true;
    dead_ = body.dead;
    held_.shrink_to_fit();
  }
  hold(message.from, SteadyReply{.agreed = agrees, .commit = body.commit}, LogIndex(0), out);
}

void Core::receive(const Message& message, const Unsteady&, Output& out) {
  send(message.from, UnsteadyReply{}, out);
  if (leader_ != message.from || role_ == Role::leader) return;
  steady_ = false;
  leader_ = kNoReplica;
  schedule_election(Duration{0}, timing_.wake_spread);
}

void Core::receive(const Message& message, const UnsteadyReply&, Output&) { std::erase(unsteady_to_, message.from); }

/// Woken without news: the leader is asked first, and only its silence leads to an election.
void Core::wake_follower(Output& out) {
  steady_ = false;
  contact_at_ = times_.now;
  schedule_election(timing_.election_min, timing_.election_min);
  send(leader_, Wake{}, out);
}

// --- a snapshot in place of the log (raft.md §2.11) ---

void Core::on(SnapshotStaged& input, Output& out) {
  const SnapshotMeta& meta = input.meta;
  if (input.term > hard_state_.term) become_follower(input.term, input.from, out);
  if (role_ != Role::follower || installing_) return;
  if (meta.last.index <= commit_) {  // overtaken by the log
    acknowledge(input.from, commit_, 0, out);
    return;
  }
  installing_ = meta;
  install_from_ = input.from;
  out.install = Install{.meta = meta, .keeps_tail = log_.contains(meta.last), .truncate_from = commit_.plus(1)};
}

void Core::on(Installed& input, Output& out) {
  CHECK(installing_.has_value());
  const SnapshotMeta meta = *std::exchange(installing_, std::nullopt);
  CHECK(meta.last == input.position);
  if (!input.ok) return;
  CHECK_GT(meta.last.index, commit_);
  if (log_.contains(meta.last)) {
    configs_.compact(meta.last.index);
    log_.compact(meta.last);
  } else {
    log_.reset(meta.last);
    configs_.reset(meta.last.index, meta.configuration);
    durable_ = meta.last.index;
    mark_term_ = hard_state_.term;  // marks still under way speak of the log that was
  }
  durable_ = std::max(durable_, meta.last.index);
  last_ts_ = std::max(last_ts_, meta.ts);
  commit_ = applied_ = meta.last.index;
  if (leader_ == install_from_) acknowledge(install_from_, commit_, 0, out);
}

// --- reads ---

void Core::receive(const Message&, const ReadReply& body, Output& out) {
  out.reads.push_back({.token = body.token, .index = body.index});
}

}  // namespace quorate::raft

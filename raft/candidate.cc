// Standing for election, and voting in others'.
#include <algorithm>

#include "raft/core.h"
#include "raft/quorum.h"

namespace quorate::raft {

/// A replica that cannot apply what is in the log would lead a group that stands still.
bool Core::may_campaign() const {
  // Who is being removed may be the only one with a log long enough, until the removal is known to be committed
  // (Ongaro 2014, §4.2.2). After a restart little is known.
  const bool is_voter = configs_.has_voter_since(commit_, self_);
  return is_voter && !hard_state_.recovering && !installing_ && machine_version_ >= configuration().machine_version;
}

/// Somebody leads, as far as this replica can tell: no reason for an election.
bool Core::has_lease() const {
  if (leader_ == kNoReplica) return false;
  if (leader_ == self_ || steady_) return true;
  return times_.now - contact_at_ < timing_.election_min;
}

bool Core::is_up_to_date(LogPosition last) const {
  const LogPosition own = log_.last();
  return last.term > own.term || (last.term == own.term && last.index >= own.index);
}

void Core::on(Campaign&, Output& out) {
  if (role_ == Role::leader || !may_campaign()) return;
  if (is_alone()) {
    campaign(false, out);
  } else {
    ask_for_pre_votes(out);
  }
}

void Core::ask_for_pre_votes(Output& out) {
  if (is_alone()) return campaign(false, out);
  become_follower(hard_state_.term, kNoReplica, out);
  role_ = Role::pre_candidate;
  votes_[self_] = true;  // promises nothing, so nothing has to be durable
  const PreVote question{.last = log_.last(), .machine_version = machine_version_};
  for (const ReplicaId member : configuration().members()) {
    if (member != self_) send(member, hard_state_.term.plus(1), question, out);
  }
  count_votes(out);
}

void Core::campaign(bool is_transfer, Output& out) {
  become_follower(hard_state_.term.plus(1), kNoReplica, out);
  role_ = Role::candidate;
  hard_state_.voted_for = self_;
  save_hard_state(out);
  const Vote question{.last = log_.last(), .machine_version = machine_version_, .transfer = is_transfer};
  for (const ReplicaId member : configuration().members()) {
    if (member != self_) hold(member, question, log_.last().index, out);
  }
}

void Core::count_votes(Output& out) {
  const Tally result = tally(configuration(), votes_);
  if (result == Tally::pending) return;
  if (result == Tally::lost) {
    become_follower(hard_state_.term, kNoReplica, out);
  } else if (role_ == Role::pre_candidate) {
    campaign(false, out);
  } else {
    become_leader(out);
  }
}

/// Whatever the answer, it changes nothing here (raft.md B19).
void Core::receive(const Message& message, const PreVote& body, Output& out) {
  const bool granted = message.term > hard_state_.term && is_up_to_date(body.last) && !has_lease() &&
                       !hard_state_.recovering && body.machine_version >= configuration().machine_version;
  if (granted) {
    send(message.from, message.term, PreVoteReply{.granted = true}, out);
  } else {
    hold(message.from, PreVoteReply{.granted = false}, LogIndex(0), out);
  }
  if (!configuration().is_member(message.from)) return;  // removed while it was away: nobody has to wake for it
  if (role_ == Role::leader) {                           // whoever asks has not heard of us
    wake_leader();
    leadership_->heartbeat_now = true;
  } else if (steady_ && leader_ != kNoReplica) {
    wake_follower(out);
  }
}

void Core::receive(const Message& message, const PreVoteReply& body, Output& out) {
  if (role_ != Role::pre_candidate) return;
  if (body.granted && message.term != hard_state_.term.plus(1)) return;
  votes_[message.from] = body.granted;
  count_votes(out);
}

void Core::receive(const Message& message, const Vote& body, Output& out) {
  const bool is_free =
      hard_state_.voted_for == message.from || (hard_state_.voted_for == kNoReplica && leader_ == kNoReplica);
  const bool granted = is_free && is_up_to_date(body.last) && !hard_state_.recovering &&
                       body.machine_version >= configuration().machine_version;
  if (granted && hard_state_.voted_for == kNoReplica) {
    hard_state_.voted_for = message.from;
    save_hard_state(out);
    schedule_election(timing_.election_min, timing_.election_min);
  }
  hold(message.from, VoteReply{.granted = granted}, LogIndex(0), out);
}

void Core::receive(const Message& message, const VoteReply& body, Output& out) {
  if (role_ != Role::candidate) return;
  votes_[message.from] = body.granted;
  count_votes(out);
}

void Core::receive(const Message& message, const TimeoutNow&, Output& out) {
  if (role_ == Role::leader || message.from != leader_ || !may_campaign()) return;
  campaign(true, out);
}

}  // namespace quorate::raft

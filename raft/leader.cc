// Leading: proposals, commit, heartbeats and CheckQuorum, reads, handing over, and letting the group sleep.
#include <algorithm>
#include <utility>

#include "raft/configuration.h"
#include "raft/core.h"
#include "raft/quorum.h"

namespace quorate::raft {

void Core::become_leader(Output& out) {
  role_ = Role::leader;
  leader_ = self_;
  steady_ = false;
  out.became_leader = true;
  leadership_ = std::make_unique<Leadership>();
  leadership_->heartbeat_due = times_.now + timing_.heartbeat;
  leadership_->news_at = times_.now;
  adopt_configuration();
  term_start_ = log_.last().index.plus(1);
  append_own(EntryType::noop, Bytes{}, out);
}

void Core::end_leadership(Output& out) {
  out.stepped_down = true;
  steady_ = false;
  if (leadership_->steady_offered) {
    for (const Progress& peer : leadership_->peers) unsteady_to_.push_back(peer.replica());
    unsteady_due_ = times_.now;
  }
  leadership_.reset();
  log_.trim(spare_entries(), log_.tail_bytes());
}

void Core::append_own(EntryType type, Bytes payload, Output& out) {
  last_ts_ = std::max(last_ts_, times_.wall);
  const std::size_t bytes = payload.size();
  const LogIndex index = log_.last().index.plus(1);
  append_to_log({.index = index, .term = hard_state_.term, .type = type, .ts = last_ts_, .payload = std::move(payload)},
                out);
  wake_leader();
  if (is_alone()) return;
  leadership_->uncommitted.push_back({.index = index, .bytes = bytes});
  leadership_->uncommitted_bytes += bytes;
}

void Core::on(Propose& input, Output& out) {
  if (role_ != Role::leader) {
    out.refused = Refusal::not_leader;
  } else if (leadership_->transferee != kNoReplica) {
    out.refused = Refusal::transferring;
  } else if (leadership_->uncommitted_bytes >= limits_.uncommitted_max_bytes ||
             leadership_->uncommitted.size() >= limits_.uncommitted_max_entries) {
    out.refused = Refusal::busy;
  } else {
    append_own(EntryType::command, std::move(input.payload), out);
  }
}

/// Only an entry of the leader's own term commits by counting (Raft §5.4.2); what lies before it follows.
void Core::consider_commit(Output& out) {
  const LogIndex index = quorum_index(configuration(), [&](ReplicaId voter) {
    if (voter == self_) return durable_;
    const Progress* peer = find_peer(voter);
    return peer != nullptr && peer->counts() ? peer->match() : LogIndex(0);
  });
  if (index <= commit_ || index < term_start_) return;
  commit_ = index;
  after_commit(out);
}

void Core::after_commit(Output& out) {
  Fifo<Uncommitted>& uncommitted = leadership_->uncommitted;
  while (!uncommitted.empty() && uncommitted.front().index <= commit_) {
    leadership_->uncommitted_bytes -= uncommitted.front().bytes;
    uncommitted.pop_front();
  }
  for (Read& read : std::exchange(leadership_->unready, {})) take_read(std::move(read), out);
  if (configs_.current_index() > commit_) return;
  if (configuration().is_joint()) {
    append_configuration(leave_joint(configuration()), out);
  } else if (!configuration().is_voter(self_)) {
    hand_over(out);  // it has led to the end of its own removal and not further
    become_follower(hard_state_.term, kNoReplica, out);
  } else {
    consider_machine_version(out);
  }
}

// --- time ---

void Core::leader_deadline(Output& out) {
  if (leadership_->transferee != kNoReplica && times_.now >= leadership_->transfer_due) {
    leadership_->transferee = kNoReplica;  // it did not come about; proposals are welcome again
  }
  if (times_.now < leadership_->heartbeat_due) return;
  if (!hears_quorum()) return become_follower(hard_state_.term, kNoReplica, out);  // CheckQuorum
  leadership_->heartbeat_due = times_.now + timing_.heartbeat;
  leadership_->heartbeat_now = true;
  for (Progress& peer : leadership_->peers) peer.renew_probe();
  consider_promotion(out);
  consider_machine_version(out);
  consider_steady(out);
}

bool Core::hears_quorum() const {
  return is_quorum(configuration(), [&](ReplicaId voter) {
    if (voter == self_) return true;
    const Progress* peer = progress(voter);
    if (peer == nullptr) return false;
    return (peer->steady && peer->live) || times_.now - peer->heard_at <= timing_.election_min;
  });
}

/// Lets the clocks rest when everybody who can hear has everything and nothing is under way.
void Core::consider_steady(Output& out) {
  Leadership& lead = *leadership_;
  const bool is_quiet = times_.now - lead.news_at >= timing_.idle && commit_ == log_.last().index &&
                        applied_ == commit_ && durable_ == commit_ && configs_.current_index() <= commit_ &&
                        !configuration().is_joint() && lead.transferee == kNoReplica && lead.reads.empty() &&
                        lead.unready.empty();
  if (!is_quiet) return;
  Steady steady{.commit = commit_};
  bool all_agree = true;
  for (const Progress& peer : lead.peers) {
    if (!peer.live) {
      steady.dead.push_back(peer.replica());
      continue;
    }
    const bool has_all = peer.state() == Progress::State::replicate && peer.match() == commit_ &&
                         peer.sent_commit == commit_ && peer.counts();
    const bool is_joining = std::ranges::binary_search(configuration().joining, peer.replica());
    if (!has_all || is_joining) return;
    all_agree &= peer.steady;
  }
  const bool has_quorum = is_quorum(configuration(), [&](ReplicaId voter) {
    const Progress* peer = progress(voter);
    return voter == self_ || (peer != nullptr && peer->live);
  });
  if (!has_quorum) return;
  if (all_agree) {
    steady_ = true;
    lead.heartbeat_now = false;
    log_.trim(applied_, log_.tail_bytes());
    return;
  }
  lead.steady_offered = true;
  lead.heartbeat_now = false;
  for (const Progress& peer : lead.peers) {
    if (!peer.live) continue;
    if (peer.steady) continue;
    send(peer.replica(), steady, out);
  }
}

/// There is work, or there may be: everybody is told again and counted again.
void Core::wake_leader() {
  Leadership& lead = *leadership_;
  lead.news_at = times_.now;
  for (Progress& peer : lead.peers) {
    if (std::exchange(peer.steady, false)) peer.heard_at = times_.now;  // its silence was asked for
  }
  if (!std::exchange(steady_, false)) return;
  lead.heartbeat_now = true;
  lead.heartbeat_due = times_.now + timing_.heartbeat;
}

void Core::receive(const Message& message, const Wake&, Output& out) {
  if (role_ == Role::leader) {
    wake_leader();
    leadership_->heartbeat_now = true;
  } else {
    send(message.from, Unsteady{}, out);
  }
}

// --- reads (Ongaro 2014, §6.4) ---

void Core::on(ReadIndex& input, Output& out) {
  if (role_ == Role::leader) {
    take_read({.from = self_, .token = input.token}, out);
  } else if (leader_ != kNoReplica) {
    send(leader_, ReadRequest{.token = input.token}, out);
  } else {
    out.refused = Refusal::not_leader;
  }
}

void Core::receive(const Message& message, const ReadRequest& body, Output& out) {
  if (role_ == Role::leader) take_read({.from = message.from, .token = body.token}, out);
}

/// A new round for each turn's reads: an answer to an older round proves nothing about now.
void Core::take_read(Read read, Output& out) {
  if (commit_ < term_start_) {
    leadership_->unready.push_back(read);  // the commit index of older terms may be behind
    return;
  }
  wake_leader();
  read.index = commit_;
  read.round = ++leadership_->round;
  leadership_->reads.push_back(read);
  leadership_->heartbeat_now = true;
  answer_reads(out);
}

void Core::answer_reads(Output& out) {
  std::vector<Read>& reads = leadership_->reads;
  const auto is_confirmed = [&](const Read& read) {
    return is_quorum(configuration(), [&](ReplicaId voter) {
      const Progress* peer = progress(voter);
      return voter == self_ || (peer != nullptr && peer->round >= read.round);
    });
  };
  std::size_t answered = 0;
  for (; answered < reads.size() && is_confirmed(reads[answered]); ++answered) {
    const Read& read = reads[answered];
    if (read.from == self_) {
      out.reads.push_back({.token = read.token, .index = read.index});
    } else {
      send(read.from, ReadReply{.token = read.token, .index = read.index}, out);
    }
  }
  reads.erase(reads.begin(), reads.begin() + static_cast<std::ptrdiff_t>(answered));
}

// --- handing over (Ongaro 2014, §3.10) ---

void Core::on(TransferTo& input, Output& out) {
  if (role_ != Role::leader) {
    out.refused = Refusal::not_leader;
    return;
  }
  Progress* peer = find_peer(input.replica);
  const bool is_possible =
      peer != nullptr && std::ranges::binary_search(configuration().voters, input.replica) && peer->counts();
  if (!is_possible) {
    out.refused = Refusal::invalid;
    return;
  }
  wake_leader();
  leadership_->transferee = input.replica;
  leadership_->transfer_due = times_.now + timing_.election_min;
  peer->timeout_sent = false;
  leadership_->heartbeat_now = true;
  consider_transfer(*peer, out);
}

void Core::consider_transfer(Progress& peer, Output& out) {
  if (leadership_->transferee != peer.replica() || peer.timeout_sent || peer.match() != log_.last().index) return;
  peer.timeout_sent = true;
  send(peer.replica(), TimeoutNow{}, out);
}

/// To the voter that lacks least; nobody waits for the outcome.
void Core::hand_over(Output& out) {
  const Progress* best = nullptr;
  for (const Progress& peer : leadership_->peers) {
    const bool is_candidate = std::ranges::binary_search(configuration().voters, peer.replica()) && peer.counts();
    if (is_candidate && (best == nullptr || peer.match() > best->match())) best = &peer;
  }
  if (best != nullptr) send(best->replica(), TimeoutNow{}, out);
}

Progress* Core::find_peer(ReplicaId replica) {
  if (leadership_ == nullptr) return nullptr;
  const auto at = std::ranges::lower_bound(leadership_->peers, replica, {}, &Progress::replica);
  return at == leadership_->peers.end() || at->replica() != replica ? nullptr : &*at;
}

}  // namespace quorate::raft

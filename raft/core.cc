#include "raft/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/configuration.h"
#include "raft/quorum.h"

namespace quorate::raft {
namespace {

/// Unapplied entries may exceed Limits::tail_max_bytes this many times.
constexpr std::size_t kTailOverrun = 4;

template <class T>
bool is(const Message& message) {
  return std::holds_alternative<T>(message.body);
}

}  // namespace

void Output::clear() {
  messages.clear();
  append.reset();
  fetches.clear();
  snapshots.clear();
  install.reset();
  reads.clear();
  lost_data.clear();
  refused = Refusal::none;
  became_leader = stepped_down = false;
}

Core::Core(const Options& options, Instant now)
    : self_(options.self),
      machine_version_(options.machine_version),
      timing_(options.timing),
      limits_(options.limits),
      tells_commits_at_once_(options.tells_commits_at_once),
      random_(options.seed),
      times_{.now = now, .wall = {}},
      hard_state_(options.hard_state),
      durable_hard_state_(options.hard_state),
      log_(options.snapshot, options.runs, options.last),
      configs_(options.snapshot.index, options.configuration),
      last_ts_(options.last_ts),
      commit_(options.snapshot.index),
      applied_(options.snapshot.index),
      durable_(options.last),
      mark_term_(log_.last().term),
      ordinal_(std::uint64_t{options.epoch.value()} << 32),
      recovery_ordinal_(ordinal_) {
  CHECK_NE(self_, kNoReplica);
  CHECK(is_valid(options.configuration));
  CHECK_LE(log_.last().term, hard_state_.term);
  for (const auto& [index, configuration] : options.configurations) configs_.append(index, configuration);
  schedule_election(timing_.election_min, timing_.election_min);
}

void Core::step(const Times& times, Input input, Output& out) {
  if (failed_) {
    out.refused = Refusal::failed;
    return;
  }
  times_ = times;
  std::visit([&](auto& alternative) { on(alternative, out); }, input);
  check_invariants();
}

void Core::check_invariants() const {
  CHECK_LE(durable_, log_.last().index);
  CHECK_LE(commit_, log_.last().index);
  CHECK_LE(log_.base().index, commit_);
  CHECK_LE(log_.last().term, hard_state_.term);
  CHECK_EQ(leadership_ != nullptr, role_ == Role::leader);
  CHECK(role_ != Role::leader || leader_ == self_);
}

std::optional<Instant> Core::next_deadline() const {
  if (failed_) return std::nullopt;
  std::optional<Instant> due;
  const auto consider = [&](Instant at) { due = due ? std::min(*due, at) : at; };
  if (!unsteady_to_.empty()) consider(unsteady_due_);
  if (steady_) return due;
  if (leadership_ != nullptr) {
    if (leadership_->peers.empty()) return due;
    consider(leadership_->heartbeat_due);
    if (leadership_->transferee != kNoReplica) consider(leadership_->transfer_due);
  } else if (may_campaign() && !(role_ == Role::candidate && is_alone())) {  // that one waits for its own vote
    consider(election_due_);
  }
  return due;
}

LogIndex Core::applicable_index() const {
  if (role_ == Role::leader && is_alone()) return log_.last().index;
  return std::max(commit_, applied_);
}

const Progress* Core::progress(ReplicaId peer) const { return const_cast<Core*>(this)->find_peer(peer); }

std::size_t Core::memory_bytes() const {
  std::size_t bytes = sizeof(Core) + log_.memory_bytes() + held_.capacity() * sizeof(Held) +
                      votes_.size() * (sizeof(std::pair<ReplicaId, bool>) + 32) +
                      configuration().members().size() * 4 * sizeof(ReplicaId);
  if (leadership_ != nullptr) bytes += sizeof(Leadership) + leadership_->peers.capacity() * sizeof(Progress);
  return bytes;
}

// --- messages and terms ---

void Core::on(Receive& input, Output& out) {
  const Message& message = input.message;
  if (message.to != self_) return;  // meant for a replica that was here before
  if (!accept_term(message, out)) return;
  std::visit([&](const auto& body) { receive(message, body, out); }, message.body);
}

namespace {

bool comes_from_a_leader(const Message& message) {
  return is<Append>(message) || is<Steady>(message) || is<TimeoutNow>(message) || is<ReadReply>(message);
}

/// Of a term that nobody has entered yet.
bool is_hypothetical(const Message& message) {
  if (is<PreVote>(message)) return true;
  const auto* reply = std::get_if<PreVoteReply>(&message.body);
  return reply != nullptr && reply->granted;
}

}  // namespace

/// False: there is nothing more to do with this message.
bool Core::accept_term(const Message& message, Output& out) {
  if (is_hypothetical(message)) return true;
  if (message.term < hard_state_.term) {
    answer_stale(message, out);
    return false;
  }
  if (message.term == hard_state_.term) return true;
  const auto* vote = std::get_if<Vote>(&message.body);
  // A replica that cannot hear the leader must not depose it (Ongaro 2014, §4.2.3).
  if (vote != nullptr && !vote->transfer && has_lease()) return false;
  become_follower(message.term, comes_from_a_leader(message) ? message.from : kNoReplica, out);
  return true;
}

/// Whoever believes in an old term learns the new one, or it would never take part again. It may lead in the new one
/// too, by now: what it is told of this log must be true.
void Core::answer_stale(const Message& message, Output& out) {
  if (const auto* append = std::get_if<Append>(&message.body)) {
    hold(message.from,
         AppendReply{.rejected = true,
                     .index = append->prev.index,
                     .hint = log_.last(),
                     .ordinal = ++ordinal_,
                     .machine_version = machine_version_},
         LogIndex(0), out);
  } else if (is<Vote>(message)) {
    hold(message.from, VoteReply{.granted = false}, LogIndex(0), out);
  } else if (is<Wake>(message)) {
    send(message.from, Unsteady{}, out);
  } else if (is<Unsteady>(message)) {
    send(message.from, UnsteadyReply{}, out);
  } else if (is<Steady>(message)) {
    hold(message.from, SteadyReply{.agreed = false}, LogIndex(0), out);
  }
}

void Core::become_follower(Term term, ReplicaId leader, Output& out) {
  CHECK_GE(term, hard_state_.term);
  if (role_ == Role::leader) end_leadership(out);
  // Requests of a campaign that is over must not keep replies waiting, least of all for entries that will be
  // overwritten.
  std::erase_if(held_, [](const Held& held) { return is<Vote>(held.message); });
  role_ = Role::follower;
  votes_.clear();
  leader_ = leader;
  steady_ = false;
  dead_.clear();
  if (term > hard_state_.term) {
    hard_state_.term = term;
    hard_state_.voted_for = kNoReplica;
    save_hard_state(out);
    unsteady_to_.clear();  // a newer leader tells them more than we could
  }
  schedule_election(timing_.election_min, timing_.election_min);
}

void Core::send(ReplicaId to, Term term, Body body, Output& out) {
  CHECK_NE(to, self_);
  out.messages.push_back({.from = self_, .to = to, .term = term, .body = std::move(body)});
}

// --- durability: what must be on disk before what leaves (raft.md §2.3) ---

LogWrite& Core::write(Output& out) {
  if (!out.append) out.append.emplace();
  out.append->mark = {.term = mark_term_, .index = log_.last().index};
  return *out.append;
}

void Core::save_hard_state(Output& out) { write(out).hard_state = hard_state_; }

void Core::append_to_log(Entry entry, Output& out) {
  // Writes of older leaders that are still under way no longer tell what is durable of this log.
  mark_term_ = hard_state_.term;
  log_.append(entry);
  write(out).entries.push_back(std::move(entry));
}

/// Sends a reply now, or as soon as the disk holds what it says.
void Core::hold(ReplicaId to, Body reply, LogIndex index, Output& out) {
  Held held{.index = index, .message = {.from = self_, .to = to, .term = hard_state_.term, .body = std::move(reply)}};
  if (held_.empty() && is_durable(held)) {
    out.messages.push_back(std::move(held.message));
  } else {
    held_.push_back(std::move(held));
  }
}

bool Core::is_durable(const Held& held) const {
  const bool is_promise = is<VoteReply>(held.message) && std::get<VoteReply>(held.message.body).granted;
  if (is_promise && durable_hard_state_.voted_for != held.message.to) return false;
  // A candidate that forgot its campaign would hold the next one in the same term, perhaps with a shorter log, and
  // answers to the first would count for the second (decision 12).
  if (is<Vote>(held.message) && durable_hard_state_.voted_for != self_) return false;
  return held.index <= durable_ && durable_hard_state_.term == held.message.term &&
         durable_hard_state_.recovering == hard_state_.recovering;
}

/// In order, except that only the last of several acknowledgements leaves: it says what the others say.
void Core::release_held(Output& out) {
  std::size_t waiting = 0;
  std::optional<Message> acknowledgement;
  for (Held& held : held_) {
    if (held.message.term != hard_state_.term) continue;  // another term: whoever asked will ask again
    if (!is_durable(held)) {
      if (&held != &held_[waiting]) held_[waiting] = std::move(held);
      ++waiting;
      continue;
    }
    auto* append_reply = std::get_if<AppendReply>(&held.message.body);
    if (append_reply != nullptr) append_reply->recovering = hard_state_.recovering;
    const bool is_acknowledgement = append_reply != nullptr && !append_reply->rejected;
    if (is_acknowledgement && acknowledgement && acknowledgement->to == held.message.to) {
      acknowledgement = std::move(held.message);
      continue;
    }
    if (acknowledgement) out.messages.push_back(std::move(*std::exchange(acknowledgement, std::nullopt)));
    if (is_acknowledgement) {
      acknowledgement = std::move(held.message);
    } else {
      out.messages.push_back(std::move(held.message));
    }
  }
  if (acknowledgement) out.messages.push_back(std::move(*acknowledgement));
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(waiting), held_.end());
}

void Core::on(AppendDone& input, Output& out) {
  if (input.hard_state) durable_hard_state_ = *input.hard_state;
  // A mark of an older leader may speak of entries that were overwritten since; a write under the newer one follows it.
  if (input.mark.term == mark_term_) durable_ = std::max(durable_, std::min(input.mark.index, log_.last().index));
  while (log_.tail_bytes() > kTailOverrun * limits_.tail_max_bytes && log_.tail_first() <= durable_) {
    log_.trim(log_.tail_first(), log_.tail_bytes());  // the machine is far behind and will read it back
  }
  consider_recovered(out);
  release_held(out);
  if (role_ == Role::candidate && durable_hard_state_ == hard_state_) {
    votes_[self_] = true;  // a candidate's own vote is a promise like any other
    count_votes(out);
  }
  if (role_ == Role::leader) consider_commit(out);
}

void Core::on(AppendFailed&, Output& out) {
  if (role_ == Role::leader) {
    hand_over(out);
    end_leadership(out);
    for (const ReplicaId peer : unsteady_to_) send(peer, Unsteady{}, out);  // there is no second time
  }
  failed_ = true;
  steady_ = false;
  role_ = Role::follower;
  leader_ = kNoReplica;
  held_.clear();
}

// --- what the host reports ---

void Core::on(Applied& input, Output&) {
  CHECK_LE(input.index, log_.last().index);  // a group of one may have become one of several while it applied
  applied_ = std::max(applied_, input.index);
  const LogIndex spare = spare_entries();
  LogIndex needed = spare;  // by peers that are close behind
  if (leadership_ != nullptr) {
    for (const Progress& peer : leadership_->peers) {
      if (peer.state() == Progress::State::replicate) needed = std::min(needed, peer.match());
    }
  }
  log_.trim(needed, log_.tail_bytes());
  // Slow peers are fed from the disk instead. What is not applied stays whatever it weighs.
  while (log_.tail_bytes() > limits_.tail_max_bytes && needed < spare) log_.trim(++needed, log_.tail_bytes());
}

/// Up to here entries may leave memory: the machine has them, and the disk, if anybody but the machine may ask.
LogIndex Core::spare_entries() const {
  return configuration().is_replicated() ? std::min(applied_, durable_) : applied_;
}

void Core::on(Compacted& input, Output&) {
  if (input.position.index <= log_.base().index) return;  // an older snapshot came late
  CHECK_LE(input.position.index, commit_);
  configs_.compact(input.position.index);
  log_.compact(input.position);
}

void Core::on(PeerLive& input, Output& out) {
  const auto at = std::ranges::lower_bound(live_, input.replica, {}, &PeerLive::replica);
  const bool was_live = at != live_.end() && at->replica == input.replica;
  const bool live = input.since.has_value();
  if (was_live == live) return;
  if (live) {
    live_.insert(at, input);
  } else {
    live_.erase(at);
  }
  if (role_ == Role::leader) {
    Progress* peer = find_peer(input.replica);
    if (peer == nullptr) return;
    peer->live = live;
    if (live) peer->snapshot_not_before = times_.now;  // that its node was away may be why the last one failed
    if (!live && peer->state() == Progress::State::replicate) peer->become_probe();
    wake_leader();
    return;
  }
  if (input.replica == leader_ && !live) {
    // Nobody has to wait for its silence to last, whether the group was at work or asleep.
    steady_ = false;
    leader_ = kNoReplica;
    schedule_election(Duration{0}, timing_.wake_spread);
  } else if (steady_ && live && std::ranges::binary_search(dead_, input.replica)) {
    // It may lag, and the leader may have died meanwhile: somebody must look after it.
    wake_follower(out);
  }
}

std::optional<Instant> Core::live_since(ReplicaId replica) const {
  const auto at = std::ranges::lower_bound(live_, replica, {}, &PeerLive::replica);
  return at == live_.end() || at->replica != replica ? std::nullopt : at->since;
}

void Core::on(Deadline&, Output& out) {
  if (!unsteady_to_.empty() && times_.now >= unsteady_due_) {
    for (const ReplicaId peer : unsteady_to_) send(peer, Unsteady{}, out);
    unsteady_due_ = times_.now + timing_.heartbeat;
  }
  if (steady_) return;
  if (role_ == Role::leader) {
    leader_deadline(out);
  } else if (times_.now >= election_due_ && may_campaign()) {
    ask_for_pre_votes(out);
  }
}

void Core::on(TurnEnd&, Output& out) {
  if (role_ != Role::leader) return;
  for (Progress& peer : leadership_->peers) send_what_is_due(peer, out);
  leadership_->heartbeat_now = false;
}

Duration Core::jitter(Duration below) {
  return below.count() <= 0
             ? Duration{0}
             : Duration(static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(below.count()))));
}

void Core::schedule_election(Duration from, Duration spread) { election_due_ = times_.now + from + jitter(spread); }

}  // namespace quorate::raft

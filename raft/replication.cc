// Sending the log to the peers and hearing from them.
#include <algorithm>
#include <utility>

#include "raft/core.h"

namespace quorate::raft {

// --- what a turn sends ---

void Core::send_what_is_due(Progress& peer, Output& out) {
  // The log has been compacted past what is under way: should that be lost, no heartbeat could tell.
  const bool is_overtaken = peer.state() == Progress::State::replicate && peer.next() <= log_.base().index;
  if (is_overtaken) peer.become_probe();
  while (!peer.fetching && peer.may_send(limits_.window_messages, limits_.window_bytes)) {
    const LogIndex last = log_.last().index;
    const bool is_probe = peer.state() == Progress::State::probe;
    if (peer.next() > last && !is_probe) break;
    const LogIndex before(peer.next().value() - 1);
    const std::optional<Term> term = log_.term_at(before);
    if (!term) {
      need_snapshot(peer, out);
      break;
    }
    const bool is_on_disk = peer.next() <= last && log_.find(peer.next()) == nullptr;
    if (is_on_disk && !peer.live) break;  // nobody reads the disk for a node that does not answer; heartbeats go on
    if (is_on_disk) {
      peer.fetching = true;
      out.fetches.push_back({.to = peer.replica(), .prev = {.index = before, .term = *term}, .last = last});
      break;
    }
    send_entries(peer, entries_for(peer), out);
  }
  const bool knows_less = tells_commits_at_once_ && peer.state() != Progress::State::snapshot &&
                          log_.term_at(peer.match()) && peer.sent_commit < std::min(told_commit(), peer.match());
  if ((leadership_->heartbeat_now && !peer.sent_this_turn) || knows_less) send_heartbeat(peer, out);
  peer.sent_this_turn = false;
}

std::vector<Entry> Core::entries_for(const Progress& peer) const {
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  for (LogIndex index = peer.next(); entries.size() < limits_.append_max_entries; ++index) {
    const Entry* entry = log_.find(index);
    if (entry == nullptr) break;
    bytes += entry->payload.size();
    if (!entries.empty() && bytes > limits_.append_max_bytes) break;
    entries.push_back(*entry);
  }
  return entries;
}

void Core::send_entries(Progress& peer, std::vector<Entry> entries, Output& out) {
  const LogIndex before(peer.next().value() - 1);
  std::size_t bytes = 0;
  for (const Entry& entry : entries) bytes += entry.payload.size();
  peer.sent(entries.empty() ? before : entries.back().index, bytes, !entries.empty());
  send_append(peer, {.index = before, .term = log_.term_at(before).value()}, std::move(entries), out);
}

/// Behind what was sent last, so that a refusal tells of what got lost; behind nothing at all when that is compacted.
void Core::send_heartbeat(Progress& peer, Output& out) {
  const bool is_streaming = peer.state() == Progress::State::replicate;
  const LogIndex before = is_streaming ? LogIndex(peer.next().value() - 1) : peer.match();
  const std::optional<Term> term = log_.term_at(before);
  send_append(peer, term ? LogPosition{.index = before, .term = *term} : LogPosition{}, {}, out);
}

void Core::send_append(Progress& peer, LogPosition prev, std::vector<Entry> entries, Output& out) {
  const LogIndex last = entries.empty() ? prev.index : entries.back().index;
  const LogIndex commit = told_commit();
  peer.sent_this_turn = true;
  peer.sent_commit = std::max(peer.sent_commit, std::min(commit, last));
  send(peer.replica(),
       Append{.prev = prev,
              .entries = std::move(entries),
              .commit = commit,
              .leader_last = log_.last().index,
              .round = leadership_->round,
              .heard = peer.ordinal,
              .recover = peer.lost_data},
       out);
}

/// A group of one commits what is written, synced or not. Others hear of a commit only when everything from that time
/// is synced, which the configuration that let them in has seen to.
LogIndex Core::told_commit() const { return durable_ >= alone_until_ ? commit_ : LogIndex(0); }

void Core::need_snapshot(Progress& peer, Output& out) {
  if (times_.now < peer.snapshot_not_before) return;
  peer.become_snapshot();
  out.snapshots.push_back(peer.replica());
}

// --- what comes back ---

void Core::receive(const Message& message, const AppendReply& body, Output& out) {
  if (role_ != Role::leader) return;
  Progress* peer = find_peer(message.from);
  if (peer == nullptr) return;  // it has been removed: it counts no more
  peer->heard_at = times_.now;
  peer->machine_version = body.machine_version;
  peer->is_version_known = true;
  const bool counted = peer->counts();
  notice_loss(*peer, body, out);
  const bool is_older = body.ordinal < peer->ordinal;
  if (is_older && !peer->counts()) return;  // from before it lost what it said
  peer->ordinal = std::max(peer->ordinal, body.ordinal);
  if (body.round > peer->round) {
    peer->round = body.round;
    answer_reads(out);
  }
  if (body.rejected) {
    const LogPosition next = log_.last_not_after(body.hint);
    if (peer->reject(body.index, next.index.plus(1))) wake_leader();
    return;
  }
  if (body.index > log_.last().index) return;
  if (body.ordinal < peer->refused_at && body.index > peer->refused_behind) {
    declare_lost(*peer, body, out);  // said before a refusal that says less
    return;
  }
  // It holds all that it can ever have acknowledged to anybody.
  if (peer->lost_data && body.ordinal > peer->refused_at && body.index >= peer->lost_until) peer->lost_data = false;
  const bool is_news = peer->acknowledge(body.index, times_.now, log_.last().index);
  const bool has_base = peer->state() == Progress::State::snapshot && log_.term_at(peer->match());
  if (has_base) peer->continue_behind(peer->match());  // whoever brought the snapshot may not have told
  if (!is_news && counted == peer->counts()) return;
  leadership_->news_at = times_.now;
  consider_transfer(*peer, out);
  consider_commit(out);
}

/// A peer that says it is recovering begins again. One that rejects below what an earlier answer acknowledged has lost
/// data without knowing it, and is told (raft.md §2.2); or it recovers, does not count, and has lost more.
void Core::notice_loss(Progress& peer, const AppendReply& reply, Output& out) {
  if (reply.ordinal < peer.ordinal) return;
  if (reply.recovering && !peer.recovering) forget_match(peer, reply);
  peer.recovering = reply.recovering;
  if (reply.recovering) peer.lost_data = false;  // it knows
  if (reply.rejected) {
    peer.refused_at = reply.ordinal;
    peer.refused_behind = reply.hint.index;
  }
  const bool has_lost = reply.rejected && reply.hint.index < peer.match();
  if (has_lost && peer.counts()) {
    declare_lost(peer, reply, out);
  } else if (has_lost) {
    forget_match(peer, reply);
  }
}

void Core::declare_lost(Progress& peer, const AppendReply& reply, Output& out) {
  peer.lost_data = true;
  peer.lost_until = log_.last().index;
  forget_match(peer, reply);
  out.lost_data.push_back(peer.replica());
}

/// Its refusal says where the logs may still agree; an acknowledgement says up to where they do.
void Core::forget_match(Progress& peer, const AppendReply& reply) {
  const LogIndex agreed = reply.rejected ? log_.last_not_after(reply.hint).index : reply.index;
  peer.forget_match(std::min(agreed, log_.last().index).plus(1));
}

void Core::receive(const Message& message, const SteadyReply& body, Output&) {
  if (role_ != Role::leader) return;
  Progress* peer = find_peer(message.from);
  if (peer == nullptr) return;
  peer->heard_at = times_.now;
  if (body.agreed && body.commit == commit_) {
    peer->steady = true;
  } else {
    leadership_->news_at = times_.now;
    peer->sent_commit = LogIndex(0);  // the message that told it may be lost
  }
}

void Core::on(PeerUnreachable& input, Output&) {
  Progress* peer = find_peer(input.replica);
  if (peer != nullptr && peer->state() == Progress::State::replicate) peer->become_probe();
}

void Core::on(Fetched& input, Output& out) {
  Progress* peer = find_peer(input.to);
  if (peer == nullptr || !std::exchange(peer->fetching, false)) return;
  const bool is_current = peer->next() == input.prev.index.plus(1) && log_.contains(input.prev) &&
                          peer->may_send(limits_.window_messages, limits_.window_bytes);
  if (!is_current) return;
  if (input.entries.empty()) return need_snapshot(*peer, out);
  LogIndex index = input.prev.index;
  for (const Entry& entry : input.entries) {
    if (entry.index != ++index || log_.term_at(entry.index) != entry.term) return;  // from before a change of leaders
  }
  send_entries(*peer, std::move(input.entries), out);
}

void Core::on(SnapshotSent& input, Output&) {
  Progress* peer = find_peer(input.to);
  if (peer == nullptr || peer->state() != Progress::State::snapshot) return;
  if (!input.accepted) peer->snapshot_not_before = times_.now + timing_.snapshot_retry;
  peer->continue_behind(input.accepted ? input.index : peer->match());
}

}  // namespace quorate::raft

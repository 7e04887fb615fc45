#include "raft/progress.h"

#include <algorithm>

#include "base/check.h"

namespace quorate::raft {

void Progress::become_probe() {
  state_ = State::probe;
  probe_sent_ = false;
  next_ = match_.plus(1);
  flights_.release();
  flight_bytes_ = 0;
}

void Progress::become_replicate(Instant now, LogIndex leader_last) {
  state_ = State::replicate;
  next_ = match_.plus(1);
  flights_.release();
  flight_bytes_ = 0;
  begin_catching_up(now, leader_last);
}

void Progress::become_snapshot() {
  become_probe();
  state_ = State::snapshot;
}

bool Progress::acknowledge(LogIndex index, Instant now, LogIndex leader_last) {
  CHECK_LE(index, leader_last);
  const bool is_news = index > match_;
  const bool answers_probe = index.plus(1) >= next_;
  match_ = std::max(match_, index);
  next_ = std::max(next_, match_.plus(1));
  switch (state_) {
    case State::probe:
      // The logs agree up to where the probe stood, so what follows may stream. A heartbeat proves less.
      if (answers_probe) become_replicate(now, leader_last);
      break;
    case State::replicate:
      while (!flights_.empty() && flights_.front().last <= index) {
        flight_bytes_ -= flights_.front().bytes;
        flights_.pop_front();
      }
      break;
    case State::snapshot:
      break;  // continue_behind() ends it
  }
  return is_news;
}

bool Progress::reject(LogIndex rejected, LogIndex next) {
  if (state_ == State::snapshot) return false;
  if (state_ == State::replicate) {
    if (rejected <= match_) return false;
    become_probe();
    next_ = std::max(match_.plus(1), std::min(next, rejected));
    return true;
  }
  if (rejected.plus(1) != next_) return false;
  next_ = std::max(match_.plus(1), std::min(next, rejected));
  probe_sent_ = false;
  return true;
}

void Progress::forget_match(LogIndex next) {
  match_ = LogIndex(0);
  become_probe();
  next_ = next;
}

bool Progress::may_send(std::size_t window_messages, std::size_t window_bytes) const {
  switch (state_) {
    case State::probe:
      return !probe_sent_;
    case State::replicate:
      return flights_.size() < window_messages && flight_bytes_ < window_bytes;
    case State::snapshot:
      return false;
  }
  return false;
}

void Progress::sent(LogIndex last, std::size_t bytes, bool has_entries) {
  if (state_ == State::probe) {
    probe_sent_ = true;
  } else if (state_ == State::replicate && has_entries) {
    CHECK_GE(last, next_);
    next_ = last.plus(1);
    flights_.push_back({.last = last, .bytes = bytes});
    flight_bytes_ += bytes;
  }
}

/// In rounds, as Ongaro 2014, §4.2.1: each lasts until the peer has what the leader had when it began.
bool Progress::keeps_up(Instant now, LogIndex leader_last, Duration lag_max) {
  if (state_ != State::replicate || match_ < catch_up_target_) return false;
  if (now - catch_up_since_ <= lag_max) return true;
  begin_catching_up(now, leader_last);
  return false;
}

void Progress::begin_catching_up(Instant now, LogIndex leader_last) {
  catch_up_since_ = now;
  catch_up_target_ = leader_last;
}

void Progress::continue_behind(LogIndex index) {
  become_probe();
  next_ = std::max(match_, index).plus(1);
}

}  // namespace quorate::raft

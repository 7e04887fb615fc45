// Progress: one peer as its leader sees it. It probes until it has found where the logs agree, then streams entries
// ahead of the answers within a window, or waits for a snapshot (after etcd's raft, tracker/progress.go).
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/ids.h"
#include "base/time.h"
#include "raft/fifo.h"
#include "raft/types.h"

namespace quorate::raft {

class Progress {
 public:
  enum class State : std::uint8_t { probe, replicate, snapshot };

  Progress(ReplicaId replica, LogIndex next) : replica_(replica), next_(next) {}

  ReplicaId replica() const { return replica_; }
  State state() const { return state_; }
  /// Durable at the peer, and equal to the leader's log.
  LogIndex match() const { return match_; }
  /// What is sent next; Invariant: match < next.
  LogIndex next() const { return next_; }
  /// Its acknowledgements stand for something: it has not lost what it acknowledged.
  bool counts() const { return !recovering && !lost_data; }

  void become_probe();
  void become_replicate(Instant now, LogIndex leader_last);
  void become_snapshot();

  /// The peer has everything up to `index`. Returns whether that is news.
  bool acknowledge(LogIndex index, Instant now, LogIndex leader_last);
  /// The peer refused an Append behind `rejected`; `next` is where it may agree. False: an old answer, nothing to do.
  bool reject(LogIndex rejected, LogIndex next);
  /// What it acknowledged is gone: look for agreement from before `next` on.
  void forget_match(LogIndex next);

  bool may_send(std::size_t window_messages, std::size_t window_bytes) const;
  /// An Append with the entries up to `last` has left.
  void sent(LogIndex last, std::size_t bytes, bool has_entries);
  /// A snapshot at `index` was accepted, or what was under way is lost.
  void continue_behind(LogIndex index);
  void renew_probe() { probe_sent_ = false; }
  /// It has what the leader had `lag_max` ago. Asked again and again, at intervals below `lag_max`.
  bool keeps_up(Instant now, LogIndex leader_last, Duration lag_max);

  // What the leader notes beside the replication proper.
  bool live = false;          // the peer's node answers
  bool recovering = false;    // says so itself
  bool lost_data = false;     // proved by its answers
  bool fetching = false;      // entries are being read for it
  bool timeout_sent = false;  // TimeoutNow, in a transfer
  bool steady = false;        // agreed to sleep
  bool sent_this_turn = false;
  Instant heard_at{};  // the last answer
  Instant snapshot_not_before{};
  LogIndex sent_commit;          // the highest commit index sent that the peer could use
  std::uint64_t round = 0;       // the newest read round it has answered
  std::uint64_t ordinal = 0;     // of its newest answer
  std::uint64_t refused_at = 0;  // ordinal of its newest refusal, and the hint in it
  LogIndex refused_behind;
  LogIndex lost_until;  // lost_data: what it has to hold to count again
  std::uint32_t machine_version = 0;
  bool is_version_known = false;

 private:
  struct Flight {
    LogIndex last;
    std::size_t bytes = 0;
  };

  void begin_catching_up(Instant now, LogIndex leader_last);

  ReplicaId replica_;
  State state_ = State::probe;
  LogIndex match_;
  LogIndex next_;
  bool probe_sent_ = false;  // one probe at a time; a heartbeat renews it
  Fifo<Flight> flights_;     // while replicating: Appends without an answer
  std::size_t flight_bytes_ = 0;
  Instant catch_up_since_{};  // while replicating: when this round began
  LogIndex catch_up_target_;  // the leader's last index at that time
};

}  // namespace quorate::raft

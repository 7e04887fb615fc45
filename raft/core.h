// One replica of a Raft group as arithmetic: inputs in, outputs out. No clock, disk, socket, thread or logger; time is
// an argument, chance a seed, and everything asynchronous comes back as an input, so a test can delay or lose it.
// This is the core that a group of one member needs (Ongaro 2014, §3 with a cluster of one); messages to peers, their
// inputs and the election timer join it behind the same interface.
#pragma once
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "raft/types.h"

namespace quorate::raft {

enum class Role : std::uint8_t { follower, candidate, leader };

/// "A prefix of the log of the leader of `term`, up to `index`." A bare index would confirm entries that a later
/// leader has overwritten meanwhile.
struct LogMark {
  Term term;
  LogIndex index;
  bool operator==(const LogMark&) const = default;
};

/// Stand for election now.
struct Campaign {};
/// Append a command (only a leader can; others refuse).
struct Propose {
  EntryType type = EntryType::command;
  Bytes payload;
};
/// The append that carried `mark` is durable, and so is every append before it.
struct AppendDone {
  LogMark mark;
};
/// The disk refused; the replica must never acknowledge or vote again.
struct AppendFailed {};

using Input = std::variant<Campaign, Propose, AppendDone, AppendFailed>;

/// To be made durable in this order: entries, then hard state, in one atomic write. Report it with AppendDone{mark}.
struct Append {
  std::vector<Entry> entries;
  std::optional<HardState> hard_state;
  LogMark mark;
};

/// What one step wants done. The caller clears it between steps and may gather several steps in one.
struct Output {
  std::optional<Append> append;
  bool became_leader = false;
  bool refused = false;  // a proposal came while this replica does not lead
  void clear() { *this = Output{}; }
};

class Core {
 public:
  struct Options {
    ReplicaId self;
    std::vector<ReplicaId> voters;
    HardState hard_state;  // as found on disk
    LogPosition last;      // of the log on disk; the snapshot's position when the log holds nothing newer
    WallTime last_ts{};    // of that entry: time in the log never runs backwards
    LogIndex snapshot;     // everything up to here is in the machine already
  };
  explicit Core(const Options& options);

  /// `wall` becomes the time of the entries appended, unless the log is already later.
  void step(WallTime wall, Input input, Output& out);

  Role role() const { return role_; }
  Term term() const { return hard_state_.term; }
  LogIndex last_index() const { return last_.index; }
  /// Durable on a majority; what confirms wait for.
  LogIndex commit_index() const { return commit_; }
  /// What the machine may see. A group of one may apply before its own disk has the entry, because nothing can
  /// contradict the leader; whoever tells the outside that an entry is safe waits for commit_index() all the same.
  LogIndex applicable_index() const { return is_alone() && role_ == Role::leader ? last_.index : commit_; }
  bool failed() const { return failed_; }

 private:
  void on(const Campaign&, WallTime wall, Output& out);
  void on(Propose& propose, WallTime wall, Output& out);
  void on(const AppendDone& done, WallTime wall, Output& out);
  void on(const AppendFailed&, WallTime wall, Output& out);

  void become_leader(WallTime wall, Output& out);
  void append(EntryType type, Bytes payload, WallTime wall, Output& out);
  bool is_alone() const { return voters_.size() == 1 && voters_.front() == self_; }

  ReplicaId self_;
  std::vector<ReplicaId> voters_;
  Role role_ = Role::follower;
  HardState hard_state_;
  LogPosition last_;
  WallTime last_ts_;
  LogIndex term_start_;  // of the first entry of the term this replica leads
  LogMark durable_;      // Invariant: durable_.index <= last_.index.
  LogIndex commit_;      // Invariant: commit_ <= durable_.index while alone, and it never falls.
  bool failed_ = false;
};

}  // namespace quorate::raft

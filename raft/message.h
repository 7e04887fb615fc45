// What replicas of a group tell each other. Plain structs: encoding is cluster/'s affair. A message may be lost,
// delayed, repeated or overtaken; none of that may do harm.
#pragma once
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "raft/types.h"

namespace quorate::raft {

/// "Would you vote for me in `Message::term`?" Changes nothing at the receiver (Ongaro 2014, §9.6).
struct PreVote {
  LogPosition last;
  std::uint32_t machine_version = 0;  // the newest one the candidate can apply
  bool operator==(const PreVote&) const = default;
};
struct PreVoteReply {
  bool granted = false;
  bool operator==(const PreVoteReply&) const = default;
};

struct Vote {
  LogPosition last;
  std::uint32_t machine_version = 0;
  bool transfer = false;  // the leader itself asked for this election: its lease is no objection
  bool operator==(const Vote&) const = default;
};
struct VoteReply {
  bool granted = false;
  bool operator==(const VoteReply&) const = default;
};

/// Entries that follow `prev`; without entries a heartbeat or a probe.
struct Append {
  LogPosition prev;
  std::vector<Entry> entries;
  LogIndex commit;
  LogIndex leader_last;     // of the leader's log when this was sent
  std::uint64_t round = 0;  // of ReadIndex: a reply proves that the sender still led when this round began
  /// The newest AppendReply::ordinal that the leader has from the receiver: an Append of before a restart names an
  /// older one, so it cannot pass for the leader's word of today.
  std::uint64_t heard = 0;
  bool recover = false;  // "you have lost what you acknowledged": see HardState::recovering
  bool operator==(const Append&) const = default;
};
struct AppendReply {
  bool rejected = false;
  LogIndex index;    // accepted: the log is the leader's up to here, durably. Rejected: prev.index of the Append
  LogPosition hint;  // rejected: the last position that can match
  std::uint64_t round = 0;
  /// Grows with each reply of this replica, across its restarts. A rejection below what an *earlier* reply acknowledged
  /// proves that the replica has lost data; a delayed one proves nothing.
  std::uint64_t ordinal = 0;
  bool recovering = false;  // does not count
  std::uint32_t machine_version = 0;
  bool operator==(const AppendReply&) const = default;
};

/// "Nothing is going on: let the clocks rest." The receiver sleeps until somebody has news.
struct Steady {
  LogIndex commit;
  std::vector<ReplicaId> dead;  // members whose nodes do not answer and that may lag
  bool operator==(const Steady&) const = default;
};
struct SteadyReply {
  bool agreed = false;
  LogIndex commit;  // of the Steady that this answers
  bool operator==(const SteadyReply&) const = default;
};
/// A steady leader has stopped to lead, though its node is well; repeated until acknowledged.
struct Unsteady {
  bool operator==(const Unsteady&) const = default;
};
struct UnsteadyReply {
  bool operator==(const UnsteadyReply&) const = default;
};
/// To the leader of a steady group: "are you there?"
struct Wake {
  bool operator==(const Wake&) const = default;
};

/// The leader hands over: campaign at once.
struct TimeoutNow {
  bool operator==(const TimeoutNow&) const = default;
};

/// A follower's ReadIndex, carried to the leader and back.
struct ReadRequest {
  std::uint64_t token = 0;
  bool operator==(const ReadRequest&) const = default;
};
struct ReadReply {
  std::uint64_t token = 0;
  LogIndex index;
  bool operator==(const ReadReply&) const = default;
};

using Body = std::variant<PreVote, PreVoteReply, Vote, VoteReply, Append, AppendReply, Steady, SteadyReply, Unsteady,
                          UnsteadyReply, Wake, TimeoutNow, ReadRequest, ReadReply>;

struct Message {
  ReplicaId from;
  ReplicaId to;
  Term term;  // the sender's; of PreVote and a granted PreVoteReply: the one asked for
  Body body;
  bool operator==(const Message&) const = default;
};

}  // namespace quorate::raft

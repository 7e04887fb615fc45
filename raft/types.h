// The nouns of consensus that the floors above share: replicas, entries, hard state, snapshots' meta data. Plain
// values; how they look at rest is storage/'s affair, how they travel is cluster/'s.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/time.h"

namespace quorate::raft {

/// A replica of a group: the node it lives on, and which of the placements ever made there. Unique for ever, so that a
/// re-created replica never meets votes or logs of an older one.
using ReplicaId = StrongId<struct ReplicaTag, std::uint64_t>;
inline constexpr ReplicaId kNoReplica{0};
inline constexpr unsigned kPlacementBits = 48;

/// `placement` is an index of the metadata log, so it never comes again.
constexpr ReplicaId replica_on(NodeId node, std::uint64_t placement) {
  return ReplicaId((std::uint64_t{node.value()} << kPlacementBits) | placement);
}
constexpr NodeId node_of(ReplicaId replica) {
  return NodeId(static_cast<std::uint32_t>(replica.value() >> kPlacementBits));
}

enum class EntryType : std::uint8_t {
  noop = 0,     // the first entry of a leader's term
  command = 1,  // commands of the machine, packed
  config = 2,   // a Configuration, in force from the moment it is appended
};

struct Entry {
  LogIndex index;
  Term term;
  EntryType type = EntryType::noop;
  WallTime ts{};  // set by the leader, never before the entry in front of it
  Bytes payload;
  bool operator==(const Entry&) const = default;
};

/// What a replica must remember across a restart before it may answer (Raft, figure 2).
struct HardState {
  Term term;
  ReplicaId voted_for;
  /// It has lost entries that it may have acknowledged: until a leader has replaced them it does not vote, campaign or
  /// count.
  bool recovering = false;
  bool operator==(const HardState&) const = default;
};

/// Where a prefix of the log ends.
struct LogPosition {
  LogIndex index;
  Term term;
  bool operator==(const LogPosition&) const = default;
};

/// Who takes part, and which version of the machine they apply. A pure function of the log: the newest one that is
/// *appended* counts (Ongaro 2014, §4.1). All lists are ascending.
struct Configuration {
  std::vector<ReplicaId> voters;
  std::vector<ReplicaId> outgoing;  // not empty = joint: every decision needs a majority of these too
  std::vector<ReplicaId> learners;  // get the log, decide nothing
  std::vector<ReplicaId> joining;   // learners that become voters when they have caught up
  std::uint32_t machine_version = 0;
  bool operator==(const Configuration&) const = default;

  bool is_joint() const { return !outgoing.empty(); }
  bool is_voter(ReplicaId replica) const;
  /// In any of the lists.
  bool is_member(ReplicaId replica) const;
  bool is_alone(ReplicaId replica) const { return outgoing.empty() && voters.size() == 1 && voters[0] == replica; }
  /// More than one replica has the log, whether it votes or not.
  bool is_replicated() const { return voters.size() > 1 || !outgoing.empty() || !learners.empty() || !joining.empty(); }
  /// Everybody in any list, ascending, each once.
  std::vector<ReplicaId> members() const;
};

/// What a snapshot stands for; its bytes are the machine's own.
struct SnapshotMeta {
  LogPosition last;  // the last entry the state contains
  WallTime ts{};     // that entry's time
  Configuration configuration;
  bool operator==(const SnapshotMeta&) const = default;
};

}  // namespace quorate::raft

// The nouns of consensus that the floors above share: entries, hard state, snapshots' meta data. Plain values;
// how they look at rest is storage/'s affair, how they travel is cluster/'s.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"

namespace quorate::raft {

/// A replica of a group: unique for ever, so that a re-created one never meets votes or logs of an older one.
using ReplicaId = StrongId<struct ReplicaTag, std::uint64_t>;
inline constexpr ReplicaId kNoReplica{0};

enum class EntryType : std::uint8_t {
  noop = 0,     // the first entry of a leader's term
  command = 1,  // commands of the machine, packed
  config = 2,   // a membership
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
  bool operator==(const HardState&) const = default;
};

/// Where a prefix of the log ends.
struct LogPosition {
  LogIndex index;
  Term term;
  bool operator==(const LogPosition&) const = default;
};

/// What a snapshot stands for; its bytes are the machine's own.
struct SnapshotMeta {
  LogPosition last;               // the last entry the state contains
  WallTime ts{};                  // that entry's time
  std::vector<ReplicaId> voters;  // the membership there
  bool operator==(const SnapshotMeta&) const = default;
};

}  // namespace quorate::raft

// Transport: the door to the other nodes, and what group hosts say to each other through it. Messages of one pair of
// nodes may be lost, repeated, delayed and overtaken; large ones (snapshots) travel apart from the others.
#pragma once
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "raft/message.h"
#include "raft/types.h"
#include "storage/live_set.h"

namespace quorate::cluster {

/// Leader to a replica whose log is too short: "I have this snapshot for you."
struct SnapshotOffer {
  raft::ReplicaId from;
  raft::ReplicaId to;
  Term term;
  raft::SnapshotMeta meta;
  storage::LiveSet live;
  std::uint64_t state_bytes = 0;
  std::uint32_t digest = 0;  // crc32c of the state
  bool operator==(const SnapshotOffer&) const = default;
};
/// The answer: what is wanted next. Repeated while nothing comes; it is also the acknowledgement of what came.
struct SnapshotWant {
  raft::ReplicaId from;
  raft::ReplicaId to;
  Term term;
  LogIndex snapshot;
  LogIndex entries_after;        // live entries up to here are in place; the snapshot's index: all of them
  std::uint64_t state_from = 0;  // bytes of the state in place
  bool operator==(const SnapshotWant&) const = default;
};
struct SnapshotPart {
  raft::ReplicaId from;
  raft::ReplicaId to;
  Term term;
  LogIndex snapshot;
  LogIndex entries_after;  // the answer to a Want with these two
  std::uint64_t state_from = 0;
  std::vector<raft::Entry> entries;  // the live ones in (entries_after, entries_to]
  LogIndex entries_to;
  Bytes state;
  bool operator==(const SnapshotPart&) const = default;
};
/// How it ended at the receiver. `index`: where its log continues.
struct SnapshotResult {
  raft::ReplicaId from;
  raft::ReplicaId to;
  Term term;
  LogIndex index;
  bool accepted = false;
  bool operator==(const SnapshotResult&) const = default;
};

/// "My copy of these entries is damaged; what are they?"
struct RepairRequest {
  raft::ReplicaId from;
  raft::ReplicaId to;
  LogIndex first;
  LogIndex last;
  bool operator==(const RepairRequest&) const = default;
};
/// Committed entries only, so any replica's word is as good as another's.
struct RepairReply {
  raft::ReplicaId from;
  raft::ReplicaId to;
  std::vector<raft::Entry> entries;
  bool operator==(const RepairReply&) const = default;
};

/// Which groups sleep on the sender's node because they trust in leaders on the receiver's: first hashed; on a mismatch
/// the receiver asks for the list, and says in the end which of them it does not lead in that term.
struct SteadyAudit {
  enum class Kind : std::uint8_t { hash, wants_list, list, not_led };
  Kind kind = Kind::hash;
  std::uint64_t hash = 0;
  std::vector<std::pair<GroupId, Term>> groups;
  bool operator==(const SteadyAudit&) const = default;
};

struct PeerMessage {
  GroupId group;  // zero: of no group
  std::variant<raft::Message, SnapshotOffer, SnapshotWant, SnapshotPart, SnapshotResult, RepairRequest, RepairReply,
               SteadyAudit>
      body;
  bool operator==(const PeerMessage&) const = default;
};

class Transport {
 public:
  virtual ~Transport() = default;
  /// Leaves at the end of the sender's turn, or never. To this node itself: never called.
  virtual void send(NodeId to, PeerMessage message) = 0;
};

}  // namespace quorate::cluster

// What one disk holds of its groups becomes all there is of them, when the other members are lost for good (decision
// 21): each group goes on with the replica here as its only voter, in a term of its own. Everything here waits for the
// disk and happens before any group runs.
#pragma once
#include <optional>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "raft/types.h"
#include "storage/group_storage.h"

namespace quorate::cluster {

/// What lies here of one group.
struct GroupOnDisk {
  storage::GroupRow row;
  std::optional<raft::SnapshotMeta> snapshot;
  storage::LogSummary log;  // behind the snapshot

  /// The newest that was appended, committed or not.
  const raft::Configuration& configuration() const;
};

/// Why the replica here must not speak for its group, in few words; empty: it may.
std::string_view fault_of(const GroupOnDisk& found);

/// What makes the replica its group's only voter, whatever change of members was under way; nothing when it is that
/// already. Only of one without a fault.
std::optional<storage::GroupWrite> make_sole_voter(GroupId group, const GroupOnDisk& found, WallTime now);

/// Whether the metadata here can be a cluster's, and all groups can be read.
Result<void> may_stand_alone(const storage::GroupStorage& storage);

/// Makes sole voters of all replicas here. Those with a fault stay as they are, without a majority, and are logged.
/// Done again it changes nothing.
Result<void> stand_alone(storage::GroupStorage& storage, WallTime now);

}  // namespace quorate::cluster

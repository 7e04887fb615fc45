// The metadata machine: commands in, a new Topology and a few effects out. Deterministic and pure like the queue's; it
// knows nothing of what an exchange type does, only how to get an empty index for one.
#pragma once
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "cluster/metadata/commands.h"
#include "cluster/metadata/topology.h"

namespace quorate::cluster {

/// Ids of what an entry creates are its index times this and onwards.
inline constexpr std::uint64_t kIdsPerEntry = 512;
/// The index in the metadata log at which the queue was declared.
inline std::uint64_t declared_at(GroupId queue) { return queue.value() / kIdsPerEntry; }

struct MetadataEffects {
  std::optional<Origin> origin;   // who sent the entry
  bool is_repeated = false;       // it has been applied before, or comes too early: nothing was done
  std::vector<Outcome> outcomes;  // of each command, in order
  QueueChanges queues;
};

class MetadataMachine {
 public:
  /// An empty index of an exchange type, or null when there is no such type.
  using IndexFactory = std::function<RoutingIndexPtr(std::string_view type)>;
  explicit MetadataMachine(IndexFactory make_index);

  /// Applies the commands of entry `index`. An error means that the bytes are no commands.
  Result<void> apply(LogIndex index, ByteView payload, MetadataEffects& out);

  const TopologyPtr& topology() const { return topology_; }

  /// The whole state; what two machines with equal histories serialize is equal.
  Bytes serialize() const;
  Result<void> restore(ByteView bytes);

 private:
  IndexFactory make_index_;
  TopologyPtr topology_;
};

}  // namespace quorate::cluster

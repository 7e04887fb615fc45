// What need not be on the disk: commands about things that a restart of the node takes away, when it is the only node.
#pragma once
#include "cluster/metadata/commands.h"
#include "cluster/metadata/topology.h"

namespace quorate::cluster {

/// Applied to `now`, the command makes, changes and ends nothing that a restart of the only node would not end too
/// (Draft::on(NodeStarted)). In doubt it is not transient.
bool is_transient(const Topology& now, const MetadataCommand& command);

}  // namespace quorate::cluster

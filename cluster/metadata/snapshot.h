// The whole topology as bytes (MetadataSnapshot in proto/metadata.proto) and back.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "cluster/metadata/machine.h"
#include "cluster/metadata/topology.h"

namespace quorate::cluster {

Bytes encode_topology(const Topology& topology);
/// Refuses bytes whose parts do not fit together: a binding without its ends, a queue without its vhost.
Result<TopologyPtr> decode_topology(ByteView bytes, const MetadataMachine::IndexFactory& make_index);

}  // namespace quorate::cluster

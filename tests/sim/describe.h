// Messages and writes as lines of the trace.
#pragma once
#include <string>

#include "cluster/transport.h"
#include "storage/group_storage.h"

namespace quorate::sim {

std::string describe(const cluster::PeerMessage& message);
std::string describe(const storage::GroupWrite& write);

}  // namespace quorate::sim

// What all shards of a node share: how many connections and channels are open, for the limits that count per node.
#pragma once
#include <atomic>
#include <cstdint>

namespace quorate {

struct NodeCounters {
  std::atomic<std::uint32_t> connections = 0;
  std::atomic<std::uint32_t> channels = 0;
};

}  // namespace quorate

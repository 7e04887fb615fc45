// QueuePlan: a queue as its clients declare it, all of them in the same words, and what they may expect of it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/value.h"

namespace quorate::sim::nodes {

struct QueuePlan {
  std::string name;
  bool is_quorum = true;
  std::uint32_t members = 3;                // of a quorum queue, if there are so many nodes
  std::optional<std::uint32_t> length_max;  // x-max-length
  bool refuses = false;                     // what is too much; otherwise the oldest goes
  bool single_active = false;
  bool has_delivery_limit = false;  // of a quorum queue: the default one
  bool may_be_classic = false;      // for a while: nothing transient is sent there, a restart would take it away

  Table arguments() const;
  /// A confirmed message may go without having been seen by anybody.
  bool may_drop() const { return length_max && !refuses; }
};

/// `wants_replicas`: several members, so that one of them may lose its disk.
QueuePlan draw_queue(Random& random, std::uint64_t number, bool wants_replicas);

}  // namespace quorate::sim::nodes

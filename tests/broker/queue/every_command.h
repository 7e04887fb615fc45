// One command of each kind with every field set, in the order of their kinds: what tests of the format go through.
#pragma once
#include <limits>
#include <vector>

#include "broker/queue/commands.h"

namespace quorate::queue {

inline std::vector<Command> every_command() {
  static constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  const SessionId session{.node = NodeId(3), .epoch = Epoch(200), .serial = 70'000};
  const ConsumerKey consumer{.session = session, .link = 4};
  return {
      Enqueue{.persistent = true, .has_priority = true, .priority = 9, .body_size = 5, .message = as_bytes("..hello")},
      Attach{.consumer = consumer,
             .no_ack = true,
             .exclusive = true,
             .priority = std::numeric_limits<std::int32_t>::min(),
             .prefetch = std::numeric_limits<std::uint32_t>::max(),
             .window = 1u << 20},
      Cancel{.consumer = consumer},
      Settle{.consumer = consumer, .ids = {{.first = 1, .last = 1}, {.first = 300, .last = kMost}}},
      Return{.consumer = consumer, .reason = ReturnReason::unseen, .ids = {{.first = 2, .last = 7}}},
      Discard{.consumer = consumer, .ids = {}},
      Credit{.consumer = consumer, .bytes = 524'288},
      Get{.session = session, .no_ack = true},
      Purge{.session = session},
      Down{.session = session},
      NodeUp{.node = NodeId(3), .epoch = Epoch(201), .after_crash = true},
      From{.session = session, .first = 300, .heard = kNumberMax},
      NodeSuspected{.node = NodeId(300), .epoch = Epoch(1)},
      NodeTrusted{.node = NodeId(1), .epoch = Epoch(300)},
      SessionsGone{.node = NodeId(2), .below = Epoch(std::numeric_limits<std::uint32_t>::max()), .expired = true},
      Configure{.quorum = true,
                .single_active_consumer = true,
                .priority_max = 31,
                .delivery_limit = std::numeric_limits<std::uint32_t>::max(),
                .max_length = kMost,
                .max_length_bytes = 300,
                .overflow = Overflow::reject_publish,
                .message_ttl_ms = 0},
  };
}

}  // namespace quorate::queue

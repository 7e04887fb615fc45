// One command of each kind with every field set, in the order of their kinds: what tests of the format go through.
#pragma once
#include <limits>
#include <vector>

#include "broker/queue/commands.h"
#include "tests/broker/queue/examples.h"

namespace quorate::queue {

inline std::vector<Command> every_command() {
  return {
      Enqueue{.persistent = true,
              .has_priority = true,
              .priority = 9,
              .ttl_ms = 60'000,
              .body_size = 5,
              .message = as_bytes("..hello")},
      kExampleAttach,
      Cancel{.consumer = kExampleConsumer},
      Settle{.consumer = kExampleConsumer, .ids = {{.first = 1, .last = 1}, {.first = 300, .last = kMost}}},
      Return{.consumer = kExampleConsumer, .reason = ReturnReason::unseen, .ids = {{.first = 2, .last = 7}}},
      Discard{.consumer = kExampleConsumer, .ids = {}},
      Credit{.consumer = kExampleConsumer, .bytes = 524'288},
      Get{.session = kExampleSession, .no_ack = true},
      Purge{.session = kExampleSession},
      Down{.session = kExampleSession},
      NodeUp{.node = NodeId(3), .epoch = Epoch(201), .after_crash = true, .keeps_transient = true},
      From{.session = kExampleSession, .first = 300, .heard = kNumberMax},
      NodeSuspected{.node = NodeId(300), .epoch = Epoch(1)},
      NodeTrusted{.node = NodeId(1), .epoch = Epoch(300)},
      SessionsGone{.node = NodeId(2), .below = Epoch(std::numeric_limits<std::uint32_t>::max()), .expired = true},
      Configure{.quorum = true,
                .holds_all = true,
                .single_active_consumer = true,
                .priority_max = 31,
                .delivery_limit = std::numeric_limits<std::uint32_t>::max(),
                .max_length = kMost,
                .max_length_bytes = 300,
                .overflow = Overflow::reject_publish,
                .message_ttl_ms = 0,
                .expires_ms = 1'800'000,
                .delayed_retry = {.failed = true, .returned = true, .min_ms = 300, .max_ms = kMost}},
      Expire{},
  };
}

}  // namespace quorate::queue

// Examples that commands and mail have in common, with every field set.
#pragma once
#include <cstdint>
#include <limits>

#include "broker/queue/commands.h"

namespace quorate::queue {

inline constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
inline constexpr SessionId kExampleSession{.node = NodeId(3), .epoch = Epoch(200), .serial = 70'000};
inline constexpr ConsumerKey kExampleConsumer{.session = kExampleSession, .link = 4};
inline constexpr Attach kExampleAttach{.consumer = kExampleConsumer,
                                       .no_ack = true,
                                       .exclusive = true,
                                       .priority = std::numeric_limits<std::int32_t>::min(),
                                       .prefetch = std::numeric_limits<std::uint32_t>::max(),
                                       .window = 1u << 20};

}  // namespace quorate::queue

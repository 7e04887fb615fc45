// A Configuration as the payload of a config entry, and the way from one to another.
//   configuration := format:u8 machine_version:varint voters outgoing learners joining
//   (each list)   := count:varint (replica:u64 big-endian)*           ascending, apart from each other
#pragma once
#include <optional>

#include "base/bytes.h"
#include "raft/types.h"

namespace quorate::raft {

Bytes encode_configuration(const Configuration& configuration);
/// nullopt: cut, of another format, or not is_valid().
std::optional<Configuration> decode_configuration(ByteView bytes);

/// It has voters, not too many, its lists are ascending, and nobody is both a voter and a learner.
bool is_valid(const Configuration& configuration);

/// What to append on the way from `current` to `target`: the target itself when at most one voter comes or goes,
/// otherwise the joint configuration between them.
Configuration next_towards(const Configuration& current, const Configuration& target);
/// The configuration that a joint one leads to.
Configuration leave_joint(const Configuration& joint);

}  // namespace quorate::raft

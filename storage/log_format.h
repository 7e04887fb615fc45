// The bytes of the log database: keys, entries and hard states, each value under its own checksum. The grammar with a
// worked example is docs/formats/log.md; a change of it changes kFormat.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "raft/types.h"

namespace quorate::storage {

inline constexpr std::uint8_t kFormat = 1;
inline constexpr std::size_t kGroupKeyBytes = 8;
inline constexpr std::size_t kLogKeyBytes = 24;
inline constexpr std::size_t kEntryHeaderBytes = 14;
inline constexpr std::size_t kHardStateBytes = 21;

/// Sorts as (group, index, term) do, which is what makes a scan a log.
struct LogKey {
  GroupId group;
  LogIndex index;
  Term term;
  bool operator==(const LogKey&) const = default;
};

std::array<std::byte, kGroupKeyBytes> encode_group_key(GroupId group);
std::array<std::byte, kLogKeyBytes> encode_log_key(const LogKey& key);
/// What stands in front of the payload in an entry's value.
std::array<std::byte, kEntryHeaderBytes> encode_entry_header(GroupId group, const raft::Entry& entry);
std::array<std::byte, kHardStateBytes> encode_hard_state(GroupId group, const raft::HardState& state);

// The decoders answer nullopt to bytes that are cut, damaged, of another format, or stored under another key.
std::optional<GroupId> decode_group_key(ByteView key);
std::optional<LogKey> decode_log_key(ByteView key);
std::optional<raft::Entry> decode_entry(const LogKey& key, ByteView value);
std::optional<raft::HardState> decode_hard_state(GroupId group, ByteView value);

}  // namespace quorate::storage

// The bytes of the log database: keys, entries and rows of groups, each value under its own checksum. The grammar with
// a worked example is docs/formats/log.md; a change of it changes kEntryFormat or kRowFormat.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/ids.h"
#include "raft/types.h"
#include "storage/group_storage.h"

namespace quorate::storage {

inline constexpr std::uint8_t kEntryFormat = 1;
inline constexpr std::uint8_t kRowFormat = 2;
inline constexpr std::size_t kGroupKeyBytes = 8;
inline constexpr std::size_t kLogKeyBytes = 24;
inline constexpr std::size_t kEntryHeaderBytes = 14;

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
std::vector<std::byte> encode_row(GroupId group, const GroupRow& row);

// The decoders answer nullopt to bytes that are cut, damaged, of another format, or stored under another key.
std::optional<GroupId> decode_group_key(ByteView key);
std::optional<LogKey> decode_log_key(ByteView key);
std::optional<raft::Entry> decode_entry(const LogKey& key, ByteView value);
std::optional<GroupRow> decode_row(GroupId group, ByteView value);

/// As a part of a value: empty stands for a configuration that is not known yet.
void write_configuration(ByteWriter& writer, const raft::Configuration& configuration);
bool read_configuration(ByteReader& reader, raft::Configuration& configuration);

}  // namespace quorate::storage

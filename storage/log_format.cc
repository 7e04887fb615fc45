#include "storage/log_format.h"

#include <chrono>
#include <cstring>
#include <span>
#include <utility>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "raft/configuration.h"

namespace quorate::storage {
namespace {

constexpr std::size_t kChecksumBytes = sizeof(std::uint32_t);
constexpr std::uint8_t kIsRecovering = 1;
constexpr std::uint8_t kIsInstalling = 2;
constexpr std::uint8_t kKnowsCompany = 4;
constexpr std::uint8_t kHasOthers = 8;
constexpr std::uint8_t kAllFlags = kIsRecovering | kIsInstalling | kKnowsCompany | kHasOthers;

unsigned flags_of(const GroupRow& row) {
  unsigned flags = 0;
  if (row.hard_state.recovering) flags |= kIsRecovering;
  if (row.installing) flags |= kIsInstalling;
  if (row.company) flags |= kKnowsCompany;
  if (row.company && row.company->has_others) flags |= kHasOthers;
  return flags;
}

/// Fills a buffer of known size from front to back.
class FixedWriter {
 public:
  explicit FixedWriter(std::span<std::byte> out) : out_(out) {}

  template <std::unsigned_integral T>
  void write(T value) {
    CHECK_LE(sizeof(T), out_.size());
    const T raw = big_endian(value);
    std::memcpy(out_.data(), &raw, sizeof(T));
    out_ = out_.subspan(sizeof(T));
  }

 private:
  std::span<std::byte> out_;
};

std::uint32_t entry_checksum(const LogKey& key, ByteView header_after_checksum, ByteView payload) {
  return crc32c(crc32c(crc32c(0, encode_log_key(key)), header_after_checksum), payload);
}

std::uint32_t row_checksum(GroupId group, ByteView after_checksum) {
  return crc32c(crc32c(0, encode_group_key(group)), after_checksum);
}

}  // namespace

std::array<std::byte, kGroupKeyBytes> encode_group_key(GroupId group) {
  std::array<std::byte, kGroupKeyBytes> out{};
  FixedWriter(out).write(group.value());
  return out;
}

std::array<std::byte, kLogKeyBytes> encode_log_key(const LogKey& key) {
  std::array<std::byte, kLogKeyBytes> out{};
  FixedWriter writer(out);
  writer.write(key.group.value());
  writer.write(key.index.value());
  writer.write(key.term.value());
  return out;
}

std::array<std::byte, kEntryHeaderBytes> encode_entry_header(GroupId group, const raft::Entry& entry) {
  std::array<std::byte, kEntryHeaderBytes> out{};
  const std::span after_checksum = std::span(out).subspan(kChecksumBytes);
  FixedWriter writer(after_checksum);
  writer.write(kEntryFormat);
  writer.write(static_cast<std::uint8_t>(entry.type));
  writer.write(static_cast<std::uint64_t>(entry.ts.time_since_epoch().count()));
  const LogKey key{.group = group, .index = entry.index, .term = entry.term};
  FixedWriter(out).write(entry_checksum(key, after_checksum, entry.payload.view()));
  return out;
}

std::vector<std::byte> encode_row(GroupId group, const GroupRow& row) {
  std::vector<std::byte> out;
  ByteWriter writer(out);
  writer.write(std::uint32_t{0});
  writer.write(kRowFormat);
  writer.write(row.hard_state.term.value());
  writer.write(row.hard_state.voted_for.value());
  writer.write(static_cast<std::uint8_t>(flags_of(row)));
  writer.write(row.self.value());
  write_configuration(writer, row.configuration);
  if (row.installing) {
    writer.write(row.installing->index.value());
    writer.write(row.installing->term.value());
  }
  if (row.company) writer.write(row.company->since.value());
  writer.patch(0, row_checksum(group, ByteView(out).subspan(kChecksumBytes)));
  return out;
}

std::optional<GroupId> decode_group_key(ByteView key) {
  ByteReader reader(key);
  std::uint64_t group = 0;
  if (!reader.read(group) || !reader.done()) return std::nullopt;
  return GroupId(group);
}

std::optional<LogKey> decode_log_key(ByteView key) {
  ByteReader reader(key);
  std::uint64_t group = 0;
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  if (!reader.read(group) || !reader.read(index) || !reader.read(term) || !reader.done()) return std::nullopt;
  return LogKey{.group = GroupId(group), .index = LogIndex(index), .term = Term(term)};
}

std::optional<raft::Entry> decode_entry(const LogKey& key, ByteView value) {
  ByteReader reader(value);
  std::uint32_t checksum = 0;
  std::uint8_t format = 0;
  std::uint8_t type = 0;
  std::uint64_t ts = 0;
  if (!reader.read(checksum) || !reader.read(format) || !reader.read(type) || !reader.read(ts)) return std::nullopt;
  const ByteView after_checksum = value.subspan(kChecksumBytes, kEntryHeaderBytes - kChecksumBytes);
  if (entry_checksum(key, after_checksum, reader.rest()) != checksum) return std::nullopt;
  if (format != kEntryFormat || type > static_cast<std::uint8_t>(raft::EntryType::config)) return std::nullopt;
  return raft::Entry{.index = key.index,
                     .term = key.term,
                     .type = static_cast<raft::EntryType>(type),
                     .ts = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(ts))),
                     .payload = Bytes::copy_of(reader.rest())};
}

std::optional<GroupRow> decode_row(GroupId group, ByteView value) {
  ByteReader reader(value);
  std::uint32_t checksum = 0;
  std::uint8_t format = 0;
  if (!reader.read(checksum) || row_checksum(group, reader.rest()) != checksum) return std::nullopt;
  if (!reader.read(format) || format != kRowFormat) return std::nullopt;
  std::uint64_t term = 0;
  std::uint64_t voted_for = 0;
  std::uint8_t flags = 0;
  std::uint64_t self = 0;
  GroupRow row;
  if (!reader.read(term) || !reader.read(voted_for) || !reader.read(flags) || !reader.read(self) ||
      !read_configuration(reader, row.configuration) || (flags & ~kAllFlags) != 0 ||
      (flags & (kKnowsCompany | kHasOthers)) == kHasOthers) {
    return std::nullopt;
  }
  row.hard_state = {
      .term = Term(term), .voted_for = raft::ReplicaId(voted_for), .recovering = (flags & kIsRecovering) != 0};
  row.self = raft::ReplicaId(self);
  if ((flags & kIsInstalling) != 0) {
    std::uint64_t index = 0;
    if (!reader.read(index) || !reader.read(term)) return std::nullopt;
    row.installing = {.index = LogIndex(index), .term = Term(term)};
  }
  if ((flags & kKnowsCompany) != 0) {
    std::uint64_t since = 0;
    if (!reader.read(since)) return std::nullopt;
    row.company = {.since = LogIndex(since), .has_others = (flags & kHasOthers) != 0};
  }
  if (!reader.done()) return std::nullopt;
  return row;
}

void write_configuration(ByteWriter& writer, const raft::Configuration& configuration) {
  if (configuration == raft::Configuration{}) return writer.write_sized(ByteView());
  CHECK(raft::is_valid(configuration));  // or else nobody could read it back
  writer.write_sized(raft::encode_configuration(configuration).view());
}

bool read_configuration(ByteReader& reader, raft::Configuration& configuration) {
  ByteView bytes;
  if (!reader.read_sized(bytes)) return false;
  if (bytes.empty()) {
    configuration = {};
    return true;
  }
  auto decoded = raft::decode_configuration(bytes);
  if (!decoded) return reader.fail();
  configuration = std::move(*decoded);
  return true;
}

}  // namespace quorate::storage

#include "storage/durability_mark.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "storage/files.h"

namespace quorate::storage {
namespace {

constexpr std::uint8_t kMarkFormat = 2;
constexpr std::size_t kChecksumBytes = sizeof(std::uint32_t);
constexpr std::size_t kSlotCount = 2;

}  // namespace

MarkSlot encode_mark_slot(const Mark& mark, std::uint64_t version) {
  CHECK_LE(mark.database.size(), kMarkDatabaseMaxBytes);
  std::vector<std::byte> bytes;
  ByteWriter writer(bytes);
  writer.write(std::uint32_t{0});
  writer.write(kMarkFormat);
  writer.write(version);
  writer.write(mark.sequence);
  writer.write(mark.epoch.value());
  writer.write(mark.promises);
  writer.write(static_cast<std::uint8_t>(mark.is_burned ? 1 : 0));
  writer.write_sized(mark.database);
  bytes.resize(kMarkSlotBytes);
  writer.patch(0, crc32c(0, ByteView(bytes).subspan(kChecksumBytes)));
  MarkSlot slot{};
  std::ranges::copy(bytes, slot.begin());
  return slot;
}

std::optional<VersionedMark> decode_mark_slot(ByteView slot) {
  if (slot.size() != kMarkSlotBytes) return std::nullopt;
  ByteReader reader(slot);
  std::uint32_t checksum = 0;
  std::uint8_t format = 0;
  std::uint32_t epoch = 0;
  std::uint8_t burned = 0;
  VersionedMark out;
  const bool is_whole = reader.read(checksum) && reader.read(format) && reader.read(out.version) &&
                        reader.read(out.mark.sequence) && reader.read(epoch) && reader.read(out.mark.promises) &&
                        reader.read(burned) && reader.read_sized(out.mark.database);
  if (!is_whole || format != kMarkFormat || out.mark.database.size() > kMarkDatabaseMaxBytes) return std::nullopt;
  if (crc32c(0, slot.subspan(kChecksumBytes)) != checksum) return std::nullopt;
  if (burned > 1) return std::nullopt;
  out.mark.epoch = Epoch(epoch);
  out.mark.is_burned = burned == 1;
  return out;
}

DurabilityMark::~DurabilityMark() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::optional<Mark>> DurabilityMark::load() {
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<Mark>();
  if (fd < 0) return refused_by_system("open", path_);
  std::array<std::byte, kSlotCount * kMarkSlotBytes> slots{};
  const ssize_t size = ::pread(fd, slots.data(), slots.size(), 0);
  ::close(fd);
  if (size < 0) return refused_by_system("read", path_);
  if (size == 0) return std::optional<Mark>();  // created, and the power went before the first store

  std::optional<VersionedMark> newest;
  for (std::size_t i = 0; i < kSlotCount; ++i) {
    const auto slot = decode_mark_slot(ByteView(slots).subspan(i * kMarkSlotBytes, kMarkSlotBytes));
    if (slot && (!newest || slot->version > newest->version)) newest = slot;
  }
  if (!newest) {
    return failure(ErrorCode::corruption,
                   fmt::format("both slots of {} are damaged, so nothing says whether all synced writes are still "
                               "there: restore the data directory, or let the other members replace this node",
                               path_));
  }
  version_ = newest->version;
  return std::optional(std::move(newest->mark));
}

Result<void> DurabilityMark::store(const Mark& mark) {
  if (fd_ < 0) {
    if (auto opened = open_for_writing(); !opened) return opened;
  }
  const std::uint64_t version = version_ + 1;
  const MarkSlot slot = encode_mark_slot(mark, version);
  const auto offset = static_cast<off_t>((version % kSlotCount) * kMarkSlotBytes);
  if (::pwrite(fd_, slot.data(), slot.size(), offset) != static_cast<ssize_t>(slot.size())) {
    return refused_by_system("write", path_);
  }
  version_ = version;
  return {};
}

/// Its name must be as durable as its bytes, so the directory is synced when the file is new.
Result<void> DurabilityMark::open_for_writing() {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_DSYNC | O_CLOEXEC, 0640);
  if (fd_ < 0) return refused_by_system("open", path_);
  return sync_directory_of(path_);
}

}  // namespace quorate::storage

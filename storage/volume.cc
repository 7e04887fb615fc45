#include "storage/volume.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "storage/files.h"

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kDatabases = {"log", "state"};
constexpr std::uint64_t kMiB = 1u << 20;

std::uint64_t wal_bytes(const fs::path& database) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator at(database, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const std::uint64_t size = at->path().extension() == ".log" ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace

Result<Volume> volume_of(const std::string& path) {
  struct statvfs facts{};
  int outcome = 0;
  do {
    outcome = ::statvfs(path.c_str(), &facts);
  } while (outcome != 0 && errno == EINTR);
  if (outcome != 0) return refused_by_system("ask for the free space of", path);
  return Volume{.free_bytes = static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize,
                .size_bytes = static_cast<std::uint64_t>(facts.f_blocks) * facts.f_frsize};
}

std::uint64_t bytes_to_open(const std::string& data_dir) {
  std::uint64_t bytes = kRoomToOpenMinBytes;
  for (const std::string_view database : kDatabases) bytes += wal_bytes(fs::path(data_dir) / database);
  return bytes;
}

Result<void> check_room_to_open(const std::string& data_dir) {
  const auto volume = volume_of(data_dir);
  if (!volume) return std::unexpected(volume.error());
  const std::uint64_t needed = bytes_to_open(data_dir);
  if (volume->free_bytes >= needed) return {};
  return failure(ErrorCode::io,
                 fmt::format("the volume of {} is full: {} MiB are free, and opening the log needs {} MiB. Free space "
                             "there, or enlarge the volume; do not delete files of this node",
                             data_dir, volume->free_bytes / kMiB, (needed + kMiB - 1) / kMiB));
}

}  // namespace quorate::storage

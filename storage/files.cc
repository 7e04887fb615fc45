#include "storage/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/bytes.h"

namespace quorate::storage {

std::unexpected<Error> refused_by_system(const std::string& doing, const std::string& path) {
  return failure(ErrorCode::io, fmt::format("cannot {} {}: {}", doing, path, std::generic_category().message(errno)));
}

Result<void> sync_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return refused_by_system("open", directory);
  const bool is_synced = ::fsync(fd) == 0;
  ::close(fd);
  if (!is_synced) return refused_by_system("sync", directory);
  return {};
}

Result<std::optional<std::vector<std::byte>>> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::optional<std::vector<std::byte>>();
  if (fd < 0) return refused_by_system("open", path);
  std::vector<std::byte> out;
  std::array<std::byte, 1u << 16> piece{};
  ssize_t size = 0;
  while ((size = ::read(fd, piece.data(), piece.size())) > 0)
    out.insert(out.end(), piece.begin(), piece.begin() + size);
  ::close(fd);
  if (size < 0) return refused_by_system("read", path);
  return std::optional(std::move(out));
}

bool write_fully(int fd, const std::byte* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

Result<void> write_file(const std::string& path, std::string_view content) {
  const std::string draft = path + ".new";
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return refused_by_system("open", draft);
  const ByteView bytes = as_bytes(content);
  const bool is_written = write_fully(fd, bytes.data(), bytes.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!is_written) return refused_by_system("write", draft);
  if (std::rename(draft.c_str(), path.c_str()) != 0) return refused_by_system("rename", draft);
  return sync_directory_of(path);
}

}  // namespace quorate::storage

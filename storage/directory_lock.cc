#include "storage/directory_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace quorate::storage {
namespace {

std::string read_pid(int fd) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory) {
  const std::string path = directory + "/quorate.lock";
  const auto refused = [&](const char* doing) {
    return failure(ErrorCode::io, fmt::format("cannot {} {}: {}", doing, path, std::generic_category().message(errno)));
  };
  DirectoryLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (lock.fd_ < 0) return refused("open");
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return refused("lock");
    return failure(ErrorCode::unavailable,
                   fmt::format("data directory {} is in use by process {}: stop it first, or start this node with "
                               "another --data-dir",
                               directory, read_pid(lock.fd_)));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  const bool is_written = ::ftruncate(lock.fd_, 0) == 0 &&
                          ::pwrite(lock.fd_, pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
  if (!is_written) return refused("write");
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace quorate::storage

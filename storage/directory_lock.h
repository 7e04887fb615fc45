// DirectoryLock: one process per data directory. The kernel drops the lock when the process dies, however it dies.
#pragma once
#include <string>

#include "base/result.h"

namespace quorate::storage {

class DirectoryLock {
 public:
  /// Locks `directory`/quorate.lock, which then holds our pid. ErrorCode::unavailable names the process that has it.
  static Result<DirectoryLock> acquire(const std::string& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&& other) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace quorate::storage

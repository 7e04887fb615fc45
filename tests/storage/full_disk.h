// What the disk says when it is full or broken, for one process.
#pragma once
#include <sys/resource.h>

#include <csignal>

namespace quorate::storage {

/// Lets this process's files grow no further than this, for as long as it lives.
class FullDisk {
 public:
  explicit FullDisk(rlim_t file_bytes_max = 64u << 10) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{.rlim_cur = file_bytes_max, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

}  // namespace quorate::storage

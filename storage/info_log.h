// InfoLog: what RocksDB says of its own work, in the file LOG of its directory, for whoever wants to know why a flush
// or a compaction was done and what it cost. RocksDB's own does not outlive a full disk: it asserts that nobody writes
// after a write that failed, and ends the process. This one loses the line. RocksDB's threads write to it.
#pragma once
#include <rocksdb/env.h>

#include <cstdarg>
#include <cstddef>
#include <mutex>
#include <string>

namespace quorate::storage {

class InfoLog final : public rocksdb::Logger {
 public:
  /// Of one start. A file that is there becomes LOG.old.1, and so on; so does LOG when it is longer than kBytesMax.
  explicit InfoLog(std::string directory);
  ~InfoLog() override;

  static constexpr std::size_t kBytesMax = 4u << 20;
  static constexpr int kOldFiles = 2;

  using Logger::Logv;
  void Logv(const char* format, std::va_list arguments) override;

 private:
  void begin_file();

  const std::string path_;
  std::mutex mutex_;
  int fd_ = -1;            // guarded by mutex_; -1: there is no file, and lines are lost
  std::size_t bytes_ = 0;  // guarded by mutex_
};

}  // namespace quorate::storage

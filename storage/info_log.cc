#include "storage/info_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "storage/files.h"

namespace quorate::storage {
namespace {

constexpr std::size_t kLineBytesMax = 16u << 10;  // a longer one is cut

}  // namespace

InfoLog::InfoLog(std::string directory) : path_(std::move(directory) + "/LOG") { begin_file(); }

InfoLog::~InfoLog() {
  if (fd_ >= 0) ::close(fd_);
}

void InfoLog::begin_file() {
  const auto old = [this](int number) { return fmt::format("{}.old.{}", path_, number); };
  for (int number = kOldFiles; number > 1; --number) std::rename(old(number - 1).c_str(), old(number).c_str());
  std::rename(path_.c_str(), old(1).c_str());
  if (fd_ >= 0) ::close(fd_);
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  bytes_ = 0;
}

void InfoLog::Logv(const char* format, std::va_list arguments) {
  std::array<char, kLineBytesMax> text{};
  const int wanted = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (wanted < 0) return;
  std::string_view words(text.data(), std::min(static_cast<std::size_t>(wanted), text.size() - 1));
  while (words.ends_with('\n')) words.remove_suffix(1);
  // Milliseconds since 1970, as RocksDB's own events count time.
  const std::string line = fmt::format("{} {}\n", SystemClock().wall().time_since_epoch().count(), words);
  const std::lock_guard lock(mutex_);
  if (bytes_ > kBytesMax) begin_file();
  if (fd_ < 0) return;
  const bool is_written = write_fully(fd_, reinterpret_cast<const std::byte*>(line.data()), line.size());
  bytes_ += is_written ? line.size() : 0;
}

}  // namespace quorate::storage

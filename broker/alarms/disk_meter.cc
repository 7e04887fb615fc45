#include "broker/alarms/disk_meter.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <system_error>

namespace quorate::alarms {

Result<std::uint64_t> disk_free_bytes(const std::string& path) {
  struct statvfs volume{};
  int outcome = 0;
  do {
    outcome = statvfs(path.c_str(), &volume);
  } while (outcome != 0 && errno == EINTR);
  if (outcome != 0) {
    const std::string reason = std::error_code(errno, std::generic_category()).message();
    return failure(ErrorCode::io, "cannot ask for the free space of '" + path + "': " + reason);
  }
  return static_cast<std::uint64_t>(volume.f_bavail) * volume.f_frsize;
}

}  // namespace quorate::alarms

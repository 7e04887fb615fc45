#include "broker/alarms/memory_meter.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "broker/alarms/memory_files.h"

namespace quorate::alarms {
namespace {

constexpr std::size_t kFileMaxBytes = 64u << 10;  // what follows is not read; /proc/meminfo has 2 KiB
constexpr unsigned kCgroupDepthMax = 64;

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(kFileMaxBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::unexpected<Error> unreadable(const std::string& path) {
  return failure(ErrorCode::io, "cannot read the memory in use or available from " + path);
}

/// Looks at `file` in the folder of the process's cgroup and in each folder around it, up to the mount. In a container
/// the inner ones may not be there: what is mounted is then the container's own cgroup.
void narrow(MemoryAvailable& available, const std::string& root, const std::string& mount, std::string path,
            std::string_view file) {
  for (unsigned depth = 0; depth < kCgroupDepthMax; ++depth) {
    while (path.ends_with('/')) path.pop_back();
    const std::string name = mount + path + "/" + std::string(file);
    const auto text = read_file(root + name);
    const auto limit = text ? parse_cgroup_limit(*text) : std::nullopt;
    if (limit && *limit < available.bytes) available = {.bytes = *limit, .source = name};
    if (path.empty()) return;
    path.resize(path.rfind('/'));
  }
}

}  // namespace

Result<std::uint64_t> MemoryMeter::used_bytes() const {
  const std::string path = root_ + "/proc/self/statm";
  const auto text = read_file(path);
  const auto used = text ? parse_statm(*text, static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))) : std::nullopt;
  if (!used) return unreadable(path);
  return *used;
}

Result<MemoryAvailable> MemoryMeter::available() const {
  MemoryAvailable available{.bytes = kNoLimit, .source = ""};
  const auto meminfo = read_file(root_ + "/proc/meminfo");
  if (const auto total = meminfo ? parse_mem_total(*meminfo) : std::nullopt) {
    available = {.bytes = *total, .source = "MemTotal"};
  }
  if (const auto cgroup = read_file(root_ + "/proc/self/cgroup")) {
    const CgroupPaths paths = parse_cgroup_paths(*cgroup);
    if (paths.unified) narrow(available, root_, "/sys/fs/cgroup", *paths.unified, "memory.max");
    if (paths.v1_memory) narrow(available, root_, "/sys/fs/cgroup/memory", *paths.v1_memory, "memory.limit_in_bytes");
  }
  if (available.source.empty()) return unreadable(root_ + "/proc/meminfo");
  return available;
}

}  // namespace quorate::alarms

#include "broker/node/process_facts.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "storage/volume.h"

namespace quorate {

OpenFiles open_files() {
  OpenFiles open;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error)) {
    ++open.all;
    std::error_code gone;
    if (std::filesystem::read_symlink(at->path(), gone).native().starts_with("socket:")) ++open.sockets;
  }
  return open;
}

std::uint64_t open_files_max() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

std::uint64_t resident_memory_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  std::uint64_t resident_pages = 0;
  if (!(statm >> pages >> resident_pages)) return 0;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t usable_cores() {
  cpu_set_t mine;
  const bool is_known = ::sched_getaffinity(0, sizeof(mine), &mine) == 0;
  const long count = is_known ? CPU_COUNT(&mine) : ::sysconf(_SC_NPROCESSORS_ONLN);
  return static_cast<std::size_t>(std::max(1L, count));
}

std::uint64_t process_id() { return static_cast<std::uint64_t>(::getpid()); }

http::NodeRow describe_process(const Config& config) {
  const OpenFiles files = open_files();
  const auto volume = storage::volume_of(config.data_dir);
  return {.name = config.node_name,
          .running = true,
          .os_pid = process_id(),
          .files_open = files.all,
          .files_max = open_files_max(),
          .sockets_open = files.sockets,
          .memory_used = resident_memory_bytes(),
          .disk_free = volume ? volume->free_bytes : 0,
          .data_dir = config.data_dir,
          .log_files = config.log.file.empty() ? std::vector<std::string>{} : std::vector{config.log.file},
          .config_files = {},
          .listeners = {}};
}

}  // namespace quorate

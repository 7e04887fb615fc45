// Any text as the files in which Linux says how much memory there is. What is read of it has a bound and a form.
#include <string_view>

#include "base/check.h"
#include "broker/alarms/memory_files.h"

using namespace quorate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool has_a_line = text.find('\n') != std::string_view::npos;
  const auto used = alarms::parse_statm(text, 4096);
  const auto total = alarms::parse_mem_total(text);
  const auto limit = alarms::parse_cgroup_limit(text);
  if (!has_a_line) CHECK(!used && !total && !limit);
  if (used) CHECK_EQ(*used % 4096, 0u);
  if (total) CHECK_EQ(*total % 1024, 0u);
  const alarms::CgroupPaths paths = alarms::parse_cgroup_paths(text);
  for (const auto& path : {paths.unified, paths.v1_memory}) {
    if (path) CHECK(path->starts_with('/') && path->size() < size && path->find('\n') == std::string::npos);
  }
  return 0;
}

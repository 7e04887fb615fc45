#include "broker/alarms/memory_meter.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "broker/alarms/memory_files.h"
#include "tests/storage/directories.h"

namespace quorate::alarms {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

/// A folder with what a test writes into /proc and /sys.
class ForgedMachine {
 public:
  ForgedMachine() {
    write("/proc/meminfo", "MemTotal:        1024000 kB\nMemFree:          1 kB\n");  // 1000 MiB
  }

  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path whole = root() + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::binary) << text;
  }
  MemoryMeter meter() const { return MemoryMeter(root()); }
  MemoryAvailable available() const { return meter().available().value_or(MemoryAvailable{}); }
  std::string root() const { return directory_.path(); }

 private:
  storage::TestDirectory directory_;
};

TEST(MemoryFiles, ReadWhatTheKernelWrites) {
  EXPECT_EQ(parse_statm("765 432 404 5 0 123 0\n", 4096), 28u * 4096);
  EXPECT_EQ(parse_mem_total("MemFree: 7 kB\nMemTotal:       24684092 kB\n"), 24684092ull * 1024);
  EXPECT_EQ(parse_cgroup_limit("1073741824\n"), 1u << 30);
  EXPECT_EQ(parse_cgroup_limit("max\n"), kNoLimit);
  const CgroupPaths hybrid = parse_cgroup_paths("9:name=systemd:/\n4:cpu,memory:/a/b\n1:memoryless:/c\n0::/u:v\n");
  EXPECT_EQ(hybrid.v1_memory, "/a/b");
  EXPECT_EQ(hybrid.unified, "/u:v");
}

TEST(MemoryFiles, WhatIsCutIsNoAnswer) {
  const std::string statm = "765 432 404 5 0 123 0\n";
  const std::string meminfo = "MemTotal:       24684092 kB\n";
  const std::string limit = "1073741824\n";
  const std::string paths = "0::/system.slice/quorate.service\n";
  for (std::size_t size = 0; size < statm.size(); ++size) EXPECT_FALSE(parse_statm(statm.substr(0, size), 4096));
  for (std::size_t size = 0; size < meminfo.size(); ++size) EXPECT_FALSE(parse_mem_total(meminfo.substr(0, size)));
  for (std::size_t size = 0; size < limit.size(); ++size) EXPECT_FALSE(parse_cgroup_limit(limit.substr(0, size)));
  for (std::size_t size = 0; size < paths.size(); ++size) {
    EXPECT_FALSE(parse_cgroup_paths(paths.substr(0, size)).unified) << size;
  }
}

TEST(MemoryFiles, WhatIsSomethingElseIsNoAnswer) {
  for (const std::string text : {"\n", "a b c\n", "1 -2 3\n", "1 2 3\n", "1 18446744073709551615 0\n", "1 2x 0\n"}) {
    EXPECT_FALSE(parse_statm(text, 4096)) << text;
  }
  for (const std::string text : {"MemTotal:\n", "MemTotal: x kB\n", "MemTotal: 5 MB\n", "MemTotal: 5\n",
                                 "MemTotal: 18446744073709551615 kB\n", "Total: 5 kB\n"}) {
    EXPECT_FALSE(parse_mem_total(text)) << text;
  }
  for (const std::string text : {"\n", "-1\n", "maximum\n", "5 \n", "99999999999999999999\n"}) {
    EXPECT_FALSE(parse_cgroup_limit(text)) << text;
  }
  for (const std::string text : {"0\n", "0:\n", "0::\n", "0::relative\n", "0::/..\n", "0::/../x\n", ":::::/\n"}) {
    EXPECT_FALSE(parse_cgroup_paths(text).unified) << text;
  }
  EXPECT_FALSE(parse_cgroup_paths("0::/" + std::string(5000, 'x') + "\n").unified);
}

TEST(MemoryMeter, WithoutACgroupTheMachineIsTheLimit) {
  const ForgedMachine machine;
  EXPECT_EQ(machine.available(), (MemoryAvailable{.bytes = 1000 * kMiB, .source = "MemTotal"}));
}

TEST(MemoryMeter, TheTightestCgroupAroundTheProcessIsTheLimit) {
  const ForgedMachine machine;
  machine.write("/proc/self/cgroup", "0::/slice/service\n");
  machine.write("/sys/fs/cgroup/slice/service/memory.max", "max\n");
  EXPECT_EQ(machine.available().source, "MemTotal");
  machine.write("/sys/fs/cgroup/slice/memory.max", std::to_string(300 * kMiB) + "\n");
  EXPECT_EQ(machine.available(), (MemoryAvailable{300 * kMiB, "/sys/fs/cgroup/slice/memory.max"}));
  machine.write("/sys/fs/cgroup/slice/service/memory.max", std::to_string(200 * kMiB) + "\n");
  EXPECT_EQ(machine.available(), (MemoryAvailable{200 * kMiB, "/sys/fs/cgroup/slice/service/memory.max"}));
  machine.write("/sys/fs/cgroup/slice/service/memory.max", std::to_string(2000 * kMiB) + "\n");
  machine.write("/sys/fs/cgroup/slice/memory.max", "garbage");
  EXPECT_EQ(machine.available().source, "MemTotal") << "a limit above the machine's memory is none";
}

TEST(MemoryMeter, AContainerSeesItsOwnCgroupAtTheMount) {
  const ForgedMachine machine;
  machine.write("/proc/self/cgroup", "4:memory:/docker/0123456789ab\n0::/\n");
  machine.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(256 * kMiB) + "\n");
  EXPECT_EQ(machine.available(), (MemoryAvailable{256 * kMiB, "/sys/fs/cgroup/memory/memory.limit_in_bytes"}));
  machine.write("/sys/fs/cgroup/memory.max", std::to_string(128 * kMiB) + "\n");
  EXPECT_EQ(machine.available(), (MemoryAvailable{128 * kMiB, "/sys/fs/cgroup/memory.max"}));
}

TEST(MemoryMeter, SaysWhichFileItCannotRead) {
  const ForgedMachine machine;
  const auto used = machine.meter().used_bytes();
  ASSERT_FALSE(used);
  EXPECT_NE(used.error().text.find("/proc/self/statm"), std::string::npos);
  machine.write("/proc/meminfo", "");
  const auto available = machine.meter().available();
  ASSERT_FALSE(available);
  EXPECT_NE(available.error().text.find("/proc/meminfo"), std::string::npos);
  machine.write("/proc/self/cgroup", "0::/\n");
  machine.write("/sys/fs/cgroup/memory.max", "4096\n");
  EXPECT_EQ(machine.available().bytes, 4096u) << "a limit is enough";
}

TEST(MemoryMeter, CountsWhatThisProcessTouchesAndNotTheFilesItMaps) {
  const MemoryMeter meter;
  const auto before = meter.used_bytes();
  ASSERT_TRUE(before) << before.error().text;
  const std::vector<char> touched(64 * kMiB, 'x');
  const auto after = meter.used_bytes();
  ASSERT_TRUE(after);
  EXPECT_GE(*after, *before + touched.size() - kMiB);
  const auto available = meter.available();
  ASSERT_TRUE(available);
  EXPECT_GT(available->bytes, *after);
}

}  // namespace
}  // namespace quorate::alarms

// How much memory this process uses, and how much it may use: the least of the machine's memory and the limits of its
// cgroup and of every cgroup around that one (v2's memory.max, v1's memory.limit_in_bytes). Both are read anew each
// time: a container's limit may change while we run. Reads a few small files of /proc and /sys, which never block.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"

namespace quorate::alarms {

struct MemoryAvailable {
  std::uint64_t bytes = 0;
  std::string source;  // for a person: "MemTotal", or the file that holds the limit
  bool operator==(const MemoryAvailable&) const = default;
};

class MemoryMeter {
 public:
  /// `root` is what stands before /proc and /sys.
  explicit MemoryMeter(std::string root = "") : root_(std::move(root)) {}

  Result<std::uint64_t> used_bytes() const;
  Result<MemoryAvailable> available() const;

 private:
  std::string root_;
};

}  // namespace quorate::alarms

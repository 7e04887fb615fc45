// How much room the volume of a directory has, and how much the databases in it need to begin. The system is asked anew
// each time; on a local disk it answers from memory.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"

namespace quorate::storage {

struct Volume {
  std::uint64_t free_bytes = 0;  // that a process without privileges may still write
  std::uint64_t size_bytes = 0;
};
/// Of the volume that holds `path`.
Result<Volume> volume_of(const std::string& path);

/// Free space without which no start is tried, besides what the write-ahead logs hold.
inline constexpr std::uint64_t kRoomToOpenMinBytes = 16ull << 20;

/// What opening the databases in `data_dir` may write before it gives anything back: what stands in their write-ahead
/// logs goes into tables first.
std::uint64_t bytes_to_open(const std::string& data_dir);

/// An error when less than that is free. It says how much is missing.
Result<void> check_room_to_open(const std::string& data_dir);

}  // namespace quorate::storage

// How much room the volume of the data directory has left for us. Asks the file system, which on a local disk answers
// from memory.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"

namespace quorate::alarms {

/// Bytes that a process without privileges may still write to the volume that holds `path`.
Result<std::uint64_t> disk_free_bytes(const std::string& path);

}  // namespace quorate::alarms

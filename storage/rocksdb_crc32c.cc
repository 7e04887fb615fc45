// RocksDB's checksums by our function. Debian builds RocksDB for every x86-64, which leaves it a table that takes ten
// times as long (docs/decisions/0019-rocksdb-checksums-by-our-function.md). Nobody here calls this: the program's
// definition goes before the library's, and CMakeLists.txt sees to it that it is linked in.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/crc32c.h"

namespace rocksdb::crc32c {

/// As util/crc32c.h of RocksDB declares it, which is not installed.
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);

std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size) {
  return quorate::crc32c(crc, std::as_bytes(std::span(data, size)));
}

}  // namespace rocksdb::crc32c

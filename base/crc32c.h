// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of every record we keep on disk.
#pragma once
#include <cstdint>

#include "base/bytes.h"

namespace quorate {

/// Continues `crc` over `view`; start with 0. crc32c(crc32c(0, a), b) is the checksum of a followed by b.
std::uint32_t crc32c(std::uint32_t crc, ByteView view);

}  // namespace quorate

#include "base/crc32c.h"

#include <array>
#include <cstring>

namespace quorate {
namespace {

constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[i] = crc;
  }
  return table;
}

constexpr auto kTable = make_table();

std::uint32_t by_table(std::uint32_t crc, ByteView view) {
  for (const std::byte byte : view) {
    crc = kTable[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff] ^ (crc >> 8);
  }
  return crc;
}

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] std::uint32_t by_instruction(std::uint32_t crc, ByteView view) {
  std::uint64_t wide = crc;
  while (view.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, view.data(), sizeof(word));
    wide = __builtin_ia32_crc32di(wide, word);
    view = view.subspan(sizeof(word));
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (const std::byte byte : view) {
    narrow = __builtin_ia32_crc32qi(narrow, static_cast<unsigned char>(byte));
  }
  return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, ByteView view) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return ~by_instruction(~crc, view);
#endif
  return ~by_table(~crc, view);
}

}  // namespace quorate

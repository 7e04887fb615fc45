#include "broker/alarms/shortage_wire.h"

namespace quorate::alarms {
namespace {

constexpr std::byte kFormat{1};
constexpr unsigned kMemory = 1;
constexpr unsigned kDisk = 2;

}  // namespace

void encode(Shortage shortage, std::vector<std::byte>& out) {
  out.push_back(kFormat);
  out.push_back(static_cast<std::byte>((shortage.memory ? kMemory : 0) | (shortage.disk ? kDisk : 0)));
}

std::optional<Shortage> decode_shortage(ByteView bytes) {
  if (bytes.size() != 2 || bytes[0] != kFormat) return std::nullopt;
  const auto bits = std::to_integer<unsigned>(bytes[1]);
  if (bits > (kMemory | kDisk)) return std::nullopt;
  return Shortage{.memory = (bits & kMemory) != 0, .disk = (bits & kDisk) != 0};
}

}  // namespace quorate::alarms

// Room in a buffer for something large.
#pragma once
#include <cstddef>
#include <vector>

namespace quorate {

/// Before `size` bytes are appended: if they are many, what follows them finds room, too, and does not move them. (What
/// is not written to costs no memory.)
inline void make_room(std::vector<std::byte>& out, std::size_t size) {
  constexpr std::size_t kManyBytes = 1u << 20;
  const std::size_t needed = out.size() + size;
  if (size >= kManyBytes && needed > out.capacity()) out.reserve(needed + needed / 4);
}

}  // namespace quorate

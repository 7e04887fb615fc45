// What whoever runs a test may choose by the environment: QUORATE_SEED and the like.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace quorate {

inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace quorate

// Prints the hashes of state_hash.h as this compiler computes them; fails when they are not those expected.
#include "tests/determinism/state_hash.h"

#include <cinttypes>
#include <cstdio>

int main() {
  using namespace quorate::queue;
  const StateHashes hashes = hash_random_commands();
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    std::printf("%8" PRIu64 " commands  0x%08" PRIx32, (i + 1) * kCommandsPerHash, hashes[i]);
    if (hashes[i] != kExpectedHashes[i]) std::printf("  expected 0x%08" PRIx32, kExpectedHashes[i]);
    std::printf("\n");
  }
  return hashes == kExpectedHashes ? 0 : 1;
}

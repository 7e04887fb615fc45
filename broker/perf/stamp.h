// What a message carries at the start of its body so that its receiver knows its age and place. Pure.
//
//   stamp16 := time:u64 producer:u32 sequence:u32        bodies of 16 octets and more
//   stamp12 := time:u64 producer:u8  sequence:u24        bodies of 12 to 15 octets
//
// Big-endian. `time` is CLOCK_MONOTONIC in nanoseconds, so sender and receiver share a machine. Sequences count from 0
// for each producer and are cut to their low bits; extend_sequence() finds the rest. The producer's number is that of
// the agent plus, where it has room, a number drawn for the run, so that messages of another run are recognised.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"

namespace quorate::perf {

inline constexpr std::size_t kCompactStampBytes = 12;
inline constexpr std::size_t kStampBytes = 16;
/// No body is shorter, as with PerfTest.
inline constexpr std::size_t kBodyMinBytes = kCompactStampBytes;

struct Stamp {
  Instant sent{};
  std::uint32_t producer = 0;
  std::uint64_t sequence = 0;
};

/// `body_size` decides the form; at least kBodyMinBytes.
void write_stamp(std::byte* body, std::size_t body_size, const Stamp& stamp);

struct ReadStamp {
  Instant sent{};
  std::uint32_t producer = 0;
  std::uint32_t sequence = 0;  // low bits
  unsigned sequence_bits = 0;
  std::uint32_t producer_mask = 0;  // bits of the producer's number that it has
};

/// `prefix` is the body or its first kStampBytes; false when the body is too short to hold any.
bool read_stamp(ByteView prefix, ReadStamp& stamp);

/// The sequence nearest to `near` whose low `bits` are `low`.
std::uint64_t extend_sequence(std::uint32_t low, unsigned bits, std::uint64_t near);

}  // namespace quorate::perf

#include "broker/perf/stamp.h"

#include <cstring>

#include "base/check.h"
#include "base/cursor.h"

namespace quorate::perf {
namespace {

constexpr unsigned kCompactSequenceBits = 24;
constexpr unsigned kSequenceBits = 32;

template <class T>
void put(std::byte* at, T value) {
  const T raw = big_endian(value);
  std::memcpy(at, &raw, sizeof(raw));
}

template <class T>
T get(const std::byte* at) {
  T raw = 0;
  std::memcpy(&raw, at, sizeof(raw));
  return big_endian(raw);
}

}  // namespace

void write_stamp(std::byte* body, std::size_t body_size, const Stamp& stamp) {
  CHECK_GE(body_size, kCompactStampBytes);
  put(body, static_cast<std::uint64_t>(stamp.sent.time_since_epoch().count()));
  const auto sequence = static_cast<std::uint32_t>(stamp.sequence);
  if (body_size >= kStampBytes) {
    put(body + 8, stamp.producer);
    put(body + 12, sequence);
  } else {
    put(body + 8, stamp.producer << kCompactSequenceBits | (sequence & ((1u << kCompactSequenceBits) - 1)));
  }
}

bool read_stamp(ByteView prefix, ReadStamp& stamp) {
  if (prefix.size() < kCompactStampBytes) return false;
  stamp.sent = Instant(Duration(static_cast<Duration::rep>(get<std::uint64_t>(prefix.data()))));
  const auto word = get<std::uint32_t>(prefix.data() + 8);
  if (prefix.size() >= kStampBytes) {
    stamp.producer = word;
    stamp.producer_mask = ~0u;
    stamp.sequence = get<std::uint32_t>(prefix.data() + 12);
    stamp.sequence_bits = kSequenceBits;
  } else {
    stamp.producer = word >> kCompactSequenceBits;
    stamp.producer_mask = 0xff;
    stamp.sequence = word & ((1u << kCompactSequenceBits) - 1);
    stamp.sequence_bits = kCompactSequenceBits;
  }
  return true;
}

std::uint64_t extend_sequence(std::uint32_t low, unsigned bits, std::uint64_t near) {
  const std::uint64_t span = std::uint64_t{1} << bits;
  const std::uint64_t candidate = (near & ~(span - 1)) | low;
  if (candidate > near && candidate - near > span / 2 && candidate >= span) return candidate - span;
  if (candidate < near && near - candidate > span / 2) return candidate + span;
  return candidate;
}

}  // namespace quorate::perf

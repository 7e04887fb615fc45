// Big-endian and varint readers and writers over plain bytes: the alphabet of AMQP frames, log entries and snapshots.
// A reader never reads past its end and never throws: a short read returns false and leaves the reader failed.
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace quorate {

template <std::unsigned_integral T>
constexpr T big_endian(T value) {
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}

class ByteReader {
 public:
  explicit ByteReader(ByteView view) : view_(view) {}

  template <std::unsigned_integral T>
  bool read(T& out) {
    if (!has(sizeof(T))) return false;
    T raw = 0;
    std::memcpy(&raw, view_.data(), sizeof(T));
    out = big_endian(raw);
    view_ = view_.subspan(sizeof(T));
    return true;
  }

  /// LEB128, at most ten bytes; a longer or cut one fails.
  bool read_varint(std::uint64_t& out) {
    out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::uint8_t byte = 0;
      if (!read(byte)) return false;
      out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return fail();
  }

  bool read_bytes(std::size_t size, ByteView& out) {
    if (!has(size)) return false;
    out = view_.first(size);
    view_ = view_.subspan(size);
    return true;
  }
  /// A varint length, then that many bytes.
  bool read_sized(ByteView& out) {
    std::uint64_t size = 0;
    return read_varint(size) && read_bytes(size, out);
  }
  bool read_sized(std::string& out) {
    ByteView view;
    if (!read_sized(view)) return false;
    out = as_text(view);
    return true;
  }

  std::size_t remaining() const { return view_.size(); }
  ByteView rest() const { return view_; }
  bool done() const { return !failed_ && view_.empty(); }
  bool failed() const { return failed_; }
  /// For a caller whose grammar the bytes break: nothing can be read any more. Returns false.
  bool fail() {
    failed_ = true;
    return false;
  }

 private:
  bool has(std::size_t size) { return !failed_ && (size <= view_.size() || fail()); }

  ByteView view_;
  bool failed_ = false;
};

/// Appends to a buffer that the caller owns and may reuse.
class ByteWriter {
 public:
  explicit ByteWriter(std::vector<std::byte>& out) : out_(out) {}

  template <std::unsigned_integral T>
  void write(T value) {
    const T raw = big_endian(value);
    const auto* bytes = reinterpret_cast<const std::byte*>(&raw);
    out_.insert(out_.end(), bytes, bytes + sizeof(T));
  }
  void write_varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<std::byte>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<std::byte>(value));
  }
  void write_bytes(ByteView view) { out_.insert(out_.end(), view.begin(), view.end()); }
  void write_sized(ByteView view) {
    make_room_for_large(view.size());
    write_varint(view.size());
    write_bytes(view);
  }
  void write_sized(std::string_view text) { write_sized(as_bytes(text)); }

  /// Overwrites a fixed-width integer written earlier, for lengths known only afterwards.
  template <std::unsigned_integral T>
  void patch(std::size_t offset, T value) {
    CHECK_LE(offset + sizeof(T), out_.size());
    const T raw = big_endian(value);
    std::memcpy(out_.data() + offset, &raw, sizeof(T));
  }
  std::size_t size() const { return out_.size(); }

 private:
  /// What follows something large finds room, too, and does not move it. (What is not written to costs no memory.)
  void make_room_for_large(std::size_t size) {
    constexpr std::size_t kLargeBytes = 1u << 20;
    const std::size_t needed = out_.size() + size;
    if (size >= kLargeBytes && needed > out_.capacity()) out_.reserve(needed + needed / 4);
  }

  std::vector<std::byte>& out_;
};

}  // namespace quorate

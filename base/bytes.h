// ByteView borrows bytes, Bytes owns them: immutable, counted, and cheap to slice.
// A message is encoded into one Bytes when it arrives and travels as slices of it from there on; the count is atomic
// because publisher, queue and consumer may live on three shards.
#pragma once
#include <algorithm>
#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace quorate {

using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView view) { return {reinterpret_cast<const char*>(view.data()), view.size()}; }

class Bytes {
 public:
  Bytes() = default;
  /// One allocation holding the count and a copy of `view`.
  static Bytes copy_of(ByteView view) {
    Bytes bytes = allocate(view.size());
    if (!view.empty()) std::memcpy(bytes.mutable_data(), view.data(), view.size());
    return bytes;
  }
  static Bytes copy_of(std::string_view text) { return copy_of(as_bytes(text)); }

  /// `size` bytes to be written through mutable_data() before the first copy is made.
  static Bytes allocate(std::size_t size) {
    void* memory = ::operator new(sizeof(Block) + size);
    auto* block = new (memory) Block{};
    Bytes bytes;
    bytes.block_ = block;
    bytes.data_ = reinterpret_cast<std::byte*>(block + 1);
    bytes.size_ = size;
    return bytes;
  }

  Bytes(const Bytes& other) : block_(other.block_), data_(other.data_), size_(other.size_) { acquire(); }
  Bytes(Bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Bytes() { release(); }

  ByteView view() const { return {data_, size_}; }
  std::string_view text() const { return as_text(view()); }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Shares the memory of the whole; keeps all of it alive.
  Bytes slice(std::size_t offset, std::size_t size) const {
    CHECK_LE(offset, size_);
    CHECK_LE(size, size_ - offset);
    Bytes part = *this;
    part.data_ += offset;
    part.size_ = size;
    return part;
  }

  /// Only for the one owner that fills a freshly allocated Bytes.
  std::byte* mutable_data() {
    CHECK(block_ == nullptr || block_->count.load(std::memory_order_relaxed) == 1);
    return data_;
  }

  friend bool operator==(const Bytes& a, const Bytes& b) { return std::ranges::equal(a.view(), b.view()); }

 private:
  struct alignas(std::max_align_t) Block {
    std::atomic<std::uint32_t> count{1};
  };

  void acquire() const {
    if (block_ != nullptr) block_->count.fetch_add(1, std::memory_order_relaxed);
  }
  void release() {
    if (block_ == nullptr) return;
    if (block_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      block_->~Block();
      ::operator delete(block_);
    }
  }

  Block* block_ = nullptr;  // null for the empty value
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace quorate

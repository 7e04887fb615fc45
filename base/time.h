// The first of the four doors to the world. Everything behind it takes Instant and WallTime as values,
// so a test moves time by hand. Instants only grow and mean nothing outside this process; WallTime goes into the log.
#pragma once
#include <chrono>
#include <cstdint>

namespace quorate {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<struct MonotonicTag, Duration>;
using WallTime = std::chrono::time_point<struct WallTag, std::chrono::milliseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

/// The machine's own clocks.
class SystemClock final : public Clock {
 public:
  Instant now() const override { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }
  WallTime wall() const override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch));
  }
};

/// A clock that a test moves.
class ManualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override {
    return WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()));
  }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{};
};

}  // namespace quorate

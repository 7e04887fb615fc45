// Worker: one thread that runs what it is given, in order. Storage has two: one reads, one does chores.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace quorate::storage {

class Worker {
 public:
  using Task = std::move_only_function<void()>;

  Worker();
  ~Worker();

  /// Any thread. The caller bounds what it posts: a group has one read and one chore under way.
  void post(Task task);
  /// Forgets what has not begun.
  void abandon();
  /// Runs what was posted, then ends the thread. No post after it.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_
  std::thread thread_;      // last: runs as soon as it is constructed
};

}  // namespace quorate::storage

#include "storage/worker.h"

#include <utility>

#include "base/check.h"

namespace quorate::storage {

Worker::Worker() : thread_([this] { run(); }) {}

Worker::~Worker() { CHECK(!thread_.joinable()); }

void Worker::post(Task task) {
  const std::lock_guard lock(mutex_);
  CHECK(!stopping_);
  tasks_.push_back(std::move(task));
  wake_.notify_one();
}

void Worker::abandon() {
  std::deque<Task> abandoned;  // declared first, so that it dies outside the lock
  const std::lock_guard lock(mutex_);
  abandoned.swap(tasks_);
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it captured dies outside the lock
    lock.lock();
  }
}

}  // namespace quorate::storage

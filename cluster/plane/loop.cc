#include "cluster/plane/loop.h"

#include <utility>

#include "base/check.h"

namespace quorate::cluster {

class Loop::Timer final : public Completion {
 public:
  Timer(Loop& loop, Duration delay, Task task) : loop_(loop), task_(std::move(task)) {
    loop_.enter();
    alarm_.Set(&loop_.queue(), deadline_in(delay), static_cast<Completion*>(this));
  }
  void cancel() { alarm_.Cancel(); }
  void on_completion(bool ok) override {
    const std::unique_ptr<Timer> self(this);
    loop_.timers_.erase(this);
    if (ok && !loop_.draining_) task_();
    loop_.leave();
  }

 private:
  Loop& loop_;
  Task task_;
  grpc::Alarm alarm_;
};

gpr_timespec deadline_in(Duration delay) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(delay.count(), GPR_TIMESPAN));
}

Loop::~Loop() { CHECK(!thread_.joinable()); }

void Loop::start(std::unique_ptr<grpc::ServerCompletionQueue> queue) {
  CHECK(queue_ == nullptr);
  queue_ = std::move(queue);
  is_open_ = true;
  thread_ = std::thread([this] { run(); });
}

void Loop::stop() {
  if (!thread_.joinable()) return;
  CHECK(post([this] { drain(); }));
  thread_.join();
}

bool Loop::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return false;
  posted_.push_back(std::move(task));
  if (posted_.size() == 1) alarm_.Set(queue_.get(), gpr_now(GPR_CLOCK_MONOTONIC), woken_.tag());
  return true;
}

void Loop::after(Duration delay, Task task) {
  if (!draining_) timers_.insert(new Timer(*this, delay, std::move(task)));
}

void Loop::leave() {
  CHECK_GT(inside_, 0u);
  --inside_;
  if (inside_ == 0 && draining_ && !std::exchange(is_shut_, true)) queue_->Shutdown();
}

void Loop::run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<Completion*>(tag)->on_completion(ok);
}

void Loop::run_posted(bool /*ok*/) {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  enter();
  for (Task& task : tasks) task();
  tasks.clear();
  leave();
}

void Loop::drain() {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
  }
  draining_ = true;
  for (Timer* timer : timers_) timer->cancel();
}

}  // namespace quorate::cluster

// The plane's thread: it waits on one completion queue for everything that gRPC has done, for timers, and for tasks of
// other threads. An object that still expects completions has entered the loop and leaves it when it expects no more;
// the thread ends when all have left.
#pragma once
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/time.h"
#include "cluster/mailbox.h"

namespace quorate::cluster {

/// What a completion comes back to: every tag in the queue points to one.
class Completion {
 public:
  virtual void on_completion(bool ok) = 0;

 protected:
  ~Completion() = default;
};

/// One kind of operation of its owner.
template <class Owner>
class Step final : public Completion {
 public:
  using Method = void (Owner::*)(bool ok);
  Step(Owner& owner, Method method) : owner_(owner), method_(method) {}
  void on_completion(bool ok) override { (owner_.*method_)(ok); }
  /// As gRPC wants it; it keeps the address of the base.
  void* tag() { return static_cast<Completion*>(this); }

 private:
  Owner& owner_;
  Method method_;
};

class Loop {
 public:
  Loop() : woken_(*this, &Loop::run_posted) {}
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void start(std::unique_ptr<grpc::ServerCompletionQueue> queue);
  /// Any other thread: takes no more tasks, drops the timers and waits until everybody has left.
  void stop();

  /// Any thread: `task` runs on the plane's. False when the loop takes none: the task is destroyed.
  bool post(Task task);

  // The plane's thread only.
  void after(Duration delay, Task task);
  void enter() { ++inside_; }
  void leave();
  grpc::ServerCompletionQueue& queue() { return *queue_; }

 private:
  class Timer;
  void run();
  void run_posted(bool ok);
  void drain();

  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
  std::size_t inside_ = 0;
  bool draining_ = false;
  bool is_shut_ = false;
  std::set<Timer*> timers_;  // armed; each deletes itself

  std::mutex mutex_;
  std::vector<Task> posted_;  // not empty: the alarm is set
  bool is_open_ = false;
  grpc::Alarm alarm_;
  Step<Loop> woken_;
};

/// For deadlines of calls and timers.
gpr_timespec deadline_in(Duration delay);

}  // namespace quorate::cluster

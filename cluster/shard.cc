#include "cluster/shard.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace quorate::cluster {

Shard::Shard(ShardId id, const Clock& clock) : id_(id), clock_(clock) {
  read_clock();
  work_.emplace(io_.get_executor());
}

Shard::~Shard() { CHECK(!thread_.joinable()); }

void Shard::connect(std::vector<Shard*> shards) {
  CHECK_EQ(shards.at(id_.value()), this);
  shards_ = std::move(shards);
  outgoing_.resize(shards_.size());
}

void Shard::start() {
  CHECK(!shards_.empty());
  thread_ = std::thread([this] { run(); });
  // What top -H and a debugger call it.
  ::pthread_setname_np(thread_.native_handle(), ("shard " + std::to_string(id_.value())).c_str());
}

void Shard::stop() {
  boost::asio::post(io_, [this] { stopped_ = true; });
}

void Shard::join() {
  if (thread_.joinable()) thread_.join();
}

void Shard::post(ShardId to, Task task) {
  if (to == id_) {
    local_.push_back(std::move(task));
  } else {
    outgoing_[to.value()].push_back(std::move(task));
  }
}

void Shard::post_from_outside(Task task) {
  std::vector<Task> batch;
  batch.push_back(std::move(task));
  if (mailbox_.put(std::move(batch))) boost::asio::post(io_, [] {});
}

void Shard::run() {
  while (!stopped_) {
    io_.run_one();  // sleeps until there is something to do
    run_turn();
  }
}

bool Shard::run_turn() {
  read_clock();
  const bool handled = run_handlers();
  const bool finished = finish_turn();
  return handled || finished;
}

bool Shard::run_handlers() {
  std::size_t count = 0;
  while (count < limits::kTurnHandlersMax && input_bytes_ < limits::kTurnInputMaxBytes && io_.poll_one() != 0) ++count;
  input_bytes_ = 0;
  return count > 0;
}

bool Shard::finish_turn() {
  mailbox_.take(running_);
  bool worked = !running_.empty();
  for (Task& task : running_) task();
  running_.clear();
  bool more = true;
  for (std::size_t rounds = 0; more && rounds < limits::kTurnRoundsMax; ++rounds) {
    while (!local_.empty()) {
      worked = true;
      running_.swap(local_);
      for (Task& task : running_) task();
      running_.clear();
    }
    more = false;
    for (std::size_t i = 0; i < hooks_.size(); ++i) more |= hooks_[i]->on_turn_end();
    more |= !local_.empty();
    worked |= more;
  }
  if (more) boost::asio::post(io_, [] {});  // the rest in a turn of its own
  hand_over();
  return worked;
}

void Shard::read_clock() {
  now_ = clock_.now();
  wall_ = clock_.wall();
}

void Shard::hand_over() {
  for (std::size_t to = 0; to < outgoing_.size(); ++to) {
    if (outgoing_[to].empty()) continue;
    Shard& other = *shards_[to];
    if (other.mailbox_.put(std::exchange(outgoing_[to], std::vector<Task>()))) boost::asio::post(other.io_, [] {});
  }
}

}  // namespace quorate::cluster

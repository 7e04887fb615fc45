// One core's worth of the node: a thread, an io_context, and everything that lives on it.
// Operation: the thread works in turns. A turn runs ready handlers, bounded in number and in what they read, then the
// tasks that other shards and threads have put into the mailbox, then the turn hooks in the order they were added,
// round after round until none of them has made more work (kTurnRoundsMax of them at most), and at last hands what was
// gathered for other shards over, one batch per shard. Concurrency: an object of a shard is touched by its thread only.
// post_from_outside() is the one entry for others.
#pragma once
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "cluster/mailbox.h"

namespace quorate::cluster {

/// What runs at the end of every turn; returns true when it made more work for this turn's tasks.
class TurnHook {
 public:
  virtual ~TurnHook() = default;
  virtual bool on_turn_end() = 0;
};

class Shard {
 public:
  explicit Shard(ShardId id, const Clock& clock);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Every shard of the node by id, this one included; set once before any thread starts.
  void connect(std::vector<Shard*> shards);
  /// Hooks run in the order they were added. Before start() or on the shard's thread.
  void add_hook(TurnHook& hook) { hooks_.push_back(&hook); }
  void remove_hook(TurnHook& hook) { std::erase(hooks_, &hook); }

  void start();
  /// One turn without waiting, on the thread of a test that drives the shard by hand instead of start(). False when
  /// there was nothing to do.
  bool run_turn();
  /// Any thread: ends the loop after the current turn. What is still in the mailbox is destroyed unrun.
  void stop();
  void join();

  /// On this shard's thread: `task` runs on shard `to`, in the order of posting; gathered and handed over once a turn.
  void post(ShardId to, Task task);
  /// On this shard's thread: `task` runs here, later in this turn.
  void defer(Task task) { local_.push_back(std::move(task)); }
  /// Any thread.
  void post_from_outside(Task task);

  /// A handler has read so much from a client; a turn runs no more of them after kTurnInputMaxBytes.
  void note_input(std::size_t bytes) { input_bytes_ += bytes; }

  boost::asio::io_context& io() { return io_; }
  ShardId id() const { return id_; }
  std::size_t shard_count() const { return shards_.size(); }
  /// Time as of the beginning of this turn.
  Instant now() const { return now_; }
  WallTime wall() const { return wall_; }

 private:
  void run();
  bool run_handlers();
  bool finish_turn();
  void read_clock();
  void hand_over();

  const ShardId id_;
  const Clock& clock_;
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::thread thread_;
  std::vector<Shard*> shards_;
  std::vector<TurnHook*> hooks_;
  Mailbox mailbox_;
  std::size_t input_bytes_ = 0;  // in this turn
  std::vector<Task> running_;
  std::vector<Task> local_;
  std::vector<std::vector<Task>> outgoing_;  // by shard id
  Instant now_{};
  WallTime wall_{};
  bool stopped_ = false;
};

}  // namespace quorate::cluster

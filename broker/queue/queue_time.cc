// The queue and time: messages that expire or are tried again, and a queue that nobody uses (features.md E020, E021,
// Q025). Only who leads looks at a clock, and only to propose; what is due is decided by the time of the entry.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "broker/queue/queue.h"

namespace quorate::queue {
namespace {
/// A wall clock may jump: nobody sleeps longer than this for it.
constexpr Duration kSleepMax = std::chrono::minutes(1);
}  // namespace

/// The queue is in use, or begins to work: x-expires counts from here.
void Queue::note_use() { used_at_ = surroundings_.shard->now(); }

/// Asks to be woken when something will be due, unless that has been done.
void Queue::watch_time() {
  if (!ready_ || deleting_) return;
  const std::optional<WallTime> message_due = machine_.next_due();
  const std::optional<std::uint64_t> idle_limit = machine_.settings().expires_ms;
  if (!message_due && !idle_limit) return;
  const cluster::Shard& shard = *surroundings_.shard;
  Instant due = shard.now() + kSleepMax;
  if (message_due) {
    due = std::min<Instant>(due, shard.now() + std::max(*message_due - shard.wall(), WallTime::duration(0)));
  }
  if (idle_limit) due = std::min<Instant>(due, used_at_ + std::chrono::milliseconds(*idle_limit));
  wake_by(std::max(due, rests_until_));
}

void Queue::wake_by(Instant due) {
  if (wakes_at_ && *wakes_at_ <= due) return;
  surroundings_.wake_at(definition_->id, std::exchange(wakes_at_, due), due);
}

void Queue::on_time() {
  const Instant now = surroundings_.shard->now();
  if (!wakes_at_ || *wakes_at_ > now) return;  // the one before it under this id had asked
  wakes_at_.reset();
  if (!ready_ || deleting_) return;
  if (!definition_->target.empty()) surroundings_.mark_dirty(definition_->id);
  if (now >= rests_until_) act_on_time(now);
  watch_time();
}

void Queue::act_on_time(Instant now) {
  // Entries on their way may bring a consumer, and expire by themselves what is due.
  const bool is_busy = !packer_.empty() || machine_.applied() < last_proposed_;
  if (is_busy) {
    rests_until_ = now + limits::kExpiryInterval;
    return;
  }
  if (machine_.consumer_count() > 0) note_use();
  if (is_unused()) {
    rests_until_ = now + limits::kExpiryInterval;
    return propose_end();
  }
  const std::optional<WallTime> message_due = machine_.next_due();
  if (!message_due || *message_due > surroundings_.shard->wall()) return;
  rests_until_ = now + limits::kExpiryInterval;
  packer_.append(Command(Expire{}));
  surroundings_.mark_dirty(definition_->id);
}

bool Queue::is_unused() const {
  const std::optional<std::uint64_t> limit = machine_.settings().expires_ms;
  return limit && machine_.consumer_count() == 0 &&
         surroundings_.shard->now() - used_at_ >= std::chrono::milliseconds(*limit);
}

/// As ask(): others may use what a leader that was cut off finds unused.
void Queue::propose_end() {
  const auto end = [this] {
    if (!ready_ || !is_unused() || std::exchange(deleting_, true)) return;
    surroundings_.request_delete(definition_->id);
  };
  if (!is_quorum()) return end();
  surroundings_.groups.read_index(definition_->id, [alive = alive_, end](std::optional<LogIndex> committed) {
    if (*alive && committed) end();
  });
}

}  // namespace quorate::queue

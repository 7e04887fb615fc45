#include "tests/sim/lifetime.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace quorate::sim {

using namespace std::chrono_literals;

Lifetime::Lifetime(Stage& stage, const NodeClock& clock, std::string name, std::function<void()> take_turn,
                   std::function<void(const std::string&)> on_death)
    : stage_(stage),
      clock_(clock),
      name_(std::move(name)),
      take_turn_(std::move(take_turn)),
      on_death_(std::move(on_death)) {}

void Lifetime::wake() {
  if (turn_planned_ || dying_) return;
  turn_planned_ = true;
  const WorldTime at = std::max(stage_.schedule.now() + draw_exponential(stage_.streams.nodes, 50us), paused_until_);
  stage_.schedule.at(at, [this, alive = alive_] {
    if (!*alive) return;
    turn_planned_ = false;
    if (is_paused()) return wake();
    if (!dying_) take_turn_();
  });
}

void Lifetime::wake_at(std::optional<Instant> due) {
  if (!due) return;
  const WorldTime at = std::max(clock_.when(*due), stage_.schedule.now() + 1us);
  if (timer_at_ <= at && timer_at_ > stage_.schedule.now()) return;
  timer_at_ = at;
  stage_.schedule.at(at, [this, alive = alive_, at] {
    if (!*alive || timer_at_ != at) return;
    timer_at_ = WorldTime::max();
    wake();
  });
}

void Lifetime::after(Duration delay, Task task) {
  stage_.schedule.after(delay, [this, alive = alive_, task = std::move(task)]() mutable {
    if (*alive && !dying_) task();
  });
}

void Lifetime::pause(WorldTime until) {
  paused_until_ = std::max(paused_until_, until);
  stage_.tell([&] { return name_ + ": stands still"; });
}

void Lifetime::die(const std::string& why) {
  if (std::exchange(dying_, true)) return;
  stage_.schedule.after(0ns, [this, alive = alive_, why] {
    if (*alive) on_death_(why);
  });
}

bool Lifetime::is_trapped(Step step) {
  if (!trap_ || !trap_->steps.contains(step) || (trap_->only_in_swap && swaps_.empty())) return false;
  if (trap_->countdown-- > 0) return false;
  note_death_at(step);
  return true;
}

void Lifetime::note_death_at(Step step) {
  constexpr std::array kPlain = {Seen::crash_at_submit,
                                 Seen::crash_at_send,
                                 Seen::crash_at_snapshot_call,
                                 Seen::crash_before_write,
                                 Seen::crash_before_sync,
                                 Seen::crash_before_done,
                                 Seen::crash_before_snapshot_write,
                                 Seen::crash_before_snapshot_sync,
                                 Seen::crash_before_snapshot_done};
  const Seen plain = kPlain[static_cast<std::size_t>(step)];
  stage_.seen(plain);
  stage_.tell([&] { return fmt::format("{}: {}", name_, name_of(plain)); });
  if (swaps_.empty()) return;
  if (step == Step::write) stage_.seen(Seen::crash_in_swap_before_write);
  if (step == Step::sync) stage_.seen(Seen::crash_in_swap_before_sync);
  if (step == Step::done) stage_.seen(Seen::crash_in_swap_before_done);
  if (step >= Step::snapshot_write) stage_.seen(Seen::crash_in_swap_at_snapshot);
}

void Lifetime::note_writes(const std::vector<storage::GroupWrite>& writes) {
  for (const storage::GroupWrite& write : writes) {
    const bool is_last_step = write.row && !write.row->installing;
    if (storage::is_staging(write.group) && !write.drop) swaps_.insert(storage::owner_of_staging(write.group));
    if (write.row && write.row->installing) swaps_.insert(write.group);
    if (is_last_step) swaps_.erase(write.group);
  }
}

}  // namespace quorate::sim

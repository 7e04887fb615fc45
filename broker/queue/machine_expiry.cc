// The queue machine and time (features.md E021). What is due leaves wherever it stands in the queue, before anybody is
// served; what comes with no time to live has the one chance that a consumer is ready.
#include <algorithm>

#include "base/limits.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

/// Entries carry a time that never runs back; this one does not either, whatever they carry.
void QueueMachine::follow_clock(WallTime ts) { now_ = std::clamp(ts, now_, kTimeMax); }

void QueueMachine::fix_expiry(const Enqueue& command, Position position) {
  const std::uint64_t ttl =
      std::min({settings_.message_ttl_ms.value_or(UINT64_MAX), command.ttl_ms.value_or(UINT64_MAX), limits::kTtlMaxMs});
  expiries_.add(position, now_ + std::chrono::milliseconds(ttl));
  expiries_.wait(position);
}

std::optional<WallTime> QueueMachine::next_due() const {
  if (!next_retry()) return next_expiry();
  return std::min(*next_retry(), next_expiry().value_or(WallTime::max()));
}

/// Before the commands of an entry see what the time has changed.
void QueueMachine::pass_time(Effects& out) {
  if (expiries_.is_due(now_)) expire_due(out);
  if (!delayed_.is_due(now_)) return;
  end_delays(out);
  check_out(out);
}

void QueueMachine::expire_due(Effects& out) {
  while (expiries_.is_due(now_)) {
    give_up(backlog_.take_out(expiries_.first()), DeathReason::expired, out);
  }
}

}  // namespace quorate::queue

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

void QueueMachine::expire_due(Effects& out) {
  while (expiries_.is_due(now_)) {
    dead_letter(backlog_.take_out(expiries_.first()), DeathReason::expired, out);
  }
}

}  // namespace quorate::queue

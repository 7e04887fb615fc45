// The queue machine and what comes back: to be served again at once, or, with delayed retry, after a while that grows
// with every failure (features.md Q021, Q022, Q025).
#include <algorithm>

#include "base/limits.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

/// Only a client that rejected it, or died of it, has failed; see ReturnReason.
void QueueMachine::give_back(MessageRef message, ReturnReason reason, Effects& out) {
  if (reason != ReturnReason::unseen) {
    message.redelivered = true;
    std::uint16_t& acquired = acquired_[message.position];
    if (acquired < UINT16_MAX) ++acquired;
  }
  if (reason == ReturnReason::requeued) {
    if (message.delivery_count < UINT16_MAX) ++message.delivery_count;
    if (settings_.delivery_limit && message.delivery_count > *settings_.delivery_limit) {
      give_up(message, DeathReason::delivery_limit, out);
      return;
    }
  }
  if (is_expired(message)) {
    give_up(message, DeathReason::expired, out);
  } else if (const std::uint64_t delay_ms = retry_delay(message, reason); delay_ms > 0) {
    delay(message, delay_ms);
  } else {
    make_ready(message);
  }
}

/// In milliseconds; 0: at once.
std::uint64_t QueueMachine::retry_delay(const MessageRef& message, ReturnReason reason) const {
  const DelayedRetry& retry = settings_.delayed_retry;
  const bool is_returned = reason == ReturnReason::released || reason == ReturnReason::late;
  const bool is_delayed = (reason == ReturnReason::requeued && retry.failed) || (is_returned && retry.returned);
  if (!is_delayed) return 0;
  const std::uint64_t count = std::max<std::uint64_t>(message.delivery_count, 1);
  const bool is_beyond = retry.min_ms > limits::kTtlMaxMs / count;
  return std::min({retry.max_ms, limits::kTtlMaxMs, is_beyond ? limits::kTtlMaxMs : retry.min_ms * count});
}

/// No longer than it lives.
void QueueMachine::delay(const MessageRef& message, std::uint64_t delay_ms) {
  WallTime until = now_ + std::chrono::milliseconds(delay_ms);
  if (message.expires) until = std::min(until, expiries_.of(message.position));
  CHECK(delayed_.add(until, message));
}

void QueueMachine::end_delays(Effects& out) {
  while (delayed_.is_due(now_)) {
    const MessageRef message = delayed_.take_first();
    if (is_expired(message)) {
      give_up(message, DeathReason::expired, out);
    } else {
      make_ready(message);
    }
  }
}

void QueueMachine::make_ready(const MessageRef& message) {
  backlog_.give_back(message);
  if (message.expires) expiries_.wait(message.position);
}

bool QueueMachine::is_expired(const MessageRef& message) const {
  return message.expires && expiries_.of(message.position) <= now_;
}

}  // namespace quorate::queue

// The queue machine and its length: what is dropped, and what is not taken (features.md E022 to E024).
#include "base/limits.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

/// Whether one more would be too much. What a waiting consumer would get at once counts too, as everywhere.
bool QueueMachine::is_full_for(const Enqueue& command) const {
  if (settings_.max_length && backlog_.size() + delayed_.size() >= *settings_.max_length) return true;
  const std::uint64_t bytes = backlog_.body_bytes() + delayed_.body_bytes() + command.body_size;
  return settings_.max_length_bytes && bytes > *settings_.max_length_bytes;
}

void QueueMachine::refuse(const Enqueue& command, Effects& out) {
  skip(command);
  senders_.refuse_current();
  out.emplace_back(refusal());
}

effect::Refused QueueMachine::refusal() const {
  const Position position = Position::of(applied_, offset_);
  if (senders_.current() == nullptr) return {.position = position};
  return {.session = senders_.session(), .number = senders_.number(), .position = position};
}

/// The message has no place in the queue, but its bytes are in the log.
void QueueMachine::skip(const Enqueue& command) {
  skipped_message_ = true;
  reclaimable_bytes_ += command.body_size + limits::kMessageOverheadBytes;
}

void QueueMachine::drop_excess(Effects& out) {
  const auto is_too_long = [&] {
    return (settings_.max_length && backlog_.size() + delayed_.size() > *settings_.max_length) ||
           (settings_.max_length_bytes && backlog_.body_bytes() + delayed_.body_bytes() > *settings_.max_length_bytes);
  };
  while (is_too_long()) {
    give_up(backlog_.empty() ? delayed_.take_first() : backlog_.take_least(), DeathReason::maxlen, out);
  }
}

}  // namespace quorate::queue

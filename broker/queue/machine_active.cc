// The queue machine and its single active consumer (features.md E041): the one of the highest priority, the oldest of
// them. A newcomer with a higher priority takes over when the active one has settled what it holds; until then nobody
// is served, so that the order holds. Nor does anybody follow one whose node is silent before that one's messages have
// come back, as in RabbitMQ 4.3.
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

QueueMachine::Consumer* QueueMachine::best_candidate() {
  Consumer* best = nullptr;
  for (const auto& [key, consumer] : consumers_) {
    if (consumer->cancelled || consumer->suspected) continue;
    const bool is_better = best == nullptr || consumer->priority > best->priority ||
                           (consumer->priority == best->priority && consumer->attach_number < best->attach_number);
    if (is_better) best = consumer.get();
  }
  return best;
}

void QueueMachine::choose_active() {
  Consumer* best = best_candidate();
  Consumer* active = active_ ? find(*active_) : nullptr;
  if (active != nullptr && active->cancelled) active = nullptr;
  if (best != nullptr) {
    const bool is_free = active == nullptr || (active->suspected && active->held.empty());
    if (is_free || (best->priority > active->priority && active->held.empty())) active = best;
  }
  active_.reset();
  active_is_yielding_ = false;
  if (active == nullptr) return;
  active_ = active->key;
  active_is_yielding_ = best != nullptr && best->priority > active->priority;
  enter_service(*active);
}

}  // namespace quorate::queue

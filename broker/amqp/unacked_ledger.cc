#include "broker/amqp/unacked_ledger.h"

#include <algorithm>

namespace quorate::amqp {

DeliveryTag UnackedLedger::add(GroupId queue, std::uint32_t link, std::uint64_t id) {
  const DeliveryTag tag = next_tag();
  slots_.push_back({.unacked = {.tag = tag, .queue = queue, .link = link, .id = id}});
  ++count_;
  return tag;
}

bool UnackedLedger::settle(DeliveryTag tag, bool multiple, std::vector<Unacked>& out) {
  if (multiple && tag.value() == 0) {
    settle_all(out);
    return true;
  }
  const auto at = std::ranges::lower_bound(slots_, tag, {}, [](const Slot& slot) { return slot.unacked.tag; });
  if (at == slots_.end() || at->unacked.tag != tag || at->settled) return false;
  for (auto slot = multiple ? slots_.begin() : at; slot <= at; ++slot) {
    if (slot->settled) continue;
    slot->settled = true;
    --count_;
    out.push_back(slot->unacked);
  }
  drop_settled_front();
  return true;
}

void UnackedLedger::settle_all(std::vector<Unacked>& out) {
  for (const Slot& slot : slots_) {
    if (!slot.settled) out.push_back(slot.unacked);
  }
  slots_.clear();
  count_ = 0;
}

void UnackedLedger::restore(std::vector<Unacked> unacked) {
  std::deque<Slot> all;
  for (const Unacked& one : unacked) all.push_back({.unacked = one});
  for (const Slot& slot : slots_) {
    if (!slot.settled) all.push_back(slot);
  }
  std::ranges::sort(all, {}, [](const Slot& slot) { return slot.unacked.tag; });
  slots_ = std::move(all);
  count_ = slots_.size();
}

void UnackedLedger::drop_settled_front() {
  while (!slots_.empty() && slots_.front().settled) slots_.pop_front();
}

}  // namespace quorate::amqp

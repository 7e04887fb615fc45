#include "broker/amqp/unacked_ledger.h"

#include "base/check.h"

namespace quorate::amqp {

DeliveryTag UnackedLedger::add(GroupId queue, std::uint32_t link, std::uint64_t id) {
  const DeliveryTag tag = next_tag();
  unacked_.insert(tag.value(), {.tag = tag, .queue = queue, .link = link, .id = id});
  return tag;
}

void UnackedLedger::give_back(DeliveryTag tag) {
  const bool was_out = unacked_.erase(tag.value());
  CHECK(was_out);
  given_back_.insert(tag);
}

bool UnackedLedger::settle(DeliveryTag tag, bool multiple, std::vector<Unacked>& out) {
  if (multiple && tag.value() == 0) {
    settle_all(out);
    return true;
  }
  if (unacked_.find(tag.value()) == nullptr && !given_back_.contains(tag)) return false;
  given_back_.erase(multiple ? given_back_.begin() : given_back_.lower_bound(tag), given_back_.upper_bound(tag));
  unacked_.take_range(multiple ? 0 : tag.value(), tag.value(),
                      [&](std::uint64_t, Unacked&& unacked) { out.push_back(unacked); });
  return true;
}

void UnackedLedger::settle_all(std::vector<Unacked>& out) {
  given_back_.clear();
  unacked_.take_range(0, UINT64_MAX, [&](std::uint64_t, Unacked&& unacked) { out.push_back(unacked); });
}

void UnackedLedger::restore(const std::vector<Unacked>& unacked) {
  for (const Unacked& one : unacked) unacked_.insert(one.tag.value(), one);
}

}  // namespace quorate::amqp

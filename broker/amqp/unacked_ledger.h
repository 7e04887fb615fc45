// Deliveries of one channel that the client has not settled, by delivery tag. Owned by its Channel; pure.
#pragma once
#include <cstdint>
#include <set>
#include <vector>

#include "base/ids.h"
#include "broker/queue/numbered.h"

namespace quorate::amqp {

/// What a delivery tag stands for.
struct Unacked {
  DeliveryTag tag;
  GroupId queue;
  std::uint32_t link = 0;  // of the consumer, or queue::kGetLink
  std::uint64_t id = 0;    // the queue's number for the delivery
  bool operator==(const Unacked&) const = default;
};

class UnackedLedger {
 public:
  /// The next tag, counted from 1, for a delivery that needs no settlement.
  DeliveryTag skip() { return next_tag(); }
  /// The next tag, for one that does.
  DeliveryTag add(GroupId queue, std::uint32_t link, std::uint64_t id);

  /// Somebody else may have it. Its client does not know, and may settle it to no effect.
  void give_back(DeliveryTag tag);

  /// Takes out `tag`, with `multiple` everything up to it as well (tag 0: everything there is), oldest first. False for
  /// a tag that the client has not, or has settled; nothing is taken then.
  bool settle(DeliveryTag tag, bool multiple, std::vector<Unacked>& out);
  /// Everything there is, oldest first.
  void settle_all(std::vector<Unacked>& out);

  /// Puts back what settle() took out: a rolled back transaction has settled nothing.
  void restore(const std::vector<Unacked>& unacked);

  std::size_t count() const { return unacked_.size(); }
  DeliveryTag last_given() const { return last_tag_; }
  /// The lowest tag that is not settled; above every one given out when there is none.
  DeliveryTag oldest() const { return DeliveryTag(unacked_.empty() ? last_tag_.value() + 1 : unacked_.first()); }
  /// Calls `visit(const Unacked&)` for those up to `last`, oldest first.
  template <class Visit>
  void for_each_up_to(DeliveryTag last, Visit&& visit) const {
    if (last < oldest()) return;
    unacked_.for_each([&](std::uint64_t tag, const Unacked& unacked) {
      if (tag <= last.value()) visit(unacked);
    });
  }

 private:
  DeliveryTag next_tag() { return ++last_tag_; }

  DeliveryTag last_tag_;
  queue::Numbered<Unacked> unacked_;  // by tag
  std::set<DeliveryTag> given_back_;  // and not settled by the client
};

}  // namespace quorate::amqp

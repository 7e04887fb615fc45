// Courier: sessions that used a queue of this node alone go on as numbered ones (decision 17).
#include <algorithm>
#include <utility>

#include "broker/queue/courier.h"

namespace quorate::queue {

void Courier::adopt(GroupId queue, const std::vector<Adopted>& consumers) {
  if (!is_tracked(queue)) return tell_gone(queue, consumers);
  for (const Adopted& adopted : consumers) {
    Link& link = link_of(adopted.consumer.session, queue);
    if (adopted.consumer.link != kGetLink) {
      Received& received = link.consumers[adopted.consumer.link];
      received.last = std::max(received.last, adopted.last);
      received.is_known = true;
      received.cancelled |= adopted.cancelled;
      received.settles_itself = adopted.no_ack;
    }
    if (link.next == 1) greet(link, adopted.consumer);
  }
}

/// It was deleted before its home shard heard of that: now the queue leaves it to the courier to say so.
void Courier::tell_gone(GroupId queue, const std::vector<Adopted>& consumers) {
  for (const Adopted& adopted : consumers) {
    const auto& [session, link] = adopted.consumer;
    if (link == kGetLink || adopted.cancelled || !surroundings_.is_alive(session)) continue;
    surroundings_.deliver({.to = session, .queue = queue, .what = Gone{.link = link}});
  }
}

/// The queue is to know the session as one that numbers its commands, so that it can say when it has forgotten it. What
/// ended meanwhile did so without telling.
void Courier::greet(Link& link, const ConsumerKey& consumer) {
  if (surroundings_.is_alive(link.session)) {
    keep(link, Credit{.consumer = consumer});
  } else {
    keep(link, Down{.session = link.session});
    link.ended = true;
  }
  mark_dirty(link);
}

}  // namespace quorate::queue

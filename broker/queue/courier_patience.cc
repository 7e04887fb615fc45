// Courier: what becomes of requests, publications and consumers when nobody is there for them.
#include <algorithm>
#include <utility>

#include "broker/queue/courier.h"

namespace quorate::queue {
namespace {

/// A large message takes its time, over the wire and into the logs; to send it again meanwhile makes it slower still.
constexpr std::uint64_t kLargeBytesPerSecond = 8u << 20;

}  // namespace

/// How long a link waits for a sign that what it has sent arrives, before it sends that again.
Duration Courier::patience_with(const Link& link) {
  if (link.kept.empty()) return kPatience;
  return kPatience + std::chrono::seconds(flight_bytes(link.kept.front().what) / kLargeBytesPerSecond);
}

/// The queue's only replica lives on a node that does not answer. The metadata may not know of others yet; their leader
/// does.
bool Courier::is_down(const Route& route) const {
  const bool is_led_elsewhere = route.leader && route.leader != route.only_home;
  return route.only_home && !is_led_elsewhere && !surroundings_.is_live(*route.only_home);
}

/// A cancellation needs nobody's consent; everything else hears that the queue cannot be reached.
void Courier::give_up_requests(Link& link, Instant asked_before) {
  for (Sent& sent : link.kept) {
    if (!is_request(sent.what) || sent.answered || sent.since > asked_before) continue;
    SessionMail answer{.to = link.session, .queue = link.queue, .what = Gone{.unreachable = true}};
    if (const auto* cancel = std::get_if<Cancel>(&sent.what)) {
      sent.answered = true;
      link.consumers[cancel->consumer.link].cancelled = true;
      answer.what = Cancelled{.link = cancel->consumer.link};
    } else {
      const auto* attach = std::get_if<Attach>(&sent.what);
      if (attach != nullptr) answer.what = Gone{.link = attach->consumer.link, .unreachable = true};
      withdraw(link, sent);
    }
    given_up_.push_back(std::move(answer));
  }
  std::erase_if(link.questions, [&](const Asked& asked) {
    if (asked.since > asked_before) return false;
    given_up_.push_back({.to = link.session, .queue = link.queue, .what = Gone{.unreachable = true}});
    return true;
  });
}

/// What has not left yet surely has not arrived. Of the rest nobody can tell: it waits, but not for ever.
void Courier::refuse_publications(Link& link, Instant sent_before) {
  const std::size_t sent_count = link.kept.size() - link.unsent;
  for (std::size_t i = 0; i < link.kept.size(); ++i) {
    Sent& sent = link.kept[i];
    const auto* publish = std::get_if<Publish>(&sent.what);
    const bool may_have_arrived = sent.repeated || i < sent_count;
    if (publish == nullptr || sent.answered || (may_have_arrived && sent.since > sent_before)) continue;
    given_up_.push_back(taken(link, *publish, true));
    withdraw(link, sent);
  }
}

/// If the queue comes back, it hears that they have been cancelled.
void Courier::give_up_consumers(Link& link) {
  for (auto& [consumer, received] : link.consumers) {
    if (link.ended || std::exchange(received.cancelled, true)) continue;
    keep(link, Cancel{.consumer = {.session = link.session, .link = consumer}});
    link.kept.back().answered = true;
    given_up_.push_back({.to = link.session, .queue = link.queue, .what = Gone{.link = consumer, .unreachable = true}});
  }
}

/// Its number stays, and stands for a command that does nothing, unless the queue has carried it out already.
void Courier::withdraw(const Link& link, Sent& sent) {
  sent.what = Credit{.consumer = {.session = link.session, .link = kGetLink}};
  sent.answered = true;
}

}  // namespace quorate::queue

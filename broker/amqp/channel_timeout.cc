// Deliveries that a client neither settles nor gives back in time go to somebody else (features.md E043, Q028): their
// consumer is cancelled, and a client that cannot be told so loses the channel. A consumer that RabbitMQ only suspends
// until it has settled ends here for good, as its client has heard.
#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"
#include "broker/amqp/channel.h"
#include "broker/amqp/names.h"
#include "broker/amqp/table_codec.h"
#include "broker/queue/arguments.h"

namespace quorate::amqp {
namespace {

constexpr std::string_view kConsumerTimeout = "x-consumer-timeout";

}  // namespace

/// Of a queue's deliveries, unless a consumer has one of its own.
Duration Channel::timeout_of(const cluster::Queue& queue) const {
  const auto own = find_field(as_bytes(queue.arguments), kConsumerTimeout);
  std::int64_t ms = 0;
  const bool has_own = own && own->integer(ms);
  const auto policy = session_.surroundings_.policies().of(queue).number("consumer-timeout");
  if (!has_own && !policy) return session_.options_.consumer_timeout;
  return to_timeout(has_own && policy ? std::min(ms, *policy) : policy.value_or(ms));
}

/// Longer than anybody lives is none.
Duration Channel::to_timeout(std::int64_t ms) {
  const bool is_endless = ms > std::chrono::duration_cast<std::chrono::milliseconds>(Duration::max()).count();
  return is_endless ? Duration::max() : Duration(std::chrono::milliseconds(ms));
}

std::expected<Duration, AmqpError> Channel::consumer_timeout(const BasicConsume& method, const cluster::Queue& queue) {
  const auto asked = find_field(method.arguments.encoded, kConsumerTimeout);
  if (!asked) return timeout_of(queue);
  const auto refusal = [&](const std::string& why) {
    return refuse(ReplyCode::precondition_failed, "invalid arg '" + std::string(kConsumerTimeout) + "' for " +
                                                      describe(auth::ResourceKind::queue, queue.name) + why);
  };
  if (queue::declared_type(queue) != cluster::QueueType::quorum) return refusal(" of queue type rabbit_classic_queue");
  std::int64_t ms = 0;
  if (!asked->integer(ms)) return refusal(": \"expected integer, got " + std::string(asked->type_name()) + "\"");
  if (ms < 0) return refusal(": {value_negative," + std::to_string(ms) + "}");
  return to_timeout(ms);
}

/// How long the client may take for it.
Duration Channel::timeout_of(const Unacked& unacked) const {
  const auto consumer = consumers_.find(unacked.link);
  if (consumer != consumers_.end()) return consumer->second.timeout;
  const cluster::QueuePtr* queue = topology().queues_by_id.find(unacked.queue.value());
  return queue != nullptr ? timeout_of(**queue) : session_.options_.consumer_timeout;
}

void Channel::heed_timeout(Duration timeout) {
  shortest_timeout_ = std::min(shortest_timeout_, timeout);
  session_.tick_within(tick_interval());
}

Duration Channel::tick_interval() const {
  return std::clamp<Duration>(shortest_timeout_ / limits::kChannelTicks, limits::kChannelTickMin,
                              limits::kChannelTickMax);
}

void Channel::on_tick(Instant now) {
  if (ended_ || closing_) return;
  ages_.tick(now, unacked_.oldest(), unacked_.last_given());
  std::erase_if(given_up_, [&](const auto& one) { return one.second < unacked_.oldest(); });
  std::set<std::uint32_t> links;
  for (const Unacked& late : late_deliveries(now)) {
    unacked_.give_back(late.tag);
    settle_now(late, SettleKind::late);
    links.insert(late.link);
  }
  if (links.empty()) return;
  flush_settlements();
  if (std::ranges::all_of(links, [&](std::uint32_t link) { return give_up(link); })) return release_held();
  if (!transactional_) send_answers();
  session_.fail_channel(*this, {.code = ReplyCode::precondition_failed,
                                .text = "delivery acknowledgement on channel " + std::to_string(id_.value()) +
                                        " timed out. Timeout value used: -1 ms. This timeout value can be "
                                        "configured, see consumers doc guide to learn more"});
}

std::vector<Unacked> Channel::late_deliveries(Instant now) const {
  std::vector<Unacked> late;
  unacked_.for_each_up_to(ages_.older_than(shortest_timeout_, now), [&](const Unacked& unacked) {
    // Whether its consumer is still there will be known with the answer.
    const bool is_being_cancelled = on_reply_ && asked_link_ == unacked.link && asked_link_ != queue::kGetLink;
    const Duration timeout = timeout_of(unacked);
    if (is_being_cancelled || timeout == Duration::max()) return;
    if (unacked.tag <= ages_.older_than(timeout, now)) late.push_back(unacked);
  });
  return late;
}

/// The consumer has been late, which its queue has heard with the delivery: it gets no more, and its client hears that.
/// False if the client cannot be told.
bool Channel::give_up(std::uint32_t link) {
  if (given_up_.contains(link)) return true;
  const auto at = consumers_.find(link);
  if (at == consumers_.end() || !session_.can_cancel_notify_) return false;
  const auto [tag, name] = std::pair(at->second.tag, at->second.queue_name);
  session_.surroundings_.remark("consumer cancelled: it did not settle a delivery in time queue=" + name +
                                " vhost=" + vhost() + " tag=" + tag + " client=" + session_.peer().name);
  forget_consumer(link);
  given_up_.emplace(link, unacked_.last_given());
  send(BasicCancel{.consumer_tag = tag, .no_wait = true});
  return true;
}

}  // namespace quorate::amqp

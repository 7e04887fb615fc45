// Deliveries that a client neither settles nor gives back close their channel (features.md E043, Q028). Looked at once
// a minute, as in RabbitMQ.
#include <algorithm>
#include <utility>

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
  const Duration everybody = session_.options_.consumer_timeout;
  const auto own = find_field(as_bytes(queue.arguments), kConsumerTimeout);
  std::int64_t ms = 0;
  if (!own || !own->integer(ms)) return everybody;
  return to_timeout(ms);
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

void Channel::on_tick(Instant now) {
  if (ended_ || closing_) return;
  ages_.tick(now, unacked_.oldest(), unacked_.last_given());
  const DeliveryTag suspect = ages_.older_than(shortest_timeout_, now);
  std::optional<Duration> overdue;
  unacked_.for_each_up_to(suspect, [&](const Unacked& unacked) {
    const Duration timeout = timeout_of(unacked);
    const bool is_late = timeout != Duration::max() && unacked.tag <= ages_.older_than(timeout, now);
    if (is_late && !overdue) overdue = timeout;
  });
  if (!overdue) return;
  if (!transactional_) send_answers();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(*overdue).count();
  session_.fail_channel(*this,
                        {.code = ReplyCode::precondition_failed,
                         .text = "delivery acknowledgement on channel " + std::to_string(id_.value()) +
                                 " timed out. Timeout value used: " + std::to_string(ms) +
                                 " ms. This timeout value can be configured, see consumers doc guide to learn more"});
}

}  // namespace quorate::amqp

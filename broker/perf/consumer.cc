#include "broker/perf/consumer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/amqp/frame.h"

namespace quorate::perf {
namespace {

/// A consumer that had nothing to do for so long does not catch up.
constexpr Duration kIdle = std::chrono::milliseconds(100);

}  // namespace

Consumer::Consumer(const Plan& plan, unsigned number, ChannelId channel, Instant run_begin, Stats& stats,
                   SeenFlows& flows)
    : plan_(plan),
      number_(number),
      channel_(channel),
      tag_(fmt::format("{}-{}", plan.id, number)),
      run_begin_(run_begin),
      stats_(stats),
      flows_(flows),
      by_producer_(plan.producer_agents()) {}

bool Consumer::on_method(const amqp::Method&, Instant) {
  return false;  // basic.cancel, too: the queue is gone
}

bool Consumer::on_message(const Incoming& message, Instant now) {
  if (message.returned) return false;
  if (is_finished()) {
    surplus_tag_ = message.delivery_tag;
    return true;
  }
  ++received_;
  last_tag_ = message.delivery_tag;
  ++stats_.counters.received;
  stats_.last_event = now;
  judge(message, now);
  if (plan_.consume_rate > 0) keep_pace(now);
  return true;
}

void Consumer::keep_pace(Instant now) {
  if (pace_.is_unlimited() || now - resume_at_ > kIdle) {
    pace_ = Pace(plan_.consume_rate, now);
    paced_from_ = received_ - 1;
  }
  resume_at_ = pace_.due(received_ - paced_from_, now);
}

void Consumer::judge(const Incoming& message, Instant now) {
  ReadStamp stamp;
  if (!read_stamp(message.stamp_bytes(), stamp) || stamp.sent > now) return;
  const std::uint32_t agent = (stamp.producer - plan_.run_base) & stamp.producer_mask;
  const bool is_ours = agent < by_producer_.size() && stamp.sent >= run_begin_;
  if (is_ours || plan_.producers == 0) stats_.delivery_latency.record(now - stamp.sent);
  if (!is_ours) return;
  Flow& flow = flow_of(agent);
  const std::uint64_t sequence = extend_sequence(stamp.sequence, stamp.sequence_bits, flow.order.next);
  note_arrival(sequence, message.redelivered, flow.order, *flow.seen, stats_.flows);
}

Consumer::Flow& Consumer::flow_of(unsigned producer) {
  Flow& flow = by_producer_[producer];
  if (flow.seen == nullptr) flow.seen = &flows_[{plan_.source_of(number_), producer}];
  return flow;
}

Instant Consumer::pump(std::vector<std::byte>& out, std::size_t, Instant) {
  const std::uint32_t every = std::max(plan_.multi_ack_every, 1u);
  const bool is_last = finishing_ || is_finished();
  const std::uint64_t due = is_last ? last_tag_ : last_tag_ - last_tag_ % every;
  if (!plan_.auto_ack && due > acked_tag_) append_acks(out, due);
  if (is_last) append_farewell(out);
  return Instant::max();
}

void Consumer::append_farewell(std::vector<std::byte>& out) {
  if (!std::exchange(cancelled_, true)) {
    amqp::append_method_frame(out, channel_, amqp::BasicCancel{.consumer_tag = tag_, .no_wait = true});
  }
  const std::uint64_t surplus = std::exchange(surplus_tag_, 0);
  if (surplus == 0 || plan_.auto_ack) return;
  amqp::append_method_frame(out, channel_, amqp::BasicNack{.delivery_tag = surplus, .multiple = true, .requeue = true});
}

void Consumer::append_acks(std::vector<std::byte>& out, std::uint64_t up_to) {
  if (plan_.multi_ack_every > 0) {
    amqp::append_method_frame(out, channel_, amqp::BasicAck{.delivery_tag = up_to, .multiple = true});
  } else {
    for (std::uint64_t tag = acked_tag_ + 1; tag <= up_to; ++tag) {
      amqp::append_method_frame(out, channel_, amqp::BasicAck{.delivery_tag = tag});
    }
  }
  acked_tag_ = up_to;
}

}  // namespace quorate::perf

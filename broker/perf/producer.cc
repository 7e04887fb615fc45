#include "broker/perf/producer.h"

#include <algorithm>

namespace quorate::perf {
namespace {

Envelope envelope_of(const Plan& plan, unsigned number) {
  return {.exchange = plan.exchange,
          .routing_key = plan.routing_key_of(number),
          .mandatory = plan.mandatory,
          .persistent = plan.persistent};
}

}  // namespace

Producer::Producer(const Plan& plan, unsigned number, ChannelId channel, std::uint32_t frame_max_bytes, Stats& stats)
    : plan_(plan),
      number_(number),
      template_(channel, envelope_of(plan, number), plan.size, frame_max_bytes),
      stats_(stats),
      sizes_(plan.run_base + number) {
  if (plan.confirm_window) window_.emplace(*plan.confirm_window);
}

void Producer::start(Instant at) {
  started_ = true;
  if (plan_.publish_rate <= 0) return;
  const double share = static_cast<double>(number_) / plan_.producer_agents();
  at += Duration(static_cast<Duration::rep>(share * 1e9 / plan_.publish_rate));
  pace_ = Pace(plan_.publish_rate, at);
}

std::vector<std::uint64_t> Producer::excused() const {
  std::vector<std::uint64_t> all = excused_;
  if (window_) window_->for_each_outstanding([&](std::uint64_t sequence) { all.push_back(sequence); });
  std::ranges::sort(all);
  return all;
}

bool Producer::may_send() const {
  if (!started_ || stopped_ || (plan_.publish_count != 0 && sent_ == plan_.publish_count)) return false;
  return !window_ || window_->has_room();
}

Instant Producer::pump(std::vector<std::byte>& out, std::size_t enough, Instant now) {
  while (may_send()) {
    const Instant meant = pace_.due(sent_, now);
    if (meant > now) return meant;
    if (out.size() >= enough) break;
    send(out, meant);
    stats_.last_event = now;
  }
  return Instant::max();  // a confirm, or the end of the write, asks again
}

void Producer::send(std::vector<std::byte>& out, Instant meant) {
  const SizeRange size = plan_.size;
  const auto body_size =
      size.is_fixed() ? size.max : size.min + static_cast<std::uint32_t>(sizes_.below(size.max - size.min + 1u));
  template_.append(out, body_size, {.sent = meant, .producer = plan_.run_base + number_, .sequence = sent_});
  if (window_) window_->publish(meant);
  ++sent_;
  ++stats_.counters.sent;
}

bool Producer::on_method(const amqp::Method& method, Instant now) {
  if (const auto* ack = std::get_if<amqp::BasicAck>(&method))
    return settle(ack->delivery_tag, ack->multiple, true, now);
  if (const auto* nack = std::get_if<amqp::BasicNack>(&method)) {
    return settle(nack->delivery_tag, nack->multiple, false, now);
  }
  return false;
}

bool Producer::settle(std::uint64_t tag, bool multiple, bool is_ack, Instant now) {
  stats_.last_event = now;
  return window_ && window_->settle(tag, multiple, [&](std::uint64_t sequence, Instant meant) {
    stats_.confirm_latency.record(now - meant);
    ++(is_ack ? stats_.counters.confirmed : stats_.counters.nacked);
    if (!is_ack) excused_.push_back(sequence);
  });
}

bool Producer::on_message(const Incoming& message, Instant now) {
  if (!message.returned) return false;
  stats_.last_event = now;
  ++stats_.counters.returned;
  ReadStamp stamp;
  if (read_stamp(message.stamp_bytes(), stamp)) {
    excused_.push_back(extend_sequence(stamp.sequence, stamp.sequence_bits, sent_));
  }
  return true;
}

}  // namespace quorate::perf

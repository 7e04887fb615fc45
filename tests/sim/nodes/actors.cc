#include "tests/sim/nodes/actors.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

// --- Publisher ---

void Publisher::on_open() {
  next_ = 1;
  send(amqp::ConfirmSelect{});
  declare(queue_.name, queue_.is_quorum);
}

void Publisher::on_method(const amqp::Method& method) {
  if (std::holds_alternative<amqp::QueueDeclareOk>(method)) {
    answered();
    go_on();
  } else if (const auto* ack = std::get_if<amqp::BasicAck>(&method)) {
    settle(ack->delivery_tag, ack->multiple, true);
  } else if (const auto* nack = std::get_if<amqp::BasicNack>(&method)) {
    settle(nack->delivery_tag, nack->multiple, false);
  }
}

void Publisher::on_content(const amqp::Method& announcement, std::string_view body) {
  if (std::holds_alternative<amqp::BasicReturn>(announcement)) {
    stage_.violated(fmt::format("{}: message {} finds no queue although it was declared", describe(),
                                std::string(body.substr(0, body.find(' ')))));
  }
}

void Publisher::on_closed() { waiting_.clear(); }

void Publisher::go_on() {
  Random& random = stage_.streams.workload;
  later(draw_exponential(random, stage_.options.workload.publish_gap), [this] {
    Random& chance = stage_.streams.workload;
    constexpr std::size_t kUnconfirmedMax = 100;
    if (stopped_) return;
    if (draw_chance(chance, 0.01)) return hang_up();
    const std::uint64_t count = 1 + chance.below(stage_.options.workload.pack_max);
    for (std::uint64_t i = 0; i < count && waiting_.size() < kUnconfirmedMax; ++i) {
      const MessageId id = ledger_.publish(queue_.name, connection_->id(), fmt::format("{} via {}", name_, where_));
      waiting_.emplace(next_++, id);
      const bool persistent = !queue_.is_quorum || draw_chance(chance, 0.7);
      publish(queue_.name, persistent,
              ledger_.body_of(id, draw_magnitude(chance, 1, stage_.options.workload.body_max_bytes)));
    }
    go_on();
  });
}

void Publisher::settle(std::uint64_t tag, bool multiple, bool taken) {
  if (!multiple && !waiting_.contains(tag)) {
    stage_.violated(fmt::format("{}: publication {} is answered a second time, or was never sent", describe(), tag));
  }
  const auto end = waiting_.upper_bound(tag);
  for (auto at = multiple ? waiting_.begin() : waiting_.find(tag); at != end; at = waiting_.erase(at)) {
    if (taken) {
      ledger_.confirmed(at->second);
    } else {
      ledger_.refused(at->second);
    }
  }
}

bool Publisher::is_answered(std::string& what) const {
  if (!Client::is_answered(what)) return false;
  if (waiting_.empty()) return true;
  what = fmt::format("confirms of {} messages, the first is {}", waiting_.size(), waiting_.begin()->second);
  return false;
}

// --- Settler ---

void Settler::take(const std::string& queue, std::uint64_t tag, std::string_view body, bool redelivered) {
  const MessageId id = ledger_.delivered(connection_, queue, body, redelivered);
  held_.emplace(tag, id);
  later(draw_exponential(stage_.streams.workload, obedient_ ? 1ms : 30ms), [this, tag] { settle(tag); });
}

void Settler::settle(std::uint64_t tag) {
  if (!held_.contains(tag)) return;
  Random& random = stage_.streams.workload;
  const double choice = obedient_ ? 0 : draw_unit(random);
  if (choice < 0.1 && !obedient_) {
    for (auto at = held_.begin(); at != held_.upper_bound(tag); at = held_.erase(at)) {
      ledger_.acknowledged(at->second, connection_);
    }
    return send(amqp::BasicAck{.delivery_tag = tag, .multiple = true});
  }
  const MessageId id = held_.at(tag);
  held_.erase(tag);
  if (choice < 0.88) {
    ledger_.acknowledged(id, connection_);
    send(amqp::BasicAck{.delivery_tag = tag});
  } else if (choice < 0.95) {
    ledger_.given_back(id);
    send(amqp::BasicNack{.delivery_tag = tag, .requeue = true});
  } else {
    ledger_.acknowledged(id, connection_);
    send(amqp::BasicReject{.delivery_tag = tag});
  }
}

// --- Consumer ---

void Consumer::on_open() { declare(queue_.name, queue_.is_quorum); }

void Consumer::consume() {
  const auto prefetch = static_cast<std::uint16_t>(obedient_ ? 200 : draw_magnitude(stage_.streams.workload, 1, 50));
  send(amqp::BasicQos{.prefetch_count = prefetch});
  ask("basic.consume " + queue_.name);
  send(amqp::BasicConsume{.queue = queue_.name, .consumer_tag = "it"});
}

void Consumer::grow_restless() {
  later(draw_exponential(stage_.streams.workload, 4s), [this] {
    if (obedient_) return;
    if (draw_chance(stage_.streams.workload, 0.4)) return hang_up();
    ledger_.cancelled(queue_.name);
    ask("basic.cancel " + queue_.name);
    send(amqp::BasicCancel{.consumer_tag = "it"});
  });
}

void Consumer::on_method(const amqp::Method& method) {
  if (std::holds_alternative<amqp::QueueDeclareOk>(method) || std::holds_alternative<amqp::BasicCancelOk>(method)) {
    answered();
    consume();
  } else if (std::holds_alternative<amqp::BasicConsumeOk>(method)) {
    answered();
    grow_restless();
  }
}

void Consumer::on_content(const amqp::Method& announcement, std::string_view body) {
  const auto* deliver = std::get_if<amqp::BasicDeliver>(&announcement);
  if (deliver != nullptr) take(queue_.name, deliver->delivery_tag, body, deliver->redelivered);
}

// --- Getter ---

void Getter::on_open() { declare(queue_.name, queue_.is_quorum); }

void Getter::go_on() {
  later(draw_exponential(stage_.streams.workload, 100ms), [this] {
    if (obedient_) return;
    if (draw_chance(stage_.streams.workload, 0.01)) return hang_up();
    ask("basic.get " + queue_.name);
    send(amqp::BasicGet{.queue = queue_.name});
  });
}

void Getter::on_method(const amqp::Method& method) {
  const bool goes_on =
      std::holds_alternative<amqp::QueueDeclareOk>(method) || std::holds_alternative<amqp::BasicGetEmpty>(method);
  if (!goes_on) return;
  answered();
  go_on();
}

void Getter::on_content(const amqp::Method& announcement, std::string_view body) {
  const auto* got = std::get_if<amqp::BasicGetOk>(&announcement);
  if (got == nullptr) return;
  stage_.seen(Seen::got);
  answered();
  take(queue_.name, got->delivery_tag, body, got->redelivered);
  go_on();
}

// --- Churner ---

void Churner::on_open() { go_on(); }

void Churner::go_on() {
  later(draw_exponential(stage_.streams.workload, 100ms), [this] {
    if (!stopped_ && !waits()) act();
  });
}

/// Queues of the same name are of the same kind, whoever declares them.
void Churner::act() {
  Random& random = stage_.streams.workload;
  const std::uint64_t number = random.below(6);
  const bool is_own = number == 5;
  const std::string queue = is_own ? "own-" + name_ : "churn-" + std::to_string(number);
  const bool is_quorum = !is_own && number % 2 == 0;
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return declare(queue, is_quorum, true, is_own, number == 3 || number == 4);
    case 3:
      for (int i = 0; i < 3; ++i) publish(queue, true, "churn");
      return go_on();
    case 4:
      ask("basic.get " + queue);
      return send(amqp::BasicGet{.queue = queue, .no_ack = true});
    case 5:
      ask("queue.purge " + queue);
      return send(amqp::QueuePurge{.queue = queue});
    case 6:
      ask("queue.delete " + queue);
      return send(amqp::QueueDelete{
          .queue = queue, .if_unused = draw_chance(random, 0.2), .if_empty = draw_chance(random, 0.2)});
    case 7:
      if (consuming_) {
        ask("basic.cancel " + queue);
        return send(amqp::BasicCancel{.consumer_tag = "churn"});
      }
      ask("basic.consume " + queue);
      return send(amqp::BasicConsume{.queue = queue, .consumer_tag = "churn", .no_ack = true});
    default:
      if (draw_chance(random, 0.2)) return hang_up();
      ask("queue.declare passive " + queue);
      return send(amqp::QueueDeclare{.queue = queue, .passive = true});
  }
}

void Churner::on_method(const amqp::Method& method) {
  if (std::holds_alternative<amqp::BasicConsumeOk>(method)) consuming_ = true;
  if (std::holds_alternative<amqp::BasicCancelOk>(method)) consuming_ = false;
  answered();
  go_on();
}

void Churner::on_content(const amqp::Method& announcement, std::string_view) {
  if (!std::holds_alternative<amqp::BasicGetOk>(announcement)) return;
  answered();
  go_on();
}

}  // namespace quorate::sim::nodes

#include "tests/sim/nodes/churner.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

void Churner::on_open() {
  if (transactional_) {
    send(amqp::TxSelect{});
  } else {
    send(amqp::ConfirmSelect{});
  }
  go_on();
}

void Churner::on_closed() {
  consuming_ = false;
  confirms_.begin();
}

std::optional<std::string> Churner::missing() const {
  const auto missing = Client::missing();
  return missing ? missing : confirms_.missing();
}

void Churner::go_on() {
  later(draw_exponential(chance(), 80ms), [this] {
    if (!is_stopped() && !waits()) act();
  });
}

Churner::Target Churner::draw_target() {
  const std::uint64_t number = chance().below(6);
  const bool is_own = number == 5;
  return {.name = is_own ? "own-" + name() : "churn-" + std::to_string(number),
          .is_own = is_own,
          .is_quorum = !is_own && (number % 2 == 0 || all_replicated_),
          .auto_delete = number == 3 || number == 4};
}

void Churner::act() {
  const Target target = draw_target();
  switch (chance().below(10)) {
    case 0:
    case 1:
    case 2:
      return declare_it(target);
    case 3:
      publish_some(target);
      if (!transactional_) return go_on();
      return ask("tx.commit", amqp::TxCommit{});
    case 4:
      return ask("basic.get " + target.name, amqp::BasicGet{.queue = target.name, .no_ack = true});
    case 5:
      stage_.seen(Seen::purged);
      return ask("queue.purge " + target.name, amqp::QueuePurge{.queue = target.name});
    case 6:
    case 7:
      return delete_it(target);
    case 8:
      return begin_or_end_to_consume(target);
    default:
      if (draw_chance(chance(), 0.2)) return hang_up();
      return ask("queue.declare passive " + target.name, amqp::QueueDeclare{.queue = target.name, .passive = true});
  }
}

void Churner::declare_it(const Target& target) {
  Table arguments;
  arguments.fields.emplace_back("x-queue-type", Value(std::string(target.is_quorum ? "quorum" : "classic")));
  declare({.queue = target.name,
           .arguments = std::move(arguments),
           .exclusive = target.is_own,
           .auto_delete = target.auto_delete});
}

void Churner::publish_some(const Target& target) {
  for (std::uint64_t count = 1 + chance().below(4); count > 0; --count) {
    publish({.routing_key = target.name, .body = "churn", .persistent = draw_chance(chance(), 0.8)});
    if (!transactional_) confirms_.expect(++published_);
  }
}

/// In the middle of publications, all of them sent before anything is answered.
void Churner::delete_it(const Target& target) {
  const bool is_in_the_middle = draw_chance(chance(), 0.5);
  if (is_in_the_middle) publish_some(target);
  stage_.seen(Seen::queue_deleted);
  ask("queue.delete " + target.name,
      amqp::QueueDelete{
          .queue = target.name, .if_unused = draw_chance(chance(), 0.2), .if_empty = draw_chance(chance(), 0.2)});
  if (is_in_the_middle) publish_some(target);
}

void Churner::begin_or_end_to_consume(const Target& target) {
  if (consuming_) return ask("basic.cancel", amqp::BasicCancel{.consumer_tag = "churn"});
  ask("basic.consume " + target.name,
      amqp::BasicConsume{.queue = target.name, .consumer_tag = "churn", .no_ack = draw_chance(chance(), 0.7)});
}

void Churner::on_method(const amqp::Method& method) {
  const auto* ack = std::get_if<amqp::BasicAck>(&method);
  const auto* nack = std::get_if<amqp::BasicNack>(&method);
  if (ack != nullptr || nack != nullptr) {
    const auto settled = ack != nullptr ? confirms_.settle(ack->delivery_tag, ack->multiple)
                                        : confirms_.settle(nack->delivery_tag, nack->multiple);
    if (!settled) stage_.violated(describe() + ": a publication is answered a second time, or was never sent");
    return;
  }
  const bool is_no_answer =
      std::holds_alternative<amqp::ConfirmSelectOk>(method) || std::holds_alternative<amqp::TxSelectOk>(method);
  if (is_no_answer) return;
  if (std::holds_alternative<amqp::BasicConsumeOk>(method)) consuming_ = true;
  if (std::holds_alternative<amqp::BasicCancelOk>(method)) consuming_ = false;
  const bool was_asked = !std::holds_alternative<amqp::BasicCancel>(method);  // its queue has gone
  if (!was_asked) return;
  answered();
  go_on();
}

void Churner::on_content(const amqp::Method& announcement, const Content&) {
  if (std::holds_alternative<amqp::BasicReturn>(announcement)) stage_.seen(Seen::unroutable);
  if (!std::holds_alternative<amqp::BasicGetOk>(announcement)) return;
  answered();
  go_on();
}

}  // namespace quorate::sim::nodes

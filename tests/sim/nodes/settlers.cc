#include "tests/sim/nodes/settlers.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

// --- Settler ---

void Settler::on_open() {
  if (transactional_) {
    send(amqp::TxSelect{});
    end_transactions();
  }
  declare({.queue = queue_.name, .arguments = queue_.arguments()});
}

void Settler::on_closed() {
  held_.clear();
  uncommitted_.clear();
  recovering_ = false;
}

bool Settler::take_answer(const amqp::Method& method) {
  if (std::holds_alternative<amqp::TxSelectOk>(method)) return true;
  const bool is_answer = std::holds_alternative<amqp::TxCommitOk>(method) ||
                         std::holds_alternative<amqp::TxRollbackOk>(method) ||
                         std::holds_alternative<amqp::BasicRecoverOk>(method);
  if (!is_answer) return false;
  recovering_ = false;
  answered();
  return true;
}

void Settler::take(std::uint64_t tag, const Content& content, bool redelivered) {
  if (recovering_) return;
  held_.emplace(tag, ledger_.delivered(connection_, queue_, content, redelivered));
  settle_later(tag);
}

void Settler::settle_later(std::uint64_t tag) {
  later(draw_exponential(chance(), is_stopped() ? 1ms : 30ms), [this, tag] { settle(tag); });
}

void Settler::settle(std::uint64_t tag) {
  if (!held_.contains(tag)) return;
  const double choice = is_stopped() ? 0.5 : draw_unit(chance());
  if (choice < 0.1) {
    settle_up_to(tag, Deed::acknowledge);
    send(amqp::BasicAck{.delivery_tag = tag, .multiple = true});
  } else if (choice < 0.86) {
    settle_one(tag, Deed::acknowledge, amqp::BasicAck{.delivery_tag = tag});
  } else if (choice < 0.91) {
    settle_one(tag, Deed::give_back, amqp::BasicNack{.delivery_tag = tag, .requeue = true});
  } else if (choice < 0.92) {
    settle_up_to(tag, Deed::give_back);
    send(amqp::BasicNack{.delivery_tag = tag, .multiple = true, .requeue = true});
  } else if (choice < 0.95) {
    settle_one(tag, Deed::give_back, amqp::BasicReject{.delivery_tag = tag, .requeue = true});
  } else if (choice < 0.96 && !transactional_ && !waits()) {
    recover();
  } else {
    settle_one(tag, Deed::acknowledge, amqp::BasicReject{.delivery_tag = tag});
  }
}

template <class Method>
void Settler::settle_one(std::uint64_t tag, Deed deed, const Method& method) {
  const auto at = held_.extract(tag);
  note({.tag = tag, .id = at.mapped(), .deed = deed});
  send(method);
}

void Settler::settle_up_to(std::uint64_t tag, Deed deed) {
  for (auto at = held_.begin(); at != held_.upper_bound(tag); at = held_.erase(at)) {
    note({.tag = at->first, .id = at->second, .deed = deed});
  }
}

void Settler::recover() {
  for (const auto& [tag, id] : std::exchange(held_, {})) ledger_.given_back(id);
  recovering_ = true;
  ask("basic.recover", amqp::BasicRecover{.requeue = true});
}

void Settler::note(Settled settled) {
  if (transactional_) {
    uncommitted_.push_back(settled);
  } else {
    note_in_ledger(settled);
  }
}

void Settler::note_in_ledger(const Settled& settled) {
  if (settled.deed == Deed::acknowledge) {
    ledger_.acknowledged(settled.id, connection_);
  } else {
    ledger_.given_back(settled.id);
  }
}

void Settler::end_transactions() {
  later(draw_exponential(chance(), is_stopped() ? 10ms : 150ms), [this] {
    if (!uncommitted_.empty() && !waits()) end_transaction();
    end_transactions();
  });
}

void Settler::end_transaction() {
  std::vector<Settled> settled = std::exchange(uncommitted_, {});
  if (is_stopped() || draw_chance(chance(), 0.8)) {
    for (const Settled& each : settled) note_in_ledger(each);
    stage_.seen(Seen::tx_committed);
    return ask("tx.commit", amqp::TxCommit{});
  }
  stage_.seen(Seen::tx_rolled_back);
  for (const Settled& each : settled) {
    held_.emplace(each.tag, each.id);
    settle_later(each.tag);
  }
  ask("tx.rollback", amqp::TxRollback{});
}

// --- Consumer ---

void Consumer::consume() {
  const auto prefetch = static_cast<std::uint16_t>(is_stopped() ? 200 : draw_magnitude(chance(), 1, 50));
  send(amqp::BasicQos{.prefetch_count = prefetch});
  ask("basic.consume " + queue_.name, amqp::BasicConsume{.queue = queue_.name, .consumer_tag = "it"});
}

/// Who has a queue for itself comes back with a larger window, or to empty it would take all day.
void Consumer::stop() {
  Settler::stop();
  if (queue_.single_active) hang_up();
}

void Consumer::grow_restless() {
  later(draw_exponential(chance(), 4s), [this] {
    if (is_stopped()) return;
    if (waits()) return grow_restless();
    if (draw_chance(chance(), 0.4)) return hang_up();
    ledger_.cancelled(queue_.name);
    stage_.seen(Seen::cancelled);
    ask("basic.cancel " + queue_.name, amqp::BasicCancel{.consumer_tag = "it"});
  });
}

void Consumer::on_method(const amqp::Method& method) {
  if (take_answer(method)) return;
  if (std::holds_alternative<amqp::QueueDeclareOk>(method) || std::holds_alternative<amqp::BasicCancelOk>(method)) {
    answered();
    consume();
  } else if (std::holds_alternative<amqp::BasicConsumeOk>(method)) {
    answered();
    grow_restless();
  }
}

void Consumer::on_content(const amqp::Method& announcement, const Content& content) {
  const auto* deliver = std::get_if<amqp::BasicDeliver>(&announcement);
  if (deliver != nullptr) take(deliver->delivery_tag, content, deliver->redelivered);
}

// --- Getter ---

void Getter::go_on() {
  later(draw_exponential(chance(), 100ms), [this] {
    if (is_stopped()) return;
    if (waits()) return go_on();
    if (draw_chance(chance(), 0.01)) return hang_up();
    ask("basic.get " + queue_.name, amqp::BasicGet{.queue = queue_.name});
  });
}

void Getter::on_method(const amqp::Method& method) {
  if (take_answer(method)) return;
  const bool goes_on =
      std::holds_alternative<amqp::QueueDeclareOk>(method) || std::holds_alternative<amqp::BasicGetEmpty>(method);
  if (!goes_on) return;
  answered();
  go_on();
}

void Getter::on_content(const amqp::Method& announcement, const Content& content) {
  const auto* got = std::get_if<amqp::BasicGetOk>(&announcement);
  if (got == nullptr) return;
  stage_.seen(Seen::got);
  answered();
  take(got->delivery_tag, content, got->redelivered);
  go_on();
}

}  // namespace quorate::sim::nodes

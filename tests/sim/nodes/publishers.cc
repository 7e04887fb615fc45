#include "tests/sim/nodes/publishers.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

// --- Confirms ---

std::optional<std::vector<MessageId>> Confirms::settle(std::uint64_t tag, bool multiple) {
  if (!multiple && !waiting_.contains(tag)) return std::nullopt;
  std::vector<MessageId> settled;
  const auto end = waiting_.upper_bound(tag);
  for (auto at = multiple ? waiting_.begin() : waiting_.find(tag); at != end; at = waiting_.erase(at)) {
    settled.push_back(at->second);
  }
  return settled;
}

std::optional<std::string> Confirms::missing() const {
  if (waiting_.empty()) return std::nullopt;
  return fmt::format("confirms of {} messages, the first is {}", waiting_.size(), waiting_.begin()->second);
}

// --- Sender ---

MessageId Sender::publish_one() {
  const MessageId id = ledger_.publish(queue_.name, connection_->id(), fmt::format("{} via {}", name_, where_));
  const bool persistent = queue_.may_be_classic || draw_chance(chance(), 0.7);
  const std::string body = ledger_.body_of(id, draw_magnitude(chance(), 1, stage_.options.workload.body_max_bytes));
  publish({.routing_key = queue_.name, .body = body, .persistent = persistent});
  return id;
}

void Sender::on_content(const amqp::Method& announcement, const Content& content) {
  if (!std::holds_alternative<amqp::BasicReturn>(announcement)) return;
  stage_.violated(fmt::format("{}: message {} finds no queue although it was declared", describe(),
                              std::string(content.body.substr(0, content.body.find(' ')))));
}

// --- Publisher ---

void Publisher::on_open() {
  confirms_.begin();
  send(amqp::ConfirmSelect{});
  declare_queue();
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

void Publisher::go_on() {
  later(draw_exponential(chance(), stage_.options.workload.publish_gap), [this] {
    constexpr std::size_t kUnconfirmedMax = 100;
    if (is_stopped()) return;
    if (draw_chance(chance(), 0.01)) return hang_up();
    const std::uint64_t count = 1 + chance().below(stage_.options.workload.pack_max);
    for (std::uint64_t i = 0; i < count && confirms_.size() < kUnconfirmedMax; ++i) confirms_.expect(publish_one());
    go_on();
  });
}

void Publisher::settle(std::uint64_t tag, bool multiple, bool taken) {
  const auto settled = confirms_.settle(tag, multiple);
  if (!settled) {
    stage_.violated(fmt::format("{}: publication {} is answered a second time, or was never sent", describe(), tag));
  }
  for (const MessageId id : *settled) {
    if (taken) {
      ledger_.confirmed(id);
    } else {
      ledger_.refused(id, queue_);
    }
  }
}

std::optional<std::string> Publisher::missing() const {
  const auto missing = Client::missing();
  return missing ? missing : confirms_.missing();
}

// --- Transactor ---

void Transactor::on_open() {
  send(amqp::TxSelect{});
  declare_queue();
}

void Transactor::on_method(const amqp::Method& method) {
  if (std::holds_alternative<amqp::TxSelectOk>(method)) return;
  if (std::holds_alternative<amqp::TxCommitOk>(method)) {
    stage_.seen(Seen::tx_committed);
    for (const MessageId id : std::exchange(pending_, {})) ledger_.confirmed(id);
  }
  answered();
  go_on();
}

void Transactor::go_on() {
  later(draw_exponential(chance(), stage_.options.workload.publish_gap * 2), [this] {
    if (!is_stopped()) act();
  });
}

void Transactor::act() {
  for (std::uint64_t count = chance().below(6); count > 0; --count) {
    pending_.push_back(publish_one());
    ledger_.withhold(pending_.back());
  }
  if (draw_chance(chance(), 0.1)) return go_on();
  if (draw_chance(chance(), 0.05)) return hang_up();
  if (draw_chance(chance(), 0.2)) {
    stage_.seen(Seen::tx_rolled_back);
    pending_.clear();
    return ask("tx.rollback", amqp::TxRollback{});
  }
  for (const MessageId id : pending_) ledger_.release(id);
  ask("tx.commit", amqp::TxCommit{});
}

}  // namespace quorate::sim::nodes

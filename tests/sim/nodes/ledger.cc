#include "tests/sim/nodes/ledger.h"

#include <fmt/format.h>

#include <charconv>

namespace quorate::sim::nodes {

namespace {
/// A quorum queue with a limit gives up on a message that came back too often; a delivery that was lost on its way to
/// a client counts as well, so fewer than the limit may have been seen.
constexpr unsigned kMaybeTooOften = 5;
constexpr std::size_t kShownMax = 10;
}  // namespace

MessageId Ledger::publish(const std::string& queue, std::uint64_t sender, const std::string& where) {
  messages_.push_back({.queue = queue, .sender = sender, .where = where});
  stage_.seen(Seen::published);
  return messages_.size() - 1;
}

std::string Ledger::body_of(MessageId id, std::size_t size) const {
  std::string body = std::to_string(id) + " ";
  if (body.size() < size) body.resize(size, '.');
  return body;
}

void Ledger::confirmed(MessageId id) {
  Message& message = messages_.at(id);
  if (message.fate != Fate::unknown) stage_.violated(fmt::format("message {} is confirmed twice", id));
  message.fate = Fate::confirmed;
  stage_.seen(Seen::confirmed);
}

/// A classic queue delivers ahead of its log to its own node (docs/decisions 5): when that node has gone with whoever
/// got the message, the publication comes again, perhaps to a queue that is full by now.
void Ledger::refused(MessageId id, const QueuePlan& queue) {
  Message& message = messages_.at(id);
  const bool is_forgotten = !queue.is_quorum && message.receiver && !message.receiver->is_live();
  if (message.deliveries > 0 && !is_forgotten) {
    stage_.violated(fmt::format("message {} is refused, and was delivered", id));
  }
  message.fate = Fate::refused;
  stage_.seen(Seen::publication_refused);
}

// --- deliveries ---

MessageId Ledger::delivered(const ConnectionPtr& to, const QueuePlan& queue, const Content& content, bool redelivered) {
  MessageId id = 0;
  std::from_chars(content.body.data(), content.body.data() + content.body.size(), id);
  if (id == 0 || id >= messages_.size()) stage_.violated("a message that nobody has sent");
  check_may_come(id, queue, *to);
  check_redelivered(id, queue, *to, content, redelivered);
  check_order(id, queue, *to, redelivered);
  Message& message = messages_[id];
  message.settler = nullptr;
  message.holder = to;
  message.receiver = to;
  ++message.deliveries;
  stage_.seen(redelivered ? Seen::redelivered : Seen::delivered);
  return id;
}

void Ledger::wrong(MessageId id, const Connection& to, const std::string& what) const {
  const Message& message = messages_[id];
  stage_.violated(fmt::format("message {} ({} of {}, {} deliveries): {}, to connection {}", id, message.where,
                              message.queue, message.deliveries, what, to.id()));
}

void Ledger::check_may_come(MessageId id, const QueuePlan& queue, const Connection& to) const {
  const Message& message = messages_[id];
  if (message.queue != queue.name) wrong(id, to, "comes from queue " + queue.name + " and was sent to another");
  if (message.fate == Fate::withheld) wrong(id, to, "comes from a transaction that was not committed");
  if (message.fate == Fate::refused) wrong(id, to, "comes, and was refused");
  if (message.holder && message.holder->is_live()) {
    wrong(id, to, fmt::format("connection {} holds it", message.holder->id()));
  }
  if (message.settler && message.settler->is_live()) {
    wrong(id, to, fmt::format("connection {} has acknowledged it", message.settler->id()));
  }
}

void Ledger::check_redelivered(MessageId id, const QueuePlan& queue, const Connection& to, const Content& content,
                               bool redelivered) {
  Message& message = messages_[id];
  // A classic queue delivers ahead of its log to its own node (docs/decisions 5): a crash forgets that it has.
  if (!queue.is_quorum) return;
  if (message.deliveries > 0 && !redelivered) wrong(id, to, "comes again and does not say so");
  const std::int64_t count = content.delivery_count.value_or(0);
  if (count < message.delivery_count) {
    wrong(id, to, fmt::format("has failed {} times now, and {} before", count, message.delivery_count));
  }
  message.delivery_count = count;
}

/// What was on its way to one who has gone comes later, as if it had not been delivered.
void Ledger::check_order(MessageId id, const QueuePlan& queue, const Connection& to, bool redelivered) {
  const bool is_only_consumer = only_consumer_.try_emplace(queue.name, to.id()).first->second == to.id();
  if (!is_only_consumer) only_consumer_[queue.name] = 0;
  if (redelivered || !is_only_consumer) return;
  MessageId& newest = newest_[{to.id(), messages_[id].sender}];
  if (newest > id) wrong(id, to, fmt::format("comes after {} of the same publisher", newest));
  newest = id;
}

void Ledger::acknowledged(MessageId id, const ConnectionPtr& by) {
  Message& message = messages_.at(id);
  message.holder = nullptr;
  message.settler = by;
  message.was_settled = true;
  stage_.seen(Seen::settled);
}

void Ledger::given_back(MessageId id) {
  Message& message = messages_.at(id);
  message.holder = nullptr;
  message.settler = nullptr;
  stage_.seen(Seen::returned);
}

// --- the end ---

bool Ledger::is_lost(const Message& message, const QueuePlan& queue) const {
  if (message.queue != queue.name || message.fate != Fate::confirmed || message.was_settled) return false;
  return !queue.has_delivery_limit || message.deliveries < kMaybeTooOften;
}

void Ledger::check_nothing_lost(const QueuePlan& queue) const {
  if (queue.may_drop()) return;
  std::string lost;
  std::size_t count = 0;
  for (MessageId id = 1; id < messages_.size(); ++id) {
    if (!is_lost(messages_[id], queue)) continue;
    if (++count <= kShownMax) lost += fmt::format(" {}({})", id, messages_[id].where);
  }
  if (count > 0) stage_.violated(fmt::format("{} confirmed messages of {} are lost:{}", count, queue.name, lost));
}

}  // namespace quorate::sim::nodes

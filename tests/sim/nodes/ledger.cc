#include "tests/sim/nodes/ledger.h"

#include <fmt/format.h>

#include <charconv>

namespace quorate::sim::nodes {

namespace {
/// A message given back so often may be dropped: the delivery limit of a quorum queue.
constexpr unsigned kReturnsMax = 20;
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

MessageId Ledger::delivered(const ConnectionPtr& to, const std::string& queue, std::string_view body,
                            bool redelivered) {
  MessageId id = 0;
  std::from_chars(body.data(), body.data() + body.size(), id);
  if (id == 0 || id >= messages_.size()) stage_.violated("a message that nobody has sent");
  Message& message = messages_[id];
  const auto wrong = [&](const std::string& what) {
    stage_.violated(fmt::format("message {} ({} of {}, {} deliveries, {} returns): {}, to connection {}", id,
                                message.where, queue, message.deliveries, message.returns, what, to->id()));
  };
  if (message.queue != queue) wrong("comes from queue " + queue + " and was sent to " + message.queue);
  if (message.holder && message.holder->is_live()) {
    wrong(fmt::format("connection {} holds it", message.holder->id()));
  }
  if (message.settler && message.settler->is_live()) {
    wrong(fmt::format("connection {} has acknowledged it", message.settler->id()));
  }
  // A classic queue delivers ahead of its log to its own node (docs/decisions 5): a crash forgets that it has.
  const bool must_say_so = queue.starts_with("quorum");
  if (message.deliveries > 0 && !redelivered && must_say_so) wrong("comes again and does not say so");
  // What was on its way to one who has gone comes later, as if it had not been delivered.
  const bool is_only_consumer = only_consumer_.try_emplace(queue, to->id()).first->second == to->id();
  if (!is_only_consumer) only_consumer_[queue] = 0;
  if (!redelivered && is_only_consumer) {
    MessageId& newest = newest_[{to->id(), message.sender}];
    if (newest > id) wrong(fmt::format("comes after {} of the same publisher", newest));
    newest = id;
  }
  if (message.holder || message.settler) ++message.returns;
  message.settler = nullptr;
  message.holder = to;
  ++message.deliveries;
  stage_.seen(redelivered ? Seen::redelivered : Seen::delivered);
  return id;
}

void Ledger::acknowledged(MessageId id, const ConnectionPtr& by) {
  Message& message = messages_.at(id);
  message.holder = nullptr;
  message.settler = by;
  stage_.seen(Seen::settled);
}

void Ledger::given_back(MessageId id) {
  Message& message = messages_.at(id);
  message.holder = nullptr;
  message.settler = nullptr;
  ++message.returns;
  stage_.seen(Seen::returned);
}

void Ledger::check_nothing_lost(const std::string& queue) const {
  std::string lost;
  unsigned count = 0;
  for (MessageId id = 1; id < messages_.size(); ++id) {
    const Message& message = messages_[id];
    if (message.queue != queue || message.fate != Fate::confirmed || message.deliveries > 0) continue;
    if (++count <= 10) lost += fmt::format(" {}({})", id, message.where);
  }
  if (count > 0) stage_.violated(fmt::format("{} confirmed messages of {} are lost:{}", count, queue, lost));
}

}  // namespace quorate::sim::nodes

#include "broker/queue/queue_machine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace quorate::queue {

Position Position::of(LogIndex index, std::size_t offset) {
  CHECK_LT(offset, kOffsetEnd);
  CHECK_LT(index.value(), std::uint64_t{1} << (64 - kOffsetBits));
  return {.packed = (index.value() << kOffsetBits) | offset};
}

Result<void> QueueMachine::apply(LogIndex index, ByteView payload, Effects& out) {
  CHECK_GT(index, applied_);
  applied_ = index;
  skipped_message_ = false;
  senders_.begin_entry();
  ByteReader reader(payload);
  Command command;
  while (reader.remaining() > 0) {
    offset_ = payload.size() - reader.remaining();
    const bool is_command = decode_command(reader, command);
    const bool is_placeable = offset_ < Position::kOffsetEnd || !std::holds_alternative<Enqueue>(command);
    if (!is_command || !is_placeable) {
      return failure(ErrorCode::corruption, "log entry " + std::to_string(index.value()) +
                                                " holds no queue command at offset " + std::to_string(offset_));
    }
    if (!has_its_turn(command, out)) continue;
    std::visit([&](const auto& c) { on(c, out); }, command);
    check_out(out);
  }
  if (skipped_message_ && !is_live(index)) live_.insert(index.value(), 0);  // so that it is buried below
  bury_entry_if_empty(index, out);
  senders_.end_entry(out);
  return {};
}

// --- messages come ---

void QueueMachine::on(const Enqueue& command, Effects&) {
  const MessageRef message{.position = Position::of(applied_, offset_),
                           .body_size = command.body_size,
                           .priority = command.priority,
                           .persistent = command.persistent};
  CHECK(ready_.empty() || ready_.back().position < message.position);
  ready_.push_back(message);
  message_bytes_ += message.body_size;
  count_live(applied_);
}

// --- consumers come and go ---

std::int64_t QueueMachine::clamp_window(std::uint64_t bytes) {
  return static_cast<std::int64_t>(std::min(bytes, static_cast<std::uint64_t>(kWindowMax)));
}

void QueueMachine::on(const Attach& command, Effects& out) {
  CHECK_NE(command.consumer.link, kGetLink);
  const bool others = consumer_count_ > 0;
  const bool held_exclusively = std::ranges::any_of(
      consumers_, [](const auto& entry) { return entry.second->exclusive && !entry.second->cancelled; });
  const bool is_there = consumers_.contains(command.consumer);
  if (!is_there && (held_exclusively || (command.exclusive && others))) {
    answer(effect::Attached{.consumer = command.consumer, .result = AttachResult::in_exclusive_use}, out);
    return;
  }
  answer(effect::Attached{.consumer = command.consumer}, out);
  if (is_there) return;
  const auto at = consumers_.try_emplace(command.consumer).first;
  at->second = std::make_unique<Consumer>(Consumer{.key = command.consumer,
                                                   .no_ack = command.no_ack,
                                                   .exclusive = command.exclusive,
                                                   .priority = command.priority,
                                                   .prefetch = command.prefetch,
                                                   .window = clamp_window(command.window)});
  ++consumer_count_;
  enter_service(*at->second);
}

void QueueMachine::on(const Cancel& command, Effects& out) {
  Consumer* consumer = find(command.consumer);
  answer(effect::Cancelled{.consumer = command.consumer}, out);
  if (consumer == nullptr || consumer->cancelled) return;
  consumer->cancelled = true;
  count_out_consumer(out);
  remove_if_done(command.consumer);
}

void QueueMachine::on(const Credit& command, Effects&) {
  Consumer* consumer = find(command.consumer);
  if (consumer == nullptr) return;
  consumer->window = std::min(consumer->window + clamp_window(command.bytes), kWindowMax);
  enter_service(*consumer);
}

void QueueMachine::on(const Down& command, Effects& out) {
  auto at = consumers_.lower_bound({.session = command.session, .link = 0});
  while (at != consumers_.end() && at->first.session == command.session) {
    const auto next = std::next(at);
    return_all_and_remove(at, ReturnReason::requeued, out);
    at = next;
  }
  senders_.end(command.session);
}

void QueueMachine::on(const NodeUp& command, Effects& out) {
  Effects unused;  // a queue does not delete itself because its node was restarted
  for (auto at = consumers_.begin(); at != consumers_.end();) {
    const auto next = std::next(at);
    const SessionId& session = at->first.session;
    if (session.node == command.node && session.epoch < command.epoch) {
      return_all_and_remove(at, ReturnReason::requeued, unused);
    }
    at = next;
  }
  senders_.end_all(command.node, command.epoch);
  drop_transient(out);
  if (!command.after_crash) return;
  for (MessageRef& message : ready_) message.redelivered = true;
  for (auto& [position, message] : returned_) message.redelivered = true;
}

void QueueMachine::on(const SessionsGone& command, Effects& out) {
  const ReturnReason reason = command.expired ? ReturnReason::released : ReturnReason::requeued;
  auto at = consumers_.lower_bound({.session = {.node = command.node}});
  while (at != consumers_.end() && at->first.session.node == command.node && at->first.session.epoch < command.below) {
    const auto next = std::next(at);
    return_all_and_remove(at, reason, out);
    at = next;
  }
  if (command.expired) {
    senders_.expire_all(command.node, command.below);
  } else {
    senders_.end_all(command.node, command.below);
  }
}

void QueueMachine::on(const NodeSuspected& command, Effects&) { suspect(command.node, command.epoch, true); }

void QueueMachine::on(const NodeTrusted& command, Effects&) { suspect(command.node, command.epoch, false); }

void QueueMachine::suspect(NodeId node, Epoch epoch, bool suspected) {
  auto at = consumers_.lower_bound({.session = {.node = node, .epoch = epoch}});
  for (; at != consumers_.end() && at->first.session.node == node && at->first.session.epoch == epoch; ++at) {
    at->second->suspected = suspected;
    enter_service(*at->second);
  }
}

void QueueMachine::return_all_and_remove(Consumers::iterator at, ReturnReason reason, Effects& out) {
  Consumer& consumer = *at->second;
  take_held(consumer, {{.first = 1, .last = consumer.next_id}},
            [&](const MessageRef& message) { give_back(message, reason); });
  if (!consumer.cancelled) {
    consumer.cancelled = true;
    count_out_consumer(out);
  }
  if (consumer.key.link == kGetLink) {
    consumers_.erase(at);
  } else {
    remove_if_done(consumer.key);
  }
}

void QueueMachine::count_out_consumer(Effects& out) {
  CHECK_GT(consumer_count_, 0u);
  if (--consumer_count_ == 0) out.emplace_back(effect::Unused{});
}

/// A getter stays while its session does: its ids must never be given out twice.
void QueueMachine::remove_if_done(const ConsumerKey& key) {
  const auto at = consumers_.find(key);
  if (at == consumers_.end() || !at->second->cancelled || !at->second->held.empty()) return;
  if (key.link == kGetLink) return;
  if (const auto waiting = service_.find(at->second->priority); waiting != service_.end()) {
    if (at->second->in_service) std::erase(waiting->second, at->second.get());
    if (waiting->second.empty()) service_.erase(waiting);
  }
  consumers_.erase(at);
}

// --- messages go ---

void QueueMachine::on(const Settle& command, Effects& out) { settle_ids(command.consumer, command.ids, out); }

void QueueMachine::on(const Discard& command, Effects& out) { settle_ids(command.consumer, command.ids, out); }

void QueueMachine::settle_ids(const ConsumerKey& key, const std::vector<IdRange>& ids, Effects& out) {
  Consumer* consumer = find(key);
  if (consumer == nullptr) return;
  take_held(*consumer, ids, [&](const MessageRef& message) { bury(message, out); });
  enter_service(*consumer);
  remove_if_done(key);
}

void QueueMachine::on(const Return& command, Effects&) {
  Consumer* consumer = find(command.consumer);
  if (consumer == nullptr) return;
  take_held(*consumer, command.ids, [&](const MessageRef& message) { give_back(message, command.reason); });
  enter_service(*consumer);
  remove_if_done(command.consumer);
}

void QueueMachine::on(const Get& command, Effects& out) {
  if (!has_ready()) {
    answer(effect::GetEmpty{.session = command.session}, out);
    return;
  }
  const ConsumerKey key{.session = command.session, .link = kGetLink};
  auto [at, added] = consumers_.try_emplace(key);
  if (added) at->second = std::make_unique<Consumer>(Consumer{.key = key, .cancelled = true});
  Consumer& getter = *at->second;
  getter.no_ack = command.no_ack;
  effect::GetOk reply{.delivery = hand_to(getter, take_next())};
  reply.ready_left = ready_count();
  answer(reply, out);
  if (reply.delivery.settled) bury(reply.delivery.message, out);
}

void QueueMachine::on(const Purge& command, Effects& out) {
  const std::uint64_t count = ready_count();
  answer(effect::Purged{.session = command.session, .count = count}, out);
  for (const auto& [position, message] : returned_) bury(message, out);
  for (const MessageRef& message : ready_) bury(message, out);
  returned_.clear();
  ready_.clear();
}

void QueueMachine::drop_transient(Effects& out) {
  const auto drop = [&](const MessageRef& message) {
    if (message.persistent) return false;
    bury(message, out);
    return true;
  };
  std::erase_if(ready_, drop);
  std::erase_if(returned_, [&](const auto& entry) { return drop(entry.second); });
}

void QueueMachine::bury(const MessageRef& message, Effects& out) {
  CHECK_GE(message_bytes_, message.body_size);
  message_bytes_ -= message.body_size;
  reclaimable_bytes_ += message.body_size + limits::kMessageOverheadBytes;
  std::uint32_t* count = live_.find(message.position.index().value());
  CHECK(count != nullptr);
  CHECK_GT(*count, 0u);
  --*count;
  // More messages may come out of the entry that is being applied.
  if (message.position.index() != applied_) bury_entry_if_empty(message.position.index(), out);
}

void QueueMachine::bury_entry_if_empty(LogIndex index, Effects& out) {
  const std::uint32_t* count = live_.find(index.value());
  if (count == nullptr || *count > 0) return;
  live_.erase(index.value());
  out.emplace_back(effect::EntryDead{.index = index});
}

void QueueMachine::count_live(LogIndex index) {
  if (std::uint32_t* count = live_.find(index.value()); count != nullptr) {
    ++*count;
  } else {
    live_.insert(index.value(), 1);
  }
}

// --- who gets what ---

bool QueueMachine::is_servable(const Consumer& consumer) {
  return !consumer.cancelled && !consumer.suspected && consumer.window > 0 &&
         (consumer.prefetch == 0 || consumer.held.size() < consumer.prefetch);
}

void QueueMachine::enter_service(Consumer& consumer) {
  if (consumer.in_service || !is_servable(consumer)) return;
  consumer.in_service = true;
  service_[consumer.priority].push_back(&consumer);
}

QueueMachine::Consumer* QueueMachine::next_in_service() {
  for (auto& [priority, waiting] : service_) {
    while (!waiting.empty()) {
      Consumer* consumer = waiting.front();
      waiting.pop_front();
      consumer->in_service = false;
      if (is_servable(*consumer)) return consumer;
    }
  }
  return nullptr;
}

void QueueMachine::check_out(Effects& out) {
  while (has_ready()) {
    Consumer* consumer = next_in_service();
    if (consumer == nullptr) return;
    const effect::Deliver delivery = hand_to(*consumer, take_next());
    out.emplace_back(delivery);
    if (delivery.settled) bury(delivery.message, out);
    enter_service(*consumer);
  }
}

MessageRef QueueMachine::take_next() {
  if (!returned_.empty() && (ready_.empty() || returned_.begin()->first < ready_.front().position)) {
    const MessageRef message = returned_.begin()->second;
    returned_.erase(returned_.begin());
    return message;
  }
  const MessageRef message = ready_.front();
  ready_.pop_front();
  return message;
}

/// A delivery that is settled at once is to be buried by the caller.
effect::Deliver QueueMachine::hand_to(Consumer& consumer, MessageRef message) {
  const effect::Deliver delivery{
      .consumer = consumer.key, .id = consumer.next_id++, .message = message, .settled = consumer.no_ack};
  if (!consumer.cancelled) {
    consumer.window -= static_cast<std::int64_t>(message.body_size) + limits::kMessageOverheadBytes;
  }
  if (!consumer.no_ack) {
    consumer.held.insert(delivery.id, message);
    ++unsettled_count_;
  }
  return delivery;
}

QueueMachine::Consumer* QueueMachine::find(const ConsumerKey& key) {
  const auto at = consumers_.find(key);
  return at == consumers_.end() ? nullptr : at->second.get();
}

/// Calls `visit` for each message of `ids` that the consumer still holds; it holds them no more. Others are ignored:
/// a client may repeat itself.
template <class Visit>
void QueueMachine::take_held(Consumer& consumer, const std::vector<IdRange>& ids, Visit&& visit) {
  for (const IdRange& range : ids) {
    unsettled_count_ -= consumer.held.take_range(range.first, range.last,
                                                 [&](std::uint64_t, const MessageRef& message) { visit(message); });
  }
}

void QueueMachine::give_back(MessageRef message, ReturnReason reason) {
  if (reason != ReturnReason::unseen) message.redelivered = true;
  if (reason == ReturnReason::requeued && message.delivery_count < UINT16_MAX) ++message.delivery_count;
  const auto [at, added] = returned_.try_emplace(message.position, message);
  CHECK(added);
}

// --- what the log must keep, and what others may know ---

std::vector<ConsumerKey> QueueMachine::consumers() const {
  std::vector<ConsumerKey> keys;
  for (const auto& [key, consumer] : consumers_) {
    if (!consumer->cancelled) keys.push_back(key);
  }
  return keys;
}

std::vector<SessionId> QueueMachine::sessions() const {
  std::vector<SessionId> sessions;
  senders_.for_each([&](const SessionId& session) { sessions.push_back(session); });
  for (const auto& [key, consumer] : consumers_) sessions.push_back(key.session);
  std::ranges::sort(sessions);
  sessions.erase(std::ranges::unique(sessions).begin(), sessions.end());
  return sessions;
}

bool QueueMachine::is_live(LogIndex index) const { return live_.find(index.value()) != nullptr; }

std::vector<std::pair<LogIndex, LogIndex>> QueueMachine::live_entries() const {
  std::vector<std::pair<LogIndex, LogIndex>> ranges;
  live_.for_each([&](std::uint64_t number, std::uint32_t) {
    const LogIndex index(number);
    if (!ranges.empty() && ranges.back().second.plus(1) == index) {
      ranges.back().second = index;
    } else {
      ranges.emplace_back(index, index);
    }
  });
  return ranges;
}

void QueueMachine::check_invariants() const {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
  std::map<std::uint64_t, std::uint32_t> live;
  const auto count = [&](const MessageRef& message) {
    bytes += message.body_size;
    ++messages;
    ++live[message.position.index().value()];
  };
  for (const MessageRef& message : ready_) count(message);
  for (const auto& [position, message] : returned_) {
    CHECK(position == message.position);
    count(message);
  }
  std::uint64_t unsettled = 0;
  std::size_t attached = 0;
  for (const auto& [key, consumer] : consumers_) {
    CHECK(consumer->prefetch == 0 || consumer->held.size() <= consumer->prefetch);
    CHECK(key.link != kGetLink || consumer->cancelled);
    consumer->held.for_each([&, next_id = consumer->next_id](std::uint64_t id, const MessageRef& message) {
      CHECK_LT(id, next_id);
      count(message);
    });
    unsettled += consumer->held.size();
    attached += consumer->cancelled ? 0 : 1;
  }
  senders_.check_invariants();
  CHECK_EQ(bytes, message_bytes_);
  CHECK_EQ(unsettled, unsettled_count_);
  CHECK_EQ(attached, consumer_count_);
  CHECK_EQ(messages, ready_count() + unsettled_count_);
  CHECK(std::ranges::is_sorted(ready_, {}, &MessageRef::position));
  CHECK_EQ(live.size(), live_.size());
  live_.for_each([&](std::uint64_t index, std::uint32_t alive) { CHECK_EQ(alive, live.at(index)); });
  for (const auto& [priority, waiting] : service_) {
    for (const Consumer* consumer : waiting) CHECK(consumer->in_service && consumer->priority == priority);
  }
}

}  // namespace quorate::queue

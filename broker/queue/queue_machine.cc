#include "broker/queue/queue_machine.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/limits.h"

namespace quorate::queue {

Position Position::of(LogIndex index, std::size_t offset) {
  CHECK_LT(offset, std::size_t{1} << kOffsetBits);
  CHECK_LT(index.value(), std::uint64_t{1} << (64 - kOffsetBits));
  return {.packed = (index.value() << kOffsetBits) | offset};
}

Result<void> QueueMachine::apply(LogIndex index, ByteView payload, Effects& out) {
  CHECK_GT(index, applied_);
  applied_ = index;
  ByteReader reader(payload);
  Command command;
  while (reader.remaining() > 0) {
    offset_ = payload.size() - reader.remaining();
    if (!decode_command(reader, command)) {
      return failure(ErrorCode::corruption, "log entry " + std::to_string(index.value()) +
                                                " holds no queue command at offset " + std::to_string(offset_));
    }
    std::visit([&](const auto& c) { on(c, out); }, command);
    check_out(out);
  }
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

void QueueMachine::on(const Attach& command, Effects& out) {
  CHECK_NE(command.consumer.link, kGetLink);
  const bool others = consumer_count_ > 0;
  const bool held_exclusively = std::ranges::any_of(
      consumers_, [](const auto& entry) { return entry.second->exclusive && !entry.second->cancelled; });
  if (held_exclusively || (command.exclusive && others)) {
    out.emplace_back(effect::Attached{.consumer = command.consumer, .result = AttachResult::in_exclusive_use});
    return;
  }
  auto [at, added] = consumers_.try_emplace(command.consumer);
  out.emplace_back(effect::Attached{.consumer = command.consumer});
  if (!added) return;
  at->second = std::make_unique<Consumer>(Consumer{.key = command.consumer,
                                                   .no_ack = command.no_ack,
                                                   .exclusive = command.exclusive,
                                                   .priority = command.priority,
                                                   .prefetch = command.prefetch,
                                                   .window = static_cast<std::int64_t>(command.window)});
  ++consumer_count_;
  enter_service(*at->second);
}

void QueueMachine::on(const Cancel& command, Effects& out) {
  Consumer* consumer = find(command.consumer);
  out.emplace_back(effect::Cancelled{.consumer = command.consumer});
  if (consumer == nullptr || consumer->cancelled) return;
  consumer->cancelled = true;
  count_out_consumer(out);
  remove_if_done(command.consumer);
}

void QueueMachine::on(const Credit& command, Effects&) {
  Consumer* consumer = find(command.consumer);
  if (consumer == nullptr) return;
  consumer->window += static_cast<std::int64_t>(command.bytes);
  enter_service(*consumer);
}

void QueueMachine::on(const Down& command, Effects& out) {
  auto at = consumers_.lower_bound({.session = command.session, .link = 0});
  while (at != consumers_.end() && at->first.session == command.session) {
    const auto next = std::next(at);
    return_all_and_remove(at, out);
    at = next;
  }
}

void QueueMachine::on(const NodeUp& command, Effects& out) {
  for (auto at = consumers_.begin(); at != consumers_.end();) {
    const auto next = std::next(at);
    const SessionId& session = at->first.session;
    if (session.node == command.node && session.epoch < command.epoch) return_all_and_remove(at, out);
    at = next;
  }
  drop_transient(out);
}

void QueueMachine::return_all_and_remove(Consumers::iterator at, Effects& out) {
  Consumer& consumer = *at->second;
  take_held(consumer, {{.first = 1, .last = consumer.next_id}},
            [&](const MessageRef& message) { give_back(message, ReturnReason::requeued); });
  if (!consumer.cancelled) {
    consumer.cancelled = true;
    count_out_consumer(out);
  }
  remove_if_done(at->first);
}

void QueueMachine::count_out_consumer(Effects& out) {
  CHECK_GT(consumer_count_, 0u);
  if (--consumer_count_ == 0) out.emplace_back(effect::Unused{});
}

void QueueMachine::remove_if_done(const ConsumerKey& key) {
  const auto at = consumers_.find(key);
  if (at == consumers_.end() || !at->second->cancelled || at->second->held_count > 0) return;
  if (at->second->in_service) {
    std::erase(service_[at->second->priority], at->second.get());
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
    out.emplace_back(effect::GetEmpty{.session = command.session});
    return;
  }
  const ConsumerKey key{.session = command.session, .link = kGetLink};
  auto [at, added] = consumers_.try_emplace(key);
  if (added) at->second = std::make_unique<Consumer>(Consumer{.key = key, .cancelled = true});
  Consumer& getter = *at->second;
  getter.no_ack = command.no_ack;
  Effects buried;
  effect::GetOk reply{.delivery = hand_to(getter, take_next(), buried)};
  reply.ready_left = ready_count();
  out.emplace_back(reply);
  std::ranges::move(buried, std::back_inserter(out));
  // A getter stays while its session does: its ids must never be given out twice.
}

void QueueMachine::on(const Purge& command, Effects& out) {
  const std::uint64_t count = ready_count();
  out.emplace_back(effect::Purged{.session = command.session, .count = count});
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
  const std::uint64_t at = message.position.index().value() - live_first_.value();
  CHECK_LT(at, live_.size());
  CHECK_GT(live_[at], 0u);
  if (--live_[at] == 0) out.emplace_back(effect::EntryDead{.index = message.position.index()});
  while (!live_.empty() && live_.front() == 0) {
    live_.pop_front();
    ++live_first_;
  }
}

void QueueMachine::count_live(LogIndex index) {
  if (live_.empty()) live_first_ = index;
  CHECK_GE(index, live_first_);
  const std::uint64_t at = index.value() - live_first_.value();
  if (at >= live_.size()) live_.resize(at + 1, 0);
  ++live_[at];
}

// --- who gets what ---

bool QueueMachine::is_servable(const Consumer& consumer) {
  return !consumer.cancelled && consumer.window > 0 &&
         (consumer.prefetch == 0 || consumer.held_count < consumer.prefetch);
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
    Effects buried;
    out.emplace_back(hand_to(*consumer, take_next(), buried));
    std::ranges::move(buried, std::back_inserter(out));
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

effect::Deliver QueueMachine::hand_to(Consumer& consumer, MessageRef message, Effects& out) {
  const effect::Deliver delivery{
      .consumer = consumer.key, .id = consumer.next_id++, .message = message, .settled = consumer.no_ack};
  consumer.window -= static_cast<std::int64_t>(message.body_size) + limits::kMessageOverheadBytes;
  if (consumer.no_ack) {
    if (!consumer.held.empty()) consumer.held.emplace_back();
    bury(message, out);
  } else {
    consumer.held.push_back(message);
    ++consumer.held_count;
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
    const std::uint64_t oldest = consumer.next_id - consumer.held.size();
    const std::uint64_t first = std::max(range.first, oldest);
    const std::uint64_t end = std::min(range.last + 1, consumer.next_id);
    for (std::uint64_t id = first; id < end; ++id) {
      MessageRef& slot = consumer.held[id - oldest];
      if (slot == MessageRef{}) continue;
      const MessageRef message = std::exchange(slot, MessageRef{});
      CHECK_GT(consumer.held_count, 0u);
      --consumer.held_count;
      --unsettled_count_;
      visit(message);
    }
    while (!consumer.held.empty() && consumer.held.front() == MessageRef{}) consumer.held.pop_front();
  }
}

void QueueMachine::give_back(MessageRef message, ReturnReason reason) {
  if (reason == ReturnReason::requeued) {
    message.redelivered = true;
    if (message.delivery_count < UINT16_MAX) ++message.delivery_count;
  }
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

bool QueueMachine::is_live(LogIndex index) const {
  if (live_.empty() || index < live_first_) return false;
  const std::uint64_t at = index.value() - live_first_.value();
  return at < live_.size() && live_[at] > 0;
}

std::vector<std::pair<LogIndex, LogIndex>> QueueMachine::live_entries() const {
  std::vector<std::pair<LogIndex, LogIndex>> ranges;
  for (std::size_t i = 0; i < live_.size(); ++i) {
    if (live_[i] == 0) continue;
    const LogIndex index = live_first_.plus(i);
    if (!ranges.empty() && ranges.back().second.plus(1) == index) {
      ranges.back().second = index;
    } else {
      ranges.emplace_back(index, index);
    }
  }
  return ranges;
}

std::vector<Position> QueueMachine::peek(std::size_t count) const {
  std::vector<Position> positions;
  auto back = returned_.begin();
  auto front = ready_.begin();
  while (positions.size() < count && (back != returned_.end() || front != ready_.end())) {
    const bool take_returned =
        back != returned_.end() && (front == ready_.end() || back->first < front->position);
    positions.push_back(take_returned ? (back++)->first : (front++)->position);
  }
  return positions;
}

void QueueMachine::check_invariants() const {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
  std::map<LogIndex, std::uint64_t> live;
  const auto count = [&](const MessageRef& message) {
    bytes += message.body_size;
    ++messages;
    ++live[message.position.index()];
  };
  for (const MessageRef& message : ready_) count(message);
  for (const auto& [position, message] : returned_) {
    CHECK(position == message.position);
    count(message);
  }
  std::uint64_t unsettled = 0;
  std::size_t attached = 0;
  for (const auto& [key, consumer] : consumers_) {
    std::uint64_t held = 0;
    for (const MessageRef& message : consumer->held) {
      if (message == MessageRef{}) continue;
      count(message);
      ++held;
    }
    CHECK_EQ(held, consumer->held_count);
    CHECK(consumer->prefetch == 0 || held <= consumer->prefetch);
    unsettled += held;
    attached += consumer->cancelled ? 0 : 1;
  }
  CHECK_EQ(bytes, message_bytes_);
  CHECK_EQ(unsettled, unsettled_count_);
  CHECK_EQ(attached, consumer_count_);
  CHECK_EQ(messages, ready_count() + unsettled_count_);
  CHECK(std::ranges::is_sorted(ready_, {}, &MessageRef::position));
  std::uint64_t live_total = 0;
  for (std::size_t i = 0; i < live_.size(); ++i) {
    const auto at = live.find(live_first_.plus(i));
    CHECK_EQ(std::uint64_t{live_[i]}, at == live.end() ? 0 : at->second);
    live_total += live_[i];
  }
  CHECK_EQ(live_total, messages);
  for (const auto& [priority, waiting] : service_) {
    for (const Consumer* consumer : waiting) CHECK(consumer->in_service && consumer->priority == priority);
  }
}

}  // namespace quorate::queue

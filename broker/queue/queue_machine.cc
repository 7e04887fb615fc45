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

Result<void> QueueMachine::apply(LogIndex index, WallTime ts, ByteView payload, Effects& out) {
  CHECK_GT(index, applied_);
  applied_ = index;
  follow_clock(ts);
  pass_time(out);
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
    if (senders_.is_in_run() && !has_its_turn(command, out)) continue;
    std::visit([&](const auto& c) { on(c, out); }, command);
    if (settings_.single_active_consumer) choose_active();
    check_out(out);
    if (expiries_.is_due(now_)) expire_due(out);  // it came with no time to live
    if (drops_excess_) drop_excess(out);
  }
  if (skipped_message_ && !is_live(index)) live_.insert(index.value(), 0);  // so that it is buried below
  bury_entry_if_empty(index, out);
  senders_.end_entry(out);
  return {};
}

// --- messages come ---

void QueueMachine::on(const Enqueue& command, Effects& out) {
  if (settings_.overflow == Overflow::reject_publish && is_full_for(command)) {
    refuse(command, out);
    return;
  }
  const bool says_priority = command.has_priority || command.priority > 0;
  const bool has_middle = settings_.quorum && settings_.priority_max == kQuorumPriorityMax;
  const std::uint8_t otherwise = has_middle ? kQuorumPriorityDefault : 0;
  const MessageRef message{.position = Position::of(applied_, offset_),
                           .body_size = command.body_size,
                           .priority = says_priority ? command.priority : otherwise,
                           .persistent = command.persistent,
                           .expires = settings_.message_ttl_ms || command.ttl_ms};
  backlog_.push(message);
  if (message.expires) fix_expiry(command, message.position);
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
  std::uint64_t attach_number = 0;
  for (const auto& [key, other] : consumers_) attach_number = std::max(attach_number, other->attach_number);
  const auto at = consumers_.try_emplace(command.consumer).first;
  at->second = std::make_unique<Consumer>(Consumer{.key = command.consumer,
                                                   .no_ack = command.no_ack,
                                                   .exclusive = command.exclusive,
                                                   .priority = command.priority,
                                                   .prefetch = command.prefetch,
                                                   .window = clamp_window(command.window),
                                                   .attach_number = attach_number + 1});
  ++consumer_count_;
  enter_service(*at->second);
}

void QueueMachine::on(const Cancel& command, Effects& out) {
  Consumer* consumer = find(command.consumer);
  answer(effect::Cancelled{.consumer = command.consumer}, out);
  if (consumer == nullptr) return;
  cancel(*consumer, out);
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
  const auto before = static_cast<std::ptrdiff_t>(out.size());
  for (auto at = consumers_.begin(); at != consumers_.end();) {
    const auto next = std::next(at);
    const SessionId& session = at->first.session;
    if (session.node == command.node && session.epoch < command.epoch) {
      return_all_and_remove(at, ReturnReason::requeued, out);
    }
    at = next;
  }
  // A queue does not delete itself because its node was restarted.
  const auto is_unused = [](const Effect& effect) { return std::holds_alternative<effect::Unused>(effect); };
  out.erase(std::remove_if(out.begin() + before, out.end(), is_unused), out.end());
  senders_.end_all(command.node, command.epoch);
  if (!settings_.quorum && !command.keeps_transient) drop_transient(out);
  if (!command.after_crash) return;
  backlog_.change_each([](MessageRef& message) { message.redelivered = true; });
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
            [&](const MessageRef& message) { give_back(message, reason, out); });
  cancel(consumer, out);
  if (consumer.key.link == kGetLink) {
    consumers_.erase(at);
  } else {
    remove_if_done(consumer.key);
  }
}

void QueueMachine::cancel(Consumer& consumer, Effects& out) {
  if (std::exchange(consumer.cancelled, true)) return;
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

void QueueMachine::on(const Settle& command, Effects& out) {
  take_from(command.consumer, command.ids, [&](const MessageRef& message) { bury(message, out); });
}

void QueueMachine::on(const Discard& command, Effects& out) {
  take_from(command.consumer, command.ids,
            [&](const MessageRef& message) { give_up(message, DeathReason::rejected, out); });
}

void QueueMachine::on(const Return& command, Effects& out) {
  Consumer* consumer = find(command.consumer);
  if (consumer != nullptr && command.reason == ReturnReason::late) cancel(*consumer, out);
  take_from(command.consumer, command.ids, [&](const MessageRef& message) { give_back(message, command.reason, out); });
}

template <class Visit>
void QueueMachine::take_from(const ConsumerKey& key, const std::vector<IdRange>& ids, Visit&& visit) {
  Consumer* consumer = find(key);
  if (consumer == nullptr) return;
  take_held(*consumer, ids, visit);
  enter_service(*consumer);
  remove_if_done(key);
}

void QueueMachine::on(const Get& command, Effects& out) {
  if (backlog_.empty()) {
    answer(effect::GetEmpty{.session = command.session}, out);
    return;
  }
  const ConsumerKey key{.session = command.session, .link = kGetLink};
  auto [at, added] = consumers_.try_emplace(key);
  if (added) at->second = std::make_unique<Consumer>(Consumer{.key = key, .cancelled = true});
  Consumer& getter = *at->second;
  getter.no_ack = command.no_ack;
  effect::GetOk reply{.delivery = hand_to(getter, backlog_.take_next())};
  reply.ready_left = ready_count();
  answer(reply, out);
  if (reply.delivery.settled) bury(reply.delivery.message, out);
}

void QueueMachine::on(const Purge& command, Effects& out) {
  const std::uint64_t count = ready_count() + delayed_count();
  answer(effect::Purged{.session = command.session, .count = count}, out);
  backlog_.for_each([&](const MessageRef& message) { bury(message, out); });
  backlog_.clear();
  delayed_.remove_if([&](const MessageRef& message) {
    bury(message, out);
    return true;
  });
}

void QueueMachine::drop_transient(Effects& out) {
  const auto drop = [&](const MessageRef& message) {
    if (message.persistent) return false;
    bury(message, out);
    return true;
  };
  backlog_.remove_if(drop);
  delayed_.remove_if(drop);
}

/// Counted by its reason, and gone.
void QueueMachine::give_up(const MessageRef& message, DeathReason reason, Effects& out) {
  ++deaths_[static_cast<std::size_t>(reason)];
  bury(message, out);
}

void QueueMachine::bury(const MessageRef& message, Effects& out) {
  if (message.redelivered) acquired_.erase(message.position);
  if (message.expires) expiries_.remove(message.position);
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

bool QueueMachine::is_servable(const Consumer& consumer) const {
  if (settings_.single_active_consumer && (active_ != consumer.key || active_is_yielding_)) return false;
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
  while (!backlog_.empty()) {
    Consumer* consumer = next_in_service();
    if (consumer == nullptr) return;
    const effect::Deliver delivery = hand_to(*consumer, backlog_.take_next());
    out.emplace_back(delivery);
    if (delivery.settled) bury(delivery.message, out);
    enter_service(*consumer);
  }
}

/// A delivery that is settled at once is to be buried by the caller.
effect::Deliver QueueMachine::hand_to(Consumer& consumer, MessageRef message) {
  const effect::Deliver delivery{.consumer = consumer.key,
                                 .id = consumer.next_id++,
                                 .message = message,
                                 .settled = consumer.no_ack,
                                 .acquired_count = acquired_count(message)};
  if (!consumer.cancelled) {
    consumer.window -= static_cast<std::int64_t>(message.body_size) + limits::kMessageOverheadBytes;
  }
  if (message.expires) expiries_.hold(message.position);
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

std::uint16_t QueueMachine::acquired_count(const MessageRef& message) const {
  if (!message.redelivered) return 0;
  const auto at = acquired_.find(message.position);
  return at == acquired_.end() ? 0 : at->second;
}

// --- how it behaves ---

void QueueMachine::on(const Configure& command, Effects&) {
  settings_ = command;
  obey_settings();
  if (!settings_.single_active_consumer) active_.reset();
  for (const auto& [key, consumer] : consumers_) {
    consumer->no_ack = consumer->no_ack && !settings_.holds_all;
    enter_service(*consumer);
  }
}

void QueueMachine::obey_settings() {
  drops_excess_ = settings_.overflow == Overflow::drop_head && (settings_.max_length || settings_.max_length_bytes);
  backlog_.arrange(settings_.priority_max,
                   settings_.quorum ? Backlog::Returns::first : Backlog::Returns::to_their_place);
}

}  // namespace quorate::queue

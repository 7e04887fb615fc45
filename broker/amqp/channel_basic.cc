// The class basic but for publishing: consumers, deliveries, settlements (features.md P135-P145, E040, E042).
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "broker/amqp/channel.h"
#include "broker/amqp/names.h"
#include "broker/amqp/table_codec.h"
#include "broker/queue/arguments.h"

namespace quorate::amqp {
namespace {

using auth::Permission;
using auth::ResourceKind;

constexpr std::string_view kAcquiredCount = "x-acquired-count";
constexpr std::string_view kDeliveryCount = "x-delivery-count";

/// Of streams; other queues do not know them (features.md §1.8).
constexpr std::string_view kStreamArguments[] = {"x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"};

bool is_declared_quorum(const cluster::Queue& queue) {
  return queue::declared_type(queue) == cluster::QueueType::quorum;
}
bool has_single_active_consumer(const cluster::Queue& queue) {
  return find_field(as_bytes(queue.arguments), "x-single-active-consumer") == Value(true);
}

std::uint64_t weight(const Message& message) { return message.body().size() + limits::kMessageOverheadBytes; }

}  // namespace

// --- consumers ---

Handled Channel::on(const BasicQos& method) {
  if (method.prefetch_size != 0) {
    return refuse(ReplyCode::not_implemented, "prefetch_size!=0 (" + std::to_string(method.prefetch_size) + ")");
  }
  // A limit per consumer lifts the one of the channel, so who wants both asks for the channel's last, as in RabbitMQ.
  global_prefetch_ = method.global ? method.prefetch_count : std::uint16_t{0};
  if (!method.global) consumer_prefetch_ = method.prefetch_count;
  send(BasicQosOk{});
  release_held();
  return {};
}

Handled Channel::on(const BasicConsume& method) {
  const auto name = name_or_last(method.queue.text);
  if (!name) return std::unexpected(name.error());
  std::string tag(method.consumer_tag.text);
  if (!tag.empty() && links_by_tag_.contains(tag)) {
    return refuse(ReplyCode::not_allowed, "attempt to reuse consumer tag '" + tag + "'");
  }
  if (consumers_.size() >= session_.options_.consumer_max_per_channel) {
    return refuse(ReplyCode::not_allowed, "reached maximum (" +
                                              std::to_string(session_.options_.consumer_max_per_channel) +
                                              ") of consumers per channel");
  }
  if (tag.empty()) tag = random_name("amq.ctag-");
  if (*name == kReplyTo) return consume_replies(method, std::move(tag));
  const auto queue = queue_to_read(*name);
  if (!queue) return std::unexpected(queue.error());
  return consume(method, **queue, std::move(tag));
}

/// What it says, whatever the queue will say to it.
Handled Channel::check_consume(const BasicConsume& method, const cluster::Queue& queue) const {
  const TableView& arguments = method.arguments;
  if (const auto valid = validate_table(arguments.encoded); !valid) {
    return refuse(ReplyCode::syntax_error, valid.error().text);
  }
  const std::string described = describe(ResourceKind::queue, queue.name);
  const auto priority = find_field(arguments.encoded, "x-priority");
  if (std::int64_t number = 0; priority && !priority->integer(number)) {
    return refuse(ReplyCode::precondition_failed, "invalid arg 'x-priority' for " + described +
                                                      ": \"expected integer, got " +
                                                      std::string(priority->type_name()) + "\"");
  }
  for (const std::string_view name : kStreamArguments) {
    if (!find_field(arguments.encoded, name)) continue;
    return refuse(ReplyCode::precondition_failed, "invalid arg '" + std::string(name) + "' for " + described +
                                                      " of queue type rabbit_" +
                                                      (is_declared_quorum(queue) ? "quorum" : "classic") + "_queue");
  }
  if (method.exclusive && has_single_active_consumer(queue) && !is_declared_quorum(queue)) {
    return refuse(ReplyCode::access_refused, described + " in exclusive use");
  }
  return {};
}

Handled Channel::consume(const BasicConsume& method, const cluster::Queue& queue, std::string tag) {
  if (auto valid = check_consume(method, queue); !valid) return valid;
  std::int64_t priority = 0;
  if (const auto asked = find_field(method.arguments.encoded, "x-priority")) asked->integer(priority);
  const auto timeout = consumer_timeout(method, queue);
  if (!timeout) return std::unexpected(timeout.error());
  heed_timeout(*timeout);
  const std::uint32_t link = ++last_link_;
  const std::uint64_t window =
      std::max(limits::kDeliveryWindowMinBytes, limits::kDeliveryWindowBytes / (1 + session_.consumer_count_));
  consumers_.emplace(link, Consumer{.tag = tag,
                                    .queue = queue.id,
                                    .queue_name = queue.name,
                                    .link = link,
                                    .no_ack = method.no_ack,
                                    .exclusive = method.exclusive,
                                    .prefetch = consumer_prefetch_,
                                    .timeout = *timeout,
                                    .arguments = std::string(as_text(method.arguments.encoded)),
                                    .window = window});
  links_by_tag_.emplace(tag, link);
  ++session_.consumer_count_;
  const bool is_new_here = queues_touched_.insert(queue.id).second;
  const queue::Attach attach{
      .consumer = {.session = session_id_, .link = link},
      .no_ack = method.no_ack,
      .exclusive = method.exclusive,
      .priority = static_cast<std::int32_t>(std::clamp<std::int64_t>(priority, INT32_MIN, INT32_MAX)),
      .prefetch = method.no_ack ? std::uint16_t{0} : consumer_prefetch_,
      .window = window};
  ask(queue.id, link, attach,
      [this, link, tag, id = queue.id, name = queue.name, is_new_here,
       no_wait = bool(method.no_wait)](queue::SessionMail& mail) -> Handled {
        const auto* attached = std::get_if<queue::Attached>(&mail.what);
        if (attached != nullptr && attached->result == queue::AttachResult::attached) {
          consumers_.at(link).attached = true;
          if (!no_wait) send(BasicConsumeOk{.consumer_tag = tag});
          return {};
        }
        forget_consumer(link);
        if (is_new_here) queues_touched_.erase(id);
        if (attached == nullptr) return no_such(ResourceKind::queue, name, vhost());
        return refuse(ReplyCode::access_refused, describe(ResourceKind::queue, name) + " in exclusive use");
      });
  return {};
}

Handled Channel::on(const BasicCancel& method) {
  const std::string tag(method.consumer_tag.text);
  const bool no_wait = method.no_wait;
  const auto at = links_by_tag_.find(tag);
  if (at == links_by_tag_.end()) {
    if (!no_wait) send(BasicCancelOk{.consumer_tag = tag});
    return {};
  }
  const std::uint32_t link = at->second;
  const GroupId queue = consumers_.at(link).queue;
  if (queue == kNoQueue) return cancel_replies(tag, no_wait);
  ask(queue, link, queue::Cancel{.consumer = {.session = session_id_, .link = link}},
      [this, link, tag, no_wait](queue::SessionMail&) -> Handled {
        forget_consumer(link);
        if (!no_wait) send(BasicCancelOk{.consumer_tag = tag});
        return {};
      });
  return {};
}

/// The answer to a cancellation that we have announced: nothing is left to do.
Handled Channel::on(const BasicCancelOk&) { return {}; }

/// The queue has ended under its consumer, or is out of reach; then what is unsettled goes back to it when it returns.
void Channel::on_consumer_gone(const queue::Gone& gone) {
  const Consumer& consumer = consumers_.at(gone.link);
  if (!consumer.attached) return;  // its answer is on the way
  const std::string tag = consumer.tag;
  if (!gone.unreachable) queues_touched_.erase(consumer.queue);
  forget_consumer(gone.link);
  if (session_.can_cancel_notify_) send(BasicCancel{.consumer_tag = tag, .no_wait = true});
}

void Channel::forget_consumer(std::uint32_t link) {
  drop_held_of(link);
  const auto at = consumers_.find(link);
  links_by_tag_.erase(at->second.tag);
  consumers_.erase(at);
  --session_.consumer_count_;
}

// --- deliveries ---

void Channel::deliver(GroupId queue, queue::Delivery delivery) {
  const auto at = consumers_.find(delivery.link);
  if (at == consumers_.end()) {
    // Cancelled meanwhile: it was never seen.
    if (!delivery.settled) settle_now({.queue = queue, .link = delivery.link, .id = delivery.id}, SettleKind::unseen);
    return;
  }
  const bool must_wait = !delivery.settled && (is_global_limit_reached() || !held_.empty());
  if (must_wait) {
    held_.push_back({.queue = queue, .delivery = std::move(delivery)});
  } else {
    write_delivery(at->second, queue, delivery);
  }
}

void Channel::write_delivery(Consumer& consumer, GroupId queue, const queue::Delivery& delivery) {
  const DeliveryTag tag = delivery.settled ? unacked_.skip() : unacked_.add(queue, delivery.link, delivery.id);
  const Message& message = delivery.message;
  send(BasicDeliver{.consumer_tag = consumer.tag,
                    .delivery_tag = tag.value(),
                    .redelivered = delivery.redelivered,
                    .exchange = message.exchange(),
                    .routing_key = message.routing_key()});
  send_content(delivery);
  consumer.owed_credit += weight(message);
}

/// A quorum queue says how often a message was handed out before, and in vain (features.md Q020).
void Channel::send_content(const queue::Delivery& delivery) {
  const bool has_counts = delivery.counts && (delivery.acquired_count > 0 || delivery.delivery_count > 0);
  if (!has_counts) return session_.outbox_.content(id_, delivery.message);
  const auto view = PropertiesView::parse(delivery.message.properties());
  CHECK(view.has_value());  // it was published here
  Properties properties = Properties::from(*view);
  if (!properties.headers) properties.headers.emplace();
  auto& fields = properties.headers->fields;
  const auto put = [&](std::string_view name, std::uint32_t count) {
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
    if (count > 0) fields.emplace_back(name, Value(std::int64_t{count}));
  };
  put(kAcquiredCount, delivery.acquired_count);
  put(kDeliveryCount, delivery.delivery_count);
  session_.outbox_.content(id_, delivery.message, encode_properties(properties));
}

void Channel::release_held() {
  while (!held_.empty() && !is_global_limit_reached()) {
    const Held held = std::move(held_.front());
    held_.pop_front();
    const auto at = consumers_.find(held.delivery.link);
    CHECK(at != consumers_.end());
    write_delivery(at->second, held.queue, held.delivery);
  }
}

void Channel::drop_held_of(std::uint32_t link) {
  std::erase_if(held_, [&](const Held& held) {
    if (held.delivery.link != link) return false;
    settle_now({.queue = held.queue, .link = link, .id = held.delivery.id}, SettleKind::unseen);
    return true;
  });
}

/// Half a window at a time, so that a stream of small messages costs one Credit per thousands.
void Channel::on_written() {
  for (auto& [link, consumer] : consumers_) {
    if (consumer.owed_credit < consumer.window / 2) continue;
    mail(consumer.queue, queue::Credit{.consumer = {.session = session_id_, .link = link},
                                       .bytes = std::exchange(consumer.owed_credit, 0)});
  }
}

Handled Channel::on(const BasicGet& method) {
  const auto queue = queue_to_read(method.queue.text);
  if (!queue) return std::unexpected(queue.error());
  const GroupId id = (*queue)->id;
  if (is_declared_quorum(**queue) && has_single_active_consumer(**queue)) {
    return refuse(ReplyCode::resource_locked,
                  "cannot obtain access to locked " + describe(ResourceKind::queue, (*queue)->name) +
                      ". basic.get operations are not supported by quorum queues with single active consumer");
  }
  queues_touched_.insert(id);
  heed_timeout(timeout_of(**queue));
  ask(id, queue::kGetLink, queue::Get{.session = session_id_, .no_ack = method.no_ack},
      [this, id, name = (*queue)->name](queue::SessionMail& mail) -> Handled {
        const auto* found = std::get_if<queue::GetOk>(&mail.what);
        if (found == nullptr) {
          if (std::holds_alternative<queue::Gone>(mail.what)) return no_such(ResourceKind::queue, name, vhost());
          send(BasicGetEmpty{});
          return {};
        }
        const queue::Delivery& delivery = found->delivery;
        const DeliveryTag tag = delivery.settled ? unacked_.skip() : unacked_.add(id, delivery.link, delivery.id);
        send(BasicGetOk{.delivery_tag = tag.value(),
                        .redelivered = delivery.redelivered,
                        .exchange = delivery.message.exchange(),
                        .routing_key = delivery.message.routing_key(),
                        .message_count = static_cast<std::uint32_t>(found->ready_left)});
        send_content(delivery);
        return {};
      });
  return {};
}

// --- settlements ---

Handled Channel::on(const BasicAck& method) {
  return settle(DeliveryTag(method.delivery_tag), method.multiple, SettleKind::settle);
}
Handled Channel::on(const BasicNack& method) {
  return settle(DeliveryTag(method.delivery_tag), method.multiple,
                method.requeue ? SettleKind::release : SettleKind::discard);
}
Handled Channel::on(const BasicReject& method) {
  return settle(DeliveryTag(method.delivery_tag), false, method.requeue ? SettleKind::requeue : SettleKind::discard);
}

Handled Channel::settle(DeliveryTag tag, bool multiple, SettleKind kind) {
  taken_unacked_.clear();
  if (!unacked_.settle(tag, multiple, taken_unacked_)) {
    return refuse(ReplyCode::precondition_failed, "unknown delivery tag " + std::to_string(tag.value()));
  }
  for (const Unacked& unacked : taken_unacked_) {
    if (transactional_) {
      tx_settlements_.push_back({unacked, kind});
    } else {
      settle_now(unacked, kind);
    }
  }
  release_held();
  return {};
}

Handled Channel::on(const BasicRecover& method) {
  auto recovered = on(BasicRecoverAsync{.requeue = method.requeue});
  if (recovered) send(BasicRecoverOk{});
  return recovered;
}

Handled Channel::on(const BasicRecoverAsync& method) {
  if (!method.requeue) return refuse(ReplyCode::not_implemented, "requeue=false");
  taken_unacked_.clear();
  unacked_.settle_all(taken_unacked_);
  for (const Unacked& unacked : taken_unacked_) settle_now(unacked, SettleKind::release);
  release_held();
  return {};
}

queue::ReturnReason Channel::reason_of(SettleKind kind) {
  if (kind == SettleKind::unseen) return queue::ReturnReason::unseen;
  if (kind == SettleKind::release) return queue::ReturnReason::released;
  return kind == SettleKind::late ? queue::ReturnReason::late : queue::ReturnReason::requeued;
}

/// One command for each queue, consumer and kind, with the ids folded into ranges.
void Channel::flush_settlements() {
  if (settlements_.empty()) return;
  const auto order = [](const Settlement& s) {
    return std::tuple(s.unacked.queue, s.unacked.link, s.kind, s.unacked.id);
  };
  std::ranges::sort(settlements_, {}, order);
  for (std::size_t i = 0; i < settlements_.size();) {
    const Settlement& first = settlements_[i];
    std::vector<queue::IdRange> ids;
    for (; i < settlements_.size(); ++i) {
      const Settlement& next = settlements_[i];
      if (next.unacked.queue != first.unacked.queue || next.unacked.link != first.unacked.link ||
          next.kind != first.kind) {
        break;
      }
      if (!ids.empty() && ids.back().last + 1 == next.unacked.id) {
        ids.back().last = next.unacked.id;
      } else {
        ids.push_back({.first = next.unacked.id, .last = next.unacked.id});
      }
    }
    const queue::ConsumerKey consumer{.session = session_id_, .link = first.unacked.link};
    const GroupId queue = first.unacked.queue;
    if (first.kind == SettleKind::settle) {
      mail(queue, queue::Settle{.consumer = consumer, .ids = std::move(ids)});
    } else if (first.kind == SettleKind::discard) {
      mail(queue, queue::Discard{.consumer = consumer, .ids = std::move(ids)});
    } else {
      mail(queue, queue::Return{.consumer = consumer, .reason = reason_of(first.kind), .ids = std::move(ids)});
    }
  }
  settlements_.clear();
}

}  // namespace quorate::amqp

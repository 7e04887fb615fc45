#include "tests/sim/nodes/binder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

namespace {
/// Always bound to the first queue. To bind it once more shows this node everything that was bound before.
constexpr std::size_t kFenceKey = 0;
}  // namespace

std::optional<std::string> Binder::missing() const {
  if (const auto missing = Client::missing()) return missing;
  return waiting_.empty() ? std::nullopt : std::optional(fmt::format("{} confirms", waiting_.size()));
}

// --- names ---

void Binder::on_open() {
  next_tag_ = 1;
  send(amqp::ConfirmSelect{});
  if (is_known_) return bind(0, kFenceKey, [this](std::uint64_t) { go_on(); });
  choose_names();
  set_up();
}

void Binder::choose_names() {
  ++generation_;
  exchange_ = fmt::format("{}-{}", name(), generation_);
  type_ = draw_chance(chance(), 0.5) ? "direct" : "topic";
  for (std::size_t i = 0; i < kQueues; ++i) {
    queues_[i] = {.name = fmt::format("{}-{}-{}", name(), generation_, i),
                  .is_quorum = all_replicated_ || draw_chance(chance(), 0.75)};
  }
}

void Binder::set_up() {
  const auto bind_fence = [this](std::uint64_t) {
    bind(0, kFenceKey, [this](std::uint64_t) {
      is_known_ = true;
      go_on();
    });
  };
  const auto declare_second = [this, bind_fence](std::uint64_t) { declare_queue(1, bind_fence); };
  ask_for("exchange.declare", amqp::ExchangeDeclare{.exchange = exchange_, .type = type_, .durable = true},
          [this, declare_second](std::uint64_t) { declare_queue(0, declare_second); });
}

/// What was asked may happen yet, or not.
void Binder::on_closed() {
  if (waits()) is_known_ = false;
  for (const auto& [tag, sent] : std::exchange(waiting_, {})) {
    for (const std::size_t i : sent.queues) ++queues_[i].maybe;
  }
  // A queue of one member answers its own node before its disk has it (docs/decisions 5).
  for (Owned& queue : queues_) {
    const std::uint64_t back = std::exchange(queue.purged, 0);
    if (may_have_one_member(queue)) queue.maybe += back;
  }
}

// --- deeds, one after the other ---

void Binder::go_on() {
  later(draw_exponential(chance(), 100ms), [this] {
    if (is_stopped()) return;
    if (!waiting_.empty()) return go_on();
    act();
  });
}

void Binder::act() {
  const std::size_t i = chance().below(kQueues);
  const std::size_t key = 1 + chance().below(kKeys - 1);
  switch (chance().below(10)) {
    case 0:
    case 1:
      return bind(i, key, [this](std::uint64_t) { go_on(); });
    case 2:
      return unbind(i, key);
    case 3:
      return count(queues_[i]);
    case 4:
      return purge(queues_[i]);
    case 5:
      return i == 0 ? go_on() : remove(i);
    case 6:
      if (draw_chance(chance(), 0.1)) return hang_up();
      return go_on();
    default:
      publish_some();
      go_on();
  }
}

template <class Method>
void Binder::ask_for(std::string what, const Method& method, Then then) {
  then_ = std::move(then);
  ask(std::move(what), method);
}

void Binder::declare_queue(std::size_t i, Then then) {
  then_ = std::move(then);
  Table arguments;
  arguments.fields.emplace_back("x-queue-type", Value(std::string(queues_[i].is_quorum ? "quorum" : "classic")));
  declare({.queue = queues_[i].name, .arguments = std::move(arguments)});
}

void Binder::bind(std::size_t i, std::size_t key, Then then) {
  stage_.seen(Seen::bound);
  ask_for("queue.bind", amqp::QueueBind{.queue = queues_[i].name, .exchange = exchange_, .routing_key = key_name(key)},
          [this, i, key, then = std::move(then)](std::uint64_t) {
            queues_[i].keys.insert(key);
            then(0);
          });
}

void Binder::unbind(std::size_t i, std::size_t key) {
  stage_.seen(Seen::unbound);
  ask_for("queue.unbind",
          amqp::QueueUnbind{.queue = queues_[i].name, .exchange = exchange_, .routing_key = key_name(key)},
          [this, i, key](std::uint64_t) {
            queues_[i].keys.erase(key);
            go_on();
          });
}

void Binder::publish_some() {
  for (std::uint64_t left = 1 + chance().below(3); left > 0; --left) {
    const std::size_t key = chance().below(kKeys);
    Sent sent;
    for (std::size_t i = 0; i < kQueues; ++i) {
      if (queues_[i].keys.contains(key)) sent.queues.push_back(i);
    }
    waiting_.emplace(next_tag_, std::move(sent));
    const std::string routing_key = key_name(key);
    const std::string body = std::to_string(next_tag_++);
    publish({.exchange = exchange_, .routing_key = routing_key, .body = body});
  }
}

void Binder::count(Owned& queue) {
  ask_for("queue.declare passive " + queue.name, amqp::QueueDeclare{.queue = queue.name, .passive = true},
          [this, &queue](std::uint64_t found) {
            check_count(queue, found);
            go_on();
          });
}

void Binder::purge(Owned& queue) {
  stage_.seen(Seen::purged);
  ask_for("queue.purge " + queue.name, amqp::QueuePurge{.queue = queue.name}, [this, &queue](std::uint64_t found) {
    check_count(queue, found);
    queue.stored = 0;
    queue.purged += found;
    go_on();
  });
}

/// And there is another one of that name.
void Binder::remove(std::size_t i) {
  stage_.seen(Seen::queue_deleted);
  ask_for("queue.delete " + queues_[i].name, amqp::QueueDelete{.queue = queues_[i].name},
          [this, i](std::uint64_t found) {
            // When its leader goes with it nobody can say how many there were.
            if (found > 0) check_count(queues_[i], found);
            queues_[i].stored = queues_[i].maybe = queues_[i].purged = 0;
            queues_[i].keys.clear();
            declare_queue(i, [this](std::uint64_t) { go_on(); });
          });
}

// --- answers ---

void Binder::on_method(const amqp::Method& method) {
  if (const auto* ack = std::get_if<amqp::BasicAck>(&method)) return on_confirm(ack->delivery_tag, ack->multiple);
  if (const auto* nack = std::get_if<amqp::BasicNack>(&method)) return on_refused(nack->delivery_tag, nack->multiple);
  if (std::holds_alternative<amqp::ConfirmSelectOk>(method)) return;
  std::uint64_t count = 0;
  if (const auto* declared = std::get_if<amqp::QueueDeclareOk>(&method)) count = declared->message_count;
  if (const auto* purged = std::get_if<amqp::QueuePurgeOk>(&method)) count = purged->message_count;
  if (const auto* deleted = std::get_if<amqp::QueueDeleteOk>(&method)) count = deleted->message_count;
  answered();
  const Then then = std::exchange(then_, nullptr);
  then(count);
}

void Binder::on_content(const amqp::Method& announcement, const Content& content) {
  if (!std::holds_alternative<amqp::BasicReturn>(announcement)) return;
  stage_.seen(Seen::unroutable);
  const auto at = waiting_.find(std::stoull(std::string(content.body)));
  if (at == waiting_.end()) stage_.violated(describe() + ": something returns that was answered already");
  at->second.is_returned = true;
}

void Binder::on_confirm(std::uint64_t tag, bool multiple) {
  auto at = multiple ? waiting_.begin() : waiting_.find(tag);
  if (at == waiting_.end()) stage_.violated(describe() + ": a publication is answered a second time");
  for (const auto end = waiting_.upper_bound(tag); at != end; at = waiting_.erase(at)) {
    if (at->second.is_returned != at->second.queues.empty()) {
      stage_.violated(fmt::format("{}: publication {} {}, though {} queues are bound with its key", describe(),
                                  at->first, at->second.is_returned ? "returns" : "does not return",
                                  at->second.queues.size()));
    }
    for (const std::size_t i : at->second.queues) {
      ++queues_[i].stored;
      queues_[i].purged = 0;
    }
  }
}

/// A queue of one member whose node is down refuses; the other one may have it.
void Binder::on_refused(std::uint64_t tag, bool multiple) {
  auto at = multiple ? waiting_.begin() : waiting_.find(tag);
  for (const auto end = waiting_.upper_bound(tag); at != end; at = waiting_.erase(at)) {
    const bool may_be =
        std::ranges::any_of(at->second.queues, [this](std::size_t i) { return may_have_one_member(queues_[i]); });
    if (!may_be) stage_.violated(describe() + ": a publication is refused");
    for (const std::size_t i : at->second.queues) ++queues_[i].maybe;
  }
}

void Binder::check_count(const Owned& queue, std::uint64_t count) {
  if (count >= queue.stored && count <= queue.stored + queue.maybe) return;
  stage_.violated(fmt::format("{}: {} messages are said to be in {}, and {} were confirmed, {} perhaps", describe(),
                              count, queue.name, queue.stored, queue.maybe));
}

// --- the end ---

std::set<std::string> Binder::bound_keys(const cluster::Exchange& exchange, const Owned& queue) const {
  std::set<std::string> keys;
  exchange.bindings.for_each([&](const std::string&, const cluster::BindingPtr& binding) {
    if (binding->destination == queue.name) keys.insert(binding->key.routing_key);
  });
  return keys;
}

std::optional<std::string> Binder::contradiction(const cluster::Topology& topology) const {
  if (!is_known_) return std::nullopt;
  const cluster::Exchange* exchange = topology.find_exchange("/", exchange_);
  if (exchange == nullptr) return fmt::format("exchange {} is missing", exchange_);
  for (const Owned& queue : queues_) {
    if (topology.find_queue("/", queue.name) == nullptr) return fmt::format("queue {} is missing", queue.name);
    std::set<std::string> expected;
    for (const std::size_t key : queue.keys) expected.insert(key_name(key));
    if (bound_keys(*exchange, queue) != expected) return fmt::format("{} is bound with other keys", queue.name);
  }
  return std::nullopt;
}

}  // namespace quorate::sim::nodes

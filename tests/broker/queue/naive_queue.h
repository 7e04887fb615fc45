// The queue in plain lists and no hurry: what the machine must agree with. It reads commands from the same bytes and
// says what happened as lines of text.
#pragma once
#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

inline std::string text_of(const SessionId& session) {
  return std::to_string(session.node.value()) + "." + std::to_string(session.epoch.value()) + "." +
         std::to_string(session.serial);
}
inline std::string text_of(const ConsumerKey& key) { return text_of(key.session) + "/" + std::to_string(key.link); }

/// What the machine did, in the words of the naive queue.
struct EffectText {
  std::string operator()(const effect::Deliver& e) const {
    return text_of(e.consumer) + " gets " + std::to_string(e.id) + "=" + std::to_string(e.message.position.packed) +
           (e.message.redelivered ? " again " : " ") + std::to_string(e.message.delivery_count) + "/" +
           std::to_string(e.acquired_count) + (e.settled ? " settled" : "");
  }
  std::string operator()(const effect::GetOk& e) const {
    return (*this)(e.delivery) + " left " + std::to_string(e.ready_left) + " #" + std::to_string(e.number);
  }
  std::string operator()(const effect::GetEmpty& e) const {
    return "empty for " + std::to_string(e.session.serial) + " #" + std::to_string(e.number);
  }
  std::string operator()(const effect::Attached& e) const {
    return text_of(e.consumer) + (e.result == AttachResult::attached ? " attached" : " refused") + " #" +
           std::to_string(e.number);
  }
  std::string operator()(const effect::Cancelled& e) const {
    return text_of(e.consumer) + " cancelled" + " #" + std::to_string(e.number);
  }
  std::string operator()(const effect::Purged& e) const {
    return "purged " + std::to_string(e.count) + " #" + std::to_string(e.number);
  }
  std::string operator()(const effect::EntryDead& e) const { return "dead " + std::to_string(e.index.value()); }
  std::string operator()(const effect::Unused&) const { return "unused"; }
  std::string operator()(const effect::Through& e) const {
    return text_of(e.session) + " through " + std::to_string(e.first) + "-" + std::to_string(e.number);
  }
  std::string operator()(const effect::Refused& e) const {
    return text_of(e.session) + " refused " + std::to_string(e.number) + " at " + std::to_string(e.position.packed);
  }
  std::string operator()(const effect::Forgotten& e) const { return text_of(e.session) + " forgotten"; }
};

class NaiveQueue {
 public:
  std::vector<std::string> apply(LogIndex index, WallTime ts, ByteView payload) {
    now_ = std::max(now_, ts);
    said_.clear();
    heard_.clear();
    expire();
    if (retry()) serve();
    from_ = {};
    bool has_messages = false;
    ByteReader reader(payload);
    Command command;
    while (reader.remaining() > 0) {
      position_ = Position::of(index, payload.size() - reader.remaining());
      CHECK(decode_command(reader, command));
      has_messages |= std::holds_alternative<Enqueue>(command);
      if (!is_next(command)) continue;
      answer_ = {};
      std::visit([&](const auto& c) { on(c); }, command);
      if (answer_.is_one && in_run() && known_.contains(from_.session)) {
        answer_.number = from_.first - 1;
        answer_.kind = command.index();
        known_[from_.session].answer = answer_;
      }
      if (settings_.single_active_consumer && !std::holds_alternative<Enqueue>(command)) choose_active();
      serve();
      expire();
      drop_excess();
    }
    if (has_messages) perhaps_dead_.insert(index);
    for (const LogIndex entry : perhaps_dead_) {
      if (!is_alive(entry)) say(effect::EntryDead{.index = entry});
    }
    perhaps_dead_.clear();
    end_run();
    for (const auto& [session, last, answered] : heard_) {
      say(effect::Through{.session = session,
                          .first = answered.empty() ? last + 1 : *answered.begin(),
                          .number = answered.empty() ? last : *answered.rbegin()});
    }
    return said_;
  }

  std::size_t ready_count() const { return ready_.size(); }
  std::size_t delayed_count() const { return delayed_.size(); }
  std::size_t unsettled_count() const {
    std::size_t count = 0;
    for (const auto& [key, consumer] : consumers_) count += consumer.held.size();
    return count;
  }
  std::uint64_t message_bytes() const {
    std::uint64_t bytes = 0;
    for (const Message& message : ready_) bytes += message.body_size;
    for (const Message& message : delayed_) bytes += message.body_size;
    for (const auto& [key, consumer] : consumers_) {
      for (const auto& [id, message] : consumer.held) bytes += message.body_size;
    }
    return bytes;
  }
  std::uint64_t expired_count() const { return expired_messages_; }
  std::optional<WallTime> next_expiry() const {
    std::optional<WallTime> next;
    for (const Message& message : ready_) {
      if (message.expiry) next = std::min(next.value_or(WallTime::max()), *message.expiry);
    }
    return next;
  }
  std::vector<ConsumerKey> consumers() const {
    std::vector<ConsumerKey> keys;
    for (const auto& [key, consumer] : consumers_) {
      if (consumer.is_attached) keys.push_back(key);
    }
    return keys;
  }

 private:
  static constexpr std::uint64_t kLongest = limits::kTtlMaxMs;
  struct Message : MessageRef {
    std::uint16_t acquired = 0;
    std::optional<WallTime> expiry;
    std::uint64_t returned = 0;  // its turn among those that came back
    WallTime until{};            // delayed
  };
  struct Consumer {
    bool is_attached = false;
    bool no_ack = false;
    bool exclusive = false;
    std::int32_t priority = 0;
    std::uint32_t prefetch = 0;
    std::int64_t window = 0;
    std::uint64_t last_id = 0;
    bool suspected = false;
    std::uint64_t attach_number = 0;
    std::map<std::uint64_t, Message> held;
  };
  /// What a session was told last when it asked for something.
  struct Answer {
    bool is_one = false;
    std::uint64_t number = 0;
    std::size_t kind = 0;  // of the command
    AttachResult result = AttachResult::attached;
    std::uint64_t count = 0;  // purged, or left after a get
    std::uint64_t id = 0;     // fetched
  };
  struct Heard {
    SessionId session;
    std::uint64_t last = 0;  // when the entry began with it
    std::set<std::uint64_t> answered;
  };
  struct Known {
    std::uint64_t last = 0;
    Answer answer;
    std::set<std::uint64_t> refused;
  };

  /// More than anybody can use is as good as endless.
  static std::int64_t add_window(std::int64_t window, std::uint64_t bytes) {
    constexpr std::int64_t kEndless = std::int64_t{1} << 60;
    return bytes >= kEndless ? kEndless : std::min(kEndless, window + static_cast<std::int64_t>(bytes));
  }
  void say(const auto& effect) { said_.push_back(EffectText{}(effect)); }
  /// To the command being applied.
  void answer(auto effect) {
    answer_.is_one = true;
    if (in_run() && known_.contains(from_.session)) effect.number = from_.first - 1;
    say(effect);
  }

  bool in_run() const { return from_.first > 0; }
  bool is_next(const Command& command) {
    if (std::holds_alternative<From>(command) || !in_run()) return true;
    const std::uint64_t number = from_.first++;
    const auto at = known_.find(from_.session);
    if (run_is_over_ || at == known_.end()) return false;
    if (number <= at->second.last) std::visit([&](const auto& c) { repeat(c, number, at->second.answer); }, command);
    const bool is_next = number == at->second.last + 1;
    if (is_next) at->second.last = number;
    if (number <= at->second.last) answered_.insert(number);
    return is_next;
  }
  template <class C>
  static bool is_kind(std::size_t index) {
    return Command(C{}).index() == index;
  }
  template <class C>
  void repeat(const C& c, std::uint64_t number, const Answer& answer) {
    if constexpr (std::is_same_v<C, Enqueue>) {
      if (known_[from_.session].refused.contains(number)) {
        say(effect::Refused{.session = from_.session, .number = number, .position = position_});
      }
    }
    if (!answer.is_one || answer.number != number || !is_kind<C>(answer.kind)) return;
    if constexpr (std::is_same_v<C, Attach>)
      say(effect::Attached{.consumer = c.consumer, .result = answer.result, .number = number});
    if constexpr (std::is_same_v<C, Cancel>) say(effect::Cancelled{.consumer = c.consumer, .number = number});
    if constexpr (std::is_same_v<C, Purge>)
      say(effect::Purged{.session = c.session, .count = answer.count, .number = number});
    if constexpr (std::is_same_v<C, Get>) {
      const ConsumerKey key{.session = c.session, .link = kGetLink};
      const auto& held = consumers_[key].held;
      const auto message = held.find(answer.id);
      if (message == held.end()) return say(effect::GetEmpty{.session = c.session, .number = number});
      say(effect::GetOk{.delivery = {.consumer = key,
                                     .id = answer.id,
                                     .message = message->second,
                                     .acquired_count = message->second.acquired},
                        .ready_left = answer.count,
                        .number = number});
    }
  }
  void end(const SessionId& session) {
    if (!known_.contains(session)) return;
    if (session == from_.session) run_is_over_ = true;
    known_.erase(session);
  }
  /// The numbers that one entry answers have no gap: where they would, only the later ones count.
  void end_run() {
    for (auto& [session, last, answered] : heard_) {
      if (session != from_.session || answered_.empty()) continue;
      std::set<std::uint64_t> all = answered_;
      all.insert(answered.begin(), answered.end());
      const bool has_gap = *all.rbegin() - *all.begin() + 1 != all.size();
      answered = has_gap ? answered_ : all;
    }
    answered_.clear();
  }
  void end_all(NodeId node, Epoch below, bool expired = false) {
    const auto known = known_;
    const auto is_one = [&](const SessionId& session) { return session.node == node && session.epoch < below; };
    if (!expired) std::erase_if(expired_, is_one);
    for (const auto& [session, one] : known) {
      if (!is_one(session)) continue;
      end(session);
      if (expired) expired_.insert(session);
    }
  }

  void on(const From& c) {
    end_run();
    from_ = c;
    run_is_over_ = false;
    if (!in_run()) return;
    const bool is_forgotten = expired_.contains(c.session) || (!known_.contains(c.session) && c.heard > 0);
    if (is_forgotten) return say(effect::Forgotten{.session = c.session});
    if (c.first == 1) known_[c.session];
    if (known_.contains(c.session)) {
      std::erase_if(known_[c.session].refused, [&](std::uint64_t number) { return number <= c.heard; });
    }
    const auto is_same = [&](const Heard& heard) { return heard.session == c.session; };
    if (std::ranges::any_of(heard_, is_same)) return;
    heard_.push_back({.session = c.session, .last = known_.contains(c.session) ? known_[c.session].last : 0});
  }

  void on(const Enqueue& c) {
    const bool says_priority = c.has_priority || c.priority > 0;
    Message message;
    message.position = position_;
    message.body_size = c.body_size;
    message.priority = says_priority ? c.priority : settings_.quorum && settings_.priority_max == 31 ? 4 : 0;
    message.persistent = c.persistent;
    for (const auto& ttl_ms : {c.ttl_ms, settings_.message_ttl_ms}) {
      if (!ttl_ms) continue;
      const WallTime end = now_ + std::chrono::milliseconds(std::min(*ttl_ms, limits::kTtlMaxMs));
      message.expiry = std::min(message.expiry.value_or(end), end);
    }
    if (settings_.overflow == Overflow::reject_publish && is_above(1, c.body_size)) return refuse();
    ready_.push_back(message);
  }
  void refuse() {
    effect::Refused effect{.position = position_};
    if (in_run() && known_.contains(from_.session)) {
      effect.session = from_.session;
      effect.number = from_.first - 1;
      known_[from_.session].refused.insert(effect.number);
    }
    say(effect);
  }
  bool is_above(std::uint64_t more, std::uint64_t more_bytes) const {
    for (const Message& message : ready_) more_bytes += message.body_size;
    for (const Message& message : delayed_) more_bytes += message.body_size;
    return (settings_.max_length && ready_.size() + delayed_.size() + more > *settings_.max_length) ||
           (settings_.max_length_bytes && more_bytes > *settings_.max_length_bytes);
  }
  /// The oldest of the least priority goes; of what a quorum queue got back only the first in turn is looked at.
  void drop_excess() {
    while (settings_.overflow == Overflow::drop_head && is_above(0, 0)) {
      if (ready_.empty()) {
        bury(*first_delayed());
        delayed_.erase(first_delayed());
        continue;
      }
      auto victim = next_ready();
      for (auto at = ready_.begin(); at != ready_.end(); ++at) {
        const bool is_passed_over = settings_.quorum && at->returned > 0;
        if (!is_passed_over && age_of(*at) < age_of(*victim)) victim = at;
      }
      bury(*victim);
      ready_.erase(victim);
    }
  }
  std::tuple<int, bool, std::uint64_t> age_of(const Message& message) const {
    const bool is_first = settings_.quorum && message.returned > 0;
    return {std::min(message.priority, settings_.priority_max), !is_first,
            is_first ? message.returned : message.position.packed};
  }
  void on(const Configure& c) {
    ready_.sort([&](const Message& a, const Message& b) { return turn_of(a) < turn_of(b); });
    std::uint64_t turn = 0;
    for (Message& message : ready_) {
      if (message.returned > 0) message.returned = ++turn;
    }
    settings_ = c;
    if (!c.single_active_consumer) active_ = {};
    for (auto& [key, consumer] : consumers_) {
      if (c.holds_all) consumer.no_ack = false;
      line_up(key);
    }
  }
  void on(const Expire&) {}
  void choose_active() {
    const auto standing = [&](const ConsumerKey& key) {
      const Consumer& c = consumers_[key];
      return std::tuple(-static_cast<std::int64_t>(c.priority), c.attach_number);
    };
    std::vector<ConsumerKey> attached = consumers();
    const auto was = std::ranges::find(attached, active_);
    const ConsumerKey now = was == attached.end() ? ConsumerKey{} : *was;
    std::erase_if(attached, [&](const ConsumerKey& key) { return consumers_[key].suspected; });
    active_ = now;
    yields_ = false;
    if (!attached.empty()) {
      const ConsumerKey best = *std::ranges::min_element(attached, {}, standing);
      const bool is_free = now == ConsumerKey{} || (consumers_[now].suspected && consumers_[now].held.empty());
      const auto is_above_active = [&] { return consumers_[best].priority > consumers_[active_].priority; };
      if (is_free || (is_above_active() && consumers_[now].held.empty())) active_ = best;
      yields_ = is_above_active();
    }
    if (active_ != ConsumerKey{}) line_up(active_);
  }
  bool is_let(const ConsumerKey& key) const {
    return !settings_.single_active_consumer || (key == active_ && !yields_);
  }
  void on(const Attach& c) {
    const auto attached = consumers();
    const bool taken = std::ranges::any_of(attached, [&](const auto& key) { return consumers_[key].exclusive; });
    if (consumers_.contains(c.consumer)) return answer(effect::Attached{.consumer = c.consumer});
    answer_.result = AttachResult::in_exclusive_use;
    if (taken || (c.exclusive && !attached.empty())) {
      answer(effect::Attached{.consumer = c.consumer, .result = AttachResult::in_exclusive_use});
      return;
    }
    answer_.result = AttachResult::attached;
    std::uint64_t last_attach = 0;
    for (const auto& [key, other] : consumers_) last_attach = std::max(last_attach, other.attach_number);
    answer(effect::Attached{.consumer = c.consumer});
    consumers_[c.consumer] = {.is_attached = true,
                              .no_ack = c.no_ack,
                              .exclusive = c.exclusive,
                              .priority = c.priority,
                              .prefetch = c.prefetch,
                              .window = add_window(0, c.window),
                              .attach_number = last_attach + 1};
    line_up(c.consumer);
  }
  void on(const Cancel& c) {
    answer(effect::Cancelled{.consumer = c.consumer});
    detach(c.consumer);
    tidy(c.consumer);
  }
  void on(const Settle& c) { settle(c.consumer, c.ids); }
  void on(const Discard& c) { settle(c.consumer, c.ids); }
  void on(const Return& c) {
    if (c.reason == ReturnReason::late) detach(c.consumer);
    for (const Message& message : take(c.consumer, c.ids)) give_back(message, c.reason);
    line_up(c.consumer);
    tidy(c.consumer);
  }
  void on(const Credit& c) {
    if (!consumers_.contains(c.consumer)) return;
    consumers_[c.consumer].window = add_window(consumers_[c.consumer].window, c.bytes);
    line_up(c.consumer);
  }
  void on(const Get& c) {
    if (ready_.empty()) return answer(effect::GetEmpty{.session = c.session});
    const ConsumerKey key{.session = c.session, .link = kGetLink};
    Consumer& getter = consumers_[key];
    getter.no_ack = c.no_ack;
    effect::GetOk reply{.delivery = hand_to(key)};
    reply.ready_left = ready_.size();
    answer_.id = reply.delivery.id;
    answer_.count = reply.ready_left;
    answer(reply);
    if (c.no_ack) perhaps_dead_.insert(reply.delivery.message.position.index());
  }
  void on(const Purge& c) {
    answer_.count = ready_.size() + delayed_.size();
    answer(effect::Purged{.session = c.session, .count = answer_.count});
    bury_waiting_if([](const Message&) { return true; });
  }
  void on(const Down& c) {
    remove_if([&](const SessionId& session) { return session == c.session; });
    end(c.session);
    expired_.erase(c.session);
  }
  void on(const SessionsGone& c) {
    const ReturnReason reason = c.expired ? ReturnReason::released : ReturnReason::requeued;
    remove_if([&](const SessionId& session) { return session.node == c.node && session.epoch < c.below; }, reason);
    end_all(c.node, c.below, c.expired);
  }
  void on(const NodeSuspected& c) { suspect(c.node, c.epoch, true); }
  void on(const NodeTrusted& c) { suspect(c.node, c.epoch, false); }
  void suspect(NodeId node, Epoch epoch, bool suspected) {
    for (auto& [key, consumer] : consumers_) {
      if (key.session.node != node || key.session.epoch != epoch) continue;
      consumer.suspected = suspected;
      line_up(key);
    }
  }
  void on(const NodeUp& c) {
    const std::size_t said_before = said_.size();
    remove_if([&](const SessionId& session) { return session.node == c.node && session.epoch < c.epoch; });
    // A restart is no reason to go.
    const auto said_now = said_.begin() + static_cast<std::ptrdiff_t>(said_before);
    said_.erase(std::remove(said_now, said_.end(), EffectText{}(effect::Unused{})), said_.end());
    end_all(c.node, c.epoch);
    if (!settings_.quorum && !c.keeps_transient) {
      bury_waiting_if([](const Message& message) { return !message.persistent; });
    }
    for (Message& message : ready_) message.redelivered = message.redelivered || c.after_crash;
  }

  void serve() {
    while (!ready_.empty()) {
      const auto next = std::ranges::max_element(line_, [&](const auto& a, const auto& b) {
        return consumers_[a].priority < consumers_[b].priority;  // the first of the highest
      });
      if (next == line_.end()) return;
      const ConsumerKey key = *next;
      line_.erase(next);
      if (consumers_[key].suspected || !is_let(key)) continue;
      const effect::Deliver delivery = hand_to(key);
      say(delivery);
      if (delivery.settled) perhaps_dead_.insert(delivery.message.position.index());
      line_up(key);
    }
  }
  void line_up(const ConsumerKey& key) {
    const auto at = consumers_.find(key);
    if (at == consumers_.end() || std::ranges::find(line_, key) != line_.end()) return;
    const Consumer& c = at->second;
    if (c.is_attached && !c.suspected && is_let(key) && c.window > 0 && (c.prefetch == 0 || c.held.size() < c.prefetch))
      line_.push_back(key);
  }
  effect::Deliver hand_to(const ConsumerKey& key) {
    Consumer& consumer = consumers_[key];
    const auto next = next_ready();
    const Message message = *next;
    ready_.erase(next);
    const effect::Deliver delivery{.consumer = key,
                                   .id = ++consumer.last_id,
                                   .message = message,
                                   .settled = consumer.no_ack,
                                   .acquired_count = message.acquired};
    consumer.window -= message.body_size + 64;
    if (!consumer.no_ack) consumer.held[delivery.id] = message;
    return delivery;
  }
  /// Who is first in turn: the lowest.
  std::tuple<bool, int, std::uint64_t> turn_of(const Message& message) const {
    if (settings_.quorum && message.returned > 0) return {false, 0, message.returned};
    return {true, -std::min(message.priority, settings_.priority_max), message.position.packed};
  }
  std::list<Message>::iterator next_ready() {
    return std::ranges::min_element(ready_, {}, [&](const Message& message) { return turn_of(message); });
  }
  std::vector<Message> take(const ConsumerKey& key, const std::vector<IdRange>& ids) {
    std::vector<Message> taken;
    const auto at = consumers_.find(key);
    if (at == consumers_.end()) return taken;
    for (const IdRange& range : ids) {
      std::erase_if(at->second.held, [&](const auto& entry) {
        if (entry.first < range.first || entry.first > range.last) return false;
        taken.push_back(entry.second);
        return true;
      });
    }
    return taken;
  }
  void settle(const ConsumerKey& key, const std::vector<IdRange>& ids) {
    for (const Message& message : take(key, ids)) bury(message);
    line_up(key);
    tidy(key);
  }
  bool is_expired(const Message& message) const { return message.expiry && *message.expiry <= now_; }
  void expire() {
    bury_ready_if([&](const Message& message) {
      if (is_expired(message)) ++expired_messages_;
      return is_expired(message);
    });
  }
  void give_back(Message message, ReturnReason reason) {
    if (reason != ReturnReason::unseen) {
      message.redelivered = true;
      ++message.acquired;
    }
    if (reason == ReturnReason::requeued) {
      ++message.delivery_count;
      if (settings_.delivery_limit && message.delivery_count > *settings_.delivery_limit) return bury(message);
    }
    if (is_expired(message)) {
      ++expired_messages_;
      return bury(message);
    }
    const DelayedRetry& retry = settings_.delayed_retry;
    const bool is_returned = reason == ReturnReason::released || reason == ReturnReason::late;
    if (reason == ReturnReason::requeued ? retry.failed : is_returned && retry.returned) {
      std::uint64_t delay = 0;
      for (int i = 0; i < std::max<int>(1, message.delivery_count); ++i) delay += std::min(retry.min_ms, kLongest);
      delay = std::min({delay, retry.max_ms, limits::kTtlMaxMs});
      message.until = now_ + std::chrono::milliseconds(delay);
      if (message.expiry) message.until = std::min(message.until, *message.expiry);
      if (delay > 0) return delayed_.push_back(message);
    }
    make_ready(message);
  }
  void make_ready(Message message) {
    message.returned = 1;
    for (const Message& other : ready_) message.returned = std::max(message.returned, other.returned + 1);
    ready_.push_back(message);
  }
  std::list<Message>::iterator first_delayed() {
    return std::ranges::min_element(delayed_, {}, [](const Message& m) { return std::tuple(m.until, m.position); });
  }
  /// Whether there was anything to try again.
  bool retry() {
    bool any = false;
    for (; !delayed_.empty() && first_delayed()->until <= now_; any = true) {
      const Message message = *first_delayed();
      delayed_.erase(first_delayed());
      if (is_expired(message)) {
        ++expired_messages_;
        bury(message);
      } else {
        make_ready(message);
      }
    }
    return any;
  }
  void detach(const ConsumerKey& key) {
    const auto at = consumers_.find(key);
    if (at == consumers_.end() || !std::exchange(at->second.is_attached, false)) return;
    std::erase(line_, key);
    if (consumers().empty()) say(effect::Unused{});
  }
  void tidy(const ConsumerKey& key) {
    const auto at = consumers_.find(key);
    if (key.link == kGetLink || at == consumers_.end()) return;
    if (!at->second.is_attached && at->second.held.empty()) consumers_.erase(at);
  }
  template <class Matches>
  void remove_if(Matches&& matches, ReturnReason reason = ReturnReason::requeued) {
    std::vector<ConsumerKey> keys;
    for (const auto& [key, consumer] : consumers_) {
      if (matches(key.session)) keys.push_back(key);
    }
    for (const ConsumerKey& key : keys) {
      const auto held = std::exchange(consumers_[key].held, {});
      for (const auto& [id, message] : held) give_back(message, reason);
      detach(key);
      consumers_.erase(key);
    }
  }
  template <class Matches>
  void bury_ready_if(Matches&& matches) {
    std::erase_if(ready_, [&](const Message& message) {
      const bool is_one = matches(message);
      if (is_one) bury(message);
      return is_one;
    });
  }
  template <class Matches>
  void bury_waiting_if(Matches&& matches) {
    bury_ready_if(matches);
    std::erase_if(delayed_, [&](const Message& message) {
      if (matches(message)) bury(message);
      return matches(message);
    });
  }
  void bury(const Message& message) { perhaps_dead_.insert(message.position.index()); }
  bool is_alive(LogIndex index) const {
    const auto is_of_entry = [&](const Message& message) { return message.position.index() == index; };
    return std::ranges::any_of(ready_, is_of_entry) || std::ranges::any_of(delayed_, is_of_entry) ||
           std::ranges::any_of(consumers_, [&](const auto& entry) {
             return std::ranges::any_of(entry.second.held, is_of_entry, [](const auto& held) { return held.second; });
           });
  }

  Configure settings_;
  WallTime now_{};
  std::uint64_t expired_messages_ = 0;
  ConsumerKey active_;  // node 0: none
  bool yields_ = false;
  Position position_;
  std::list<Message> ready_;
  std::list<Message> delayed_;
  std::set<LogIndex> perhaps_dead_;  // a message of theirs died
  std::map<ConsumerKey, Consumer> consumers_;
  std::map<SessionId, Known> known_;  // who numbers commands
  std::set<SessionId> expired_;
  From from_;  // of the command being applied; first: the number of the next
  bool run_is_over_ = false;
  Answer answer_;
  std::set<std::uint64_t> answered_;  // in the run
  std::vector<Heard> heard_;          // and in all of the entry
  std::list<ConsumerKey> line_;       // who can take a message, in the order of becoming able to
  std::vector<std::string> said_;
};

}  // namespace quorate::queue

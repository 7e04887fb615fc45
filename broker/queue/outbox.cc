#include "broker/queue/outbox.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace quorate::queue {

void Outbox::owe(Owed owed) {
  if (owed_.empty() && deliver(owed)) return;
  owed_.push_back(std::move(owed));
  const LogIndex entry = owed_.back().entry();
  if (entry == LogIndex(0)) return;
  if (std::uint32_t* count = owed_entries_.find(entry.value()); count != nullptr) {
    ++*count;
  } else {
    owed_entries_.insert(entry.value(), 1);
  }
  read_back(owed_.front().entry());
}

void Outbox::relay(SessionMail mail) {
  if (owed_.empty() && relay_now(mail)) return;
  Owed owed{.kind = Owed::Kind::relayed};
  if (const auto* referred = std::get_if<Referred>(&mail.what)) owed.delivery.message.position = referred->position;
  owed.relayed = std::make_unique<SessionMail>(std::move(mail));
  owe(std::move(owed));
}

/// False when the body is not in memory.
bool Outbox::relay_now(SessionMail& mail) {
  if (auto* referred = std::get_if<Referred>(&mail.what)) {
    const Position position = referred->position;
    const Bytes& payload = find_payload(position.index());
    if (payload.empty()) return is_stale(position.index());
    auto message = Message::parse(message_at(payload, position.offset()));
    if (!message) {  // the log is whole, so the reference is wrong
      surroundings_.on_missed();
      return true;
    }
    Delivery delivery = std::move(referred->delivery);
    delivery.message = std::move(*message);
    mail.what = std::move(delivery);
    consider_read_ahead(position.index());
  }
  surroundings_.pass_on(std::move(mail));
  return true;
}

/// Sent once more, and settled meanwhile: nobody waits for it, and nobody may have it any more.
bool Outbox::is_stale(LogIndex entry) const {
  return entry <= surroundings_.machine.applied() && !surroundings_.machine.is_live(entry);
}

/// Empty when it is not in memory.
const Bytes& Outbox::find_payload(LogIndex index) const {
  const Bytes& kept = cache_.find(index);
  if (!kept.empty() || !surroundings_.find_in_tail) return kept;
  const Bytes* in_tail = surroundings_.find_in_tail(index);
  return in_tail != nullptr ? *in_tail : kept;
}

/// False when the body is not in memory.
bool Outbox::deliver(const Owed& owed) {
  if (owed.kind == Owed::Kind::relayed) return relay_now(*owed.relayed);
  const effect::Deliver& delivery = owed.delivery;
  if (owed.kind == Owed::Kind::cancelled) {
    surroundings_.send(delivery.consumer.session, Cancelled{.link = delivery.consumer.link}, owed.number);
    return true;
  }
  const Position position = delivery.message.position;
  Delivery out{.link = delivery.consumer.link,
               .id = delivery.id,
               .redelivered = delivery.message.redelivered,
               .settled = delivery.settled,
               .counts = surroundings_.machine.settings().quorum,
               .delivery_count = delivery.message.delivery_count,
               .acquired_count = delivery.acquired_count};
  // What is settled dies in the log, there as well, before anybody can read it.
  const bool may_be_referred = owed.kind == Owed::Kind::delivery && !owed.whole && !delivery.settled;
  if (may_be_referred && surroundings_.is_held_there &&
      surroundings_.is_held_there(delivery.consumer.session, position.index())) {
    surroundings_.send(delivery.consumer.session, Referred{.delivery = std::move(out), .position = position}, 0);
    return true;
  }
  const Bytes& payload = find_payload(position.index());
  if (payload.empty()) return !owed.is_last_copy() && is_stale(position.index());
  auto message = Message::parse(message_at(payload, position.offset()));
  if (!message) {
    surroundings_.on_failure({.code = ErrorCode::corruption,
                              .text = "log entry " + std::to_string(position.index().value()) +
                                      " holds no message where one was: " + message.error().text});
    return true;
  }
  out.message = std::move(*message);
  if (owed.kind == Owed::Kind::get) {
    GetOk answer{.delivery = std::move(out), .ready_left = owed.ready_left};
    surroundings_.send(delivery.consumer.session, std::move(answer), owed.number);
  } else {
    surroundings_.send(delivery.consumer.session, std::move(out), 0);
  }
  if (surroundings_.read) consider_read_ahead(position.index());
  return true;
}

void Outbox::pay() {
  while (!owed_.empty() && deliver(owed_.front())) strike_first();
  if (!owed_.empty()) read_back(owed_.front().entry());
}

void Outbox::strike_first() {
  const LogIndex entry = owed_.front().entry();
  owed_.pop_front();
  if (entry == LogIndex(0) || --*owed_entries_.find(entry.value()) > 0) return;
  owed_entries_.erase(entry.value());
  if (!surroundings_.machine.is_live(entry)) cache_.erase(entry);
}

void Outbox::on_entry_dead(LogIndex index) {
  if (owed_entries_.find(index.value()) == nullptr) cache_.erase(index);
}

void Outbox::on_committed(LogIndex committed, LogIndex durable) {
  committed_ = committed;
  while (evicted_ < durable && cache_.bytes() > cache_limit()) cache_.erase(++evicted_);
  evicted_ = std::max(evicted_, durable);
}

void Outbox::clear() {
  owed_.clear();
  owed_entries_ = {};
  cache_.clear();  // an index may come again with another payload
  evicted_ = LogIndex(0);
  reading_ = false;
  ++read_serial_;
}

std::map<ConsumerKey, std::uint64_t> Outbox::first_owed() const {
  std::map<ConsumerKey, std::uint64_t> first;
  for (const Owed& owed : owed_) {
    if (owed.kind == Owed::Kind::delivery) first.try_emplace(owed.delivery.consumer, owed.delivery.id);
  }
  return first;
}

std::vector<LogIndex> Outbox::needed_entries() const {
  std::vector<LogIndex> needed;
  for (const Owed& owed : owed_) {
    const LogIndex entry = owed.entry();
    const bool is_needed = owed.is_last_copy() && entry != LogIndex(0) && !surroundings_.machine.is_live(entry);
    if (is_needed) needed.push_back(entry);
  }
  std::ranges::sort(needed);
  needed.erase(std::ranges::unique(needed).begin(), needed.end());
  return needed;
}

void Outbox::read_back(LogIndex from) {
  CHECK(surroundings_.read);  // without a log every body is in memory
  if (reading_) return;
  // What is not yet committed is in the leader's memory; others may not have heard of a commit yet.
  CHECK(from <= committed_ || owed_.front().kind == Owed::Kind::relayed);
  reading_ = true;
  const auto done = [this, alive = alive_, from, serial = read_serial_](Result<std::vector<raft::Entry>> read) {
    if (*alive && serial == read_serial_) on_read(std::move(read), from);
  };
  surroundings_.read(from, std::max(from, committed_), done);
}

/// While one stretch is being delivered the next is fetched, so that a backlog flows.
void Outbox::consider_read_ahead(LogIndex delivered) {
  const bool in_last_stretch = delivered >= read_first_ && delivered <= read_last_;
  const LogIndex next = read_last_.plus(1);
  if (in_last_stretch && !reading_ && next <= committed_ && cache_.find(next).empty()) read_back(next);
}

void Outbox::on_read(Result<std::vector<raft::Entry>> entries, LogIndex from) {
  reading_ = false;
  if (!entries) return surroundings_.on_failure(entries.error());
  cache_.trim_below(from, cache_limit() / 2);
  for (raft::Entry& entry : *entries) {
    const bool is_wanted =
        surroundings_.machine.is_live(entry.index) || owed_entries_.find(entry.index.value()) != nullptr;
    if (is_wanted) cache_.put(entry.index, std::move(entry.payload));
  }
  if (!entries->empty()) {
    read_first_ = entries->front().index;
    read_last_ = entries->back().index;
  }
  const bool is_missing = !owed_.empty() && owed_.front().entry() == from && cache_.find(from).empty();
  const bool first_is_missing = is_missing && (owed_.front().is_last_copy() || !is_stale(from));
  if (first_is_missing && owed_.front().kind == Owed::Kind::relayed) {
    strike_first();
    surroundings_.on_missed();
  } else if (first_is_missing) {
    return surroundings_.on_failure(
        {.code = ErrorCode::corruption,
         .text = "log entry " + std::to_string(from.value()) + " is gone although a message in it is live"});
  }
  pay();
}

std::size_t Outbox::cache_limit() const {
  const CacheBudget& budget = surroundings_.budget;
  return budget.used > budget.shard_max_bytes ? 0 : budget.queue_max_bytes;
}

}  // namespace quorate::queue

#include "broker/queue/outbox.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace quorate::queue {

void Outbox::owe(Owed owed) {
  if (owed_.empty() && deliver(owed)) return;
  owed_.push_back(owed);
  if (owed.kind == Owed::Kind::cancelled) return;
  const std::uint64_t index = owed.delivery.message.position.index().value();
  if (std::uint32_t* count = owed_entries_.find(index); count != nullptr) {
    ++*count;
  } else {
    owed_entries_.insert(index, 1);
  }
  read_back(owed_.front().delivery.message.position.index());
}

/// False when the body is not in memory.
bool Outbox::deliver(const Owed& owed) {
  const effect::Deliver& delivery = owed.delivery;
  if (owed.kind == Owed::Kind::cancelled) {
    surroundings_.send(delivery.consumer.session, Cancelled{.link = delivery.consumer.link}, owed.number);
    return true;
  }
  const Position position = delivery.message.position;
  const Bytes& payload = cache_.find(position.index());
  if (payload.empty()) return false;
  auto message = Message::parse(message_at(payload, position.offset()));
  if (!message) {
    surroundings_.on_failure({.code = ErrorCode::corruption,
                              .text = "log entry " + std::to_string(position.index().value()) +
                                      " holds no message where one was: " + message.error().text});
    return true;
  }
  Delivery out{.link = delivery.consumer.link,
               .id = delivery.id,
               .message = std::move(*message),
               .redelivered = delivery.message.redelivered,
               .settled = delivery.settled,
               .counts = surroundings_.machine.settings().quorum,
               .delivery_count = delivery.message.delivery_count,
               .acquired_count = delivery.acquired_count};
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
  while (!owed_.empty() && deliver(owed_.front())) {
    const Owed paid = owed_.front();
    owed_.pop_front();
    if (paid.kind == Owed::Kind::cancelled) continue;
    const LogIndex index = paid.delivery.message.position.index();
    if (--*owed_entries_.find(index.value()) > 0) continue;
    owed_entries_.erase(index.value());
    if (!surroundings_.machine.is_live(index)) cache_.erase(index);
  }
  if (!owed_.empty()) read_back(owed_.front().delivery.message.position.index());
}

void Outbox::on_entry_dead(LogIndex index) {
  if (owed_entries_.find(index.value()) == nullptr) cache_.erase(index);
}

void Outbox::on_committed(LogIndex committed, LogIndex durable) {
  evicted_ = std::max(evicted_, std::min(committed_, durable));
  committed_ = committed;
  while (evicted_ < durable && cache_.bytes() > cache_limit()) cache_.erase(++evicted_);
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
  owed_entries_.for_each([&](std::uint64_t number, std::uint32_t) {
    const LogIndex index(number);
    if (!surroundings_.machine.is_live(index)) needed.push_back(index);
  });
  std::ranges::sort(needed);
  return needed;
}

void Outbox::read_back(LogIndex from) {
  CHECK(surroundings_.read);  // without a log every body is in memory
  if (reading_) return;
  CHECK_LE(from, committed_);  // what is not yet committed is in memory
  reading_ = true;
  const auto done = [this, alive = alive_, from, serial = read_serial_](Result<std::vector<raft::Entry>> read) {
    if (*alive && serial == read_serial_) on_read(std::move(read), from);
  };
  surroundings_.read(from, committed_, done);
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
  const bool first_is_missing =
      !owed_.empty() && owed_.front().delivery.message.position.index() == from && cache_.find(from).empty();
  if (first_is_missing) {
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

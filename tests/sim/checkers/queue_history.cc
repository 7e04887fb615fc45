#include "tests/sim/checkers/queue_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/cursor.h"
#include "base/overloaded.h"

namespace quorate::sim {

using queue::Position;

std::uint64_t publication_of(ByteView message) {
  std::uint64_t number = 0;
  if (message.size() >= sizeof number) std::memcpy(&number, message.data(), sizeof number);
  return number;
}

void QueueHistory::violated(const std::string& what) const {
  stage_.violated(fmt::format("queue of group {}: {}", group_.value(), what));
}

/// The machine serves consumers after every command, this takes the deliveries of an entry after all its commands. That
/// is the same as long as no command touches a delivery of its own entry: clients settle only what they have got, and
/// the workload puts a purge or the end of a session into an entry of its own.
void QueueHistory::on_committed(const raft::Entry& entry, const queue::Effects& effects,
                                const queue::QueueMachine& machine) {
  ByteReader reader(entry.payload.view());
  queue::Command command;
  while (reader.remaining() > 0) {
    const std::size_t offset = entry.payload.size() - reader.remaining();
    if (!queue::decode_command(reader, command)) violated("a committed entry cannot be read");
    on(command, entry.index, offset);
  }
  for (const queue::Effect& effect : effects) {
    if (const auto* delivery = std::get_if<queue::effect::Deliver>(&effect)) on(*delivery);
    if (const auto* got = std::get_if<queue::effect::GetOk>(&effect)) on(got->delivery);
  }
  if (alive_.size() != machine.ready_count() + machine.unsettled_count() || held_count_ != machine.unsettled_count()) {
    violated(fmt::format("entry {}: {} messages, {} unsettled by count, {} + {} in the machine", entry.index.value(),
                         alive_.size(), held_count_, machine.ready_count(), machine.unsettled_count()));
  }
  if (++entries_ % 32 == 0) machine.check_invariants();
}

void QueueHistory::on(const queue::Command& command, LogIndex index, std::size_t offset) {
  std::visit(Overloaded{
                 [&](const queue::Enqueue& c) {
                   const auto position = Position::of(index, offset);
                   const std::uint64_t publication = publication_of(c.message);
                   messages_[position] = {.publication = publication, .persistent = c.persistent};
                   alive_.insert(position);
                   if (!publications_.emplace(publication, position).second) {
                     violated(fmt::format("publication {} is in the log twice", publication));
                   }
                 },
                 [&](const queue::Settle& c) { end_held(c.consumer, c.ids, Place::gone); },
                 [&](const queue::Discard& c) { end_held(c.consumer, c.ids, Place::gone); },
                 [&](const queue::Return& c) { end_held(c.consumer, c.ids, Place::ready); },
                 [&](const queue::Down& c) { end_session(c.session); },
                 [&](const queue::Purge&) {
                   std::vector<Position> ready;
                   for (const Position& position : alive_) {
                     if (messages_[position].place == Place::ready) ready.push_back(position);
                   }
                   for (const Position& position : ready) move(position, Place::gone);
                 },
                 [&](const queue::NodeUp& c) {
                   std::vector<queue::SessionId> ended;
                   for (const auto& [key, held] : held_) {
                     if (key.session.node == c.node && key.session.epoch < c.epoch) ended.push_back(key.session);
                   }
                   for (const queue::SessionId& session : ended) end_session(session);
                   std::vector<Position> transient;
                   for (const Position& position : alive_) {
                     const Message& message = messages_[position];
                     if (message.place == Place::ready && !message.persistent) transient.push_back(position);
                   }
                   for (const Position& position : transient) move(position, Place::gone);
                 },
                 [](const auto&) {},
             },
             command);
}

void QueueHistory::on(const queue::effect::Deliver& delivery) {
  const Position position = delivery.message.position;
  const auto at = messages_.find(position);
  if (at == messages_.end()) violated("a message is delivered that nobody published");
  Message& message = at->second;
  if (message.place != Place::ready) {
    violated(fmt::format("publication {} is delivered though it is {}", message.publication,
                         message.place == Place::gone ? "settled" : "with another consumer"));
  }
  std::uint64_t& last = last_id_[delivery.consumer];
  if (delivery.id <= last) violated("a consumer's ids do not grow");
  last = delivery.id;
  if (!std::exchange(message.was_delivered, true)) {
    if (position < last_first_) violated(fmt::format("publication {} is out of order", message.publication));
    last_first_ = std::max(last_first_, position);
  }
  delivered_[delivery.consumer][delivery.id] = position;
  if (delivery.settled) return move(position, Place::gone);
  message.holder = delivery.consumer;
  message.id = delivery.id;
  message.place = Place::held;
  held_[delivery.consumer][delivery.id] = position;
  ++held_count_;
}

void QueueHistory::move(Position position, Place place) {
  Message& message = messages_[position];
  if (message.place == Place::held) {
    held_[message.holder].erase(message.id);
    --held_count_;
  }
  message.place = place;
  if (place == Place::gone) alive_.erase(position);
}

void QueueHistory::end_held(const queue::ConsumerKey& consumer, const std::vector<queue::IdRange>& ids, Place place) {
  const auto held = held_.find(consumer);
  if (held == held_.end()) return;
  std::vector<Position> ended;
  for (const queue::IdRange& range : ids) {
    for (auto at = held->second.lower_bound(range.first); at != held->second.end() && at->first <= range.last; ++at) {
      ended.push_back(at->second);
    }
  }
  for (const Position& position : ended) move(position, place);
}

void QueueHistory::end_session(const queue::SessionId& session) {
  for (auto held = held_.lower_bound({.session = session, .link = 0});
       held != held_.end() && held->first.session == session; ++held) {
    std::vector<Position> positions;
    for (const auto& [id, position] : held->second) positions.push_back(position);
    for (const Position& position : positions) move(position, Place::ready);
  }
}

// --- what clients hear ---

void QueueHistory::on_confirmed(std::uint64_t publication, LogIndex index) const {
  const auto at = publications_.find(publication);
  if (at == publications_.end() || at->second.index() != index) {
    violated(fmt::format("publication {} was confirmed in entry {} and is not there", publication, index.value()));
  }
}

void QueueHistory::on_delivery(const queue::effect::Deliver& delivery, std::uint64_t publication,
                               bool may_be_ahead) const {
  const auto consumer = delivered_.find(delivery.consumer);
  const bool is_known = consumer != delivered_.end() && consumer->second.contains(delivery.id);
  if (!is_known && may_be_ahead) return;
  if (!is_known) violated(fmt::format("publication {} is delivered before that is committed", publication));
  const Position position = consumer->second.at(delivery.id);
  if (position != delivery.message.position || messages_.at(position).publication != publication) {
    violated(fmt::format("publication {} is delivered with the body of {}", messages_.at(position).publication,
                         publication));
  }
}

}  // namespace quorate::sim

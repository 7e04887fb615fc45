// The queue machine from outside: what the log must keep for it, who is there, and whether it is sound.
#include <algorithm>

#include "base/check.h"
#include "broker/queue/queue_machine.h"

namespace quorate::queue {

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

bool QueueMachine::has_consumers(NodeId node, bool suspected) const {
  return std::ranges::any_of(consumers_, [&](const auto& entry) {
    return entry.first.session.node == node && !entry.second->cancelled && entry.second->suspected == suspected;
  });
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
  std::size_t acquired = 0;
  std::size_t expiring = 0;
  const auto count = [&](const MessageRef& message) {
    if (message.redelivered && acquired_.contains(message.position)) ++acquired;
    if (message.expires) ++expiring;
    bytes += message.body_size;
    ++messages;
    ++live[message.position.index().value()];
  };
  backlog_.check_invariants();
  backlog_.for_each(count);
  CHECK_EQ(expiring, expiries_.waiting_count());
  CHECK(!expiries_.is_due(now_));
  CHECK(!delayed_.is_due(now_));
  std::uint64_t delayed_bytes = 0;
  delayed_.for_each([&](WallTime, const MessageRef& message) {
    delayed_bytes += message.body_size;
    count(message);
  });
  CHECK_EQ(delayed_bytes, delayed_.body_bytes());
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
  CHECK_EQ(messages, ready_count() + delayed_count() + unsettled_count_);
  CHECK_EQ(acquired, acquired_.size());
  CHECK_EQ(expiring, expiries_.size());
  CHECK_EQ(live.size(), live_.size());
  live_.for_each([&](std::uint64_t index, std::uint32_t alive) { CHECK_EQ(alive, live.at(index)); });
  for (const auto& [priority, waiting] : service_) {
    for (const Consumer* consumer : waiting) CHECK(consumer->in_service && consumer->priority == priority);
  }
}

}  // namespace quorate::queue

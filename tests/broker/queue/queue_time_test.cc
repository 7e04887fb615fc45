// When a queue speaks up by itself: to let messages expire, and to ask for its own end. Seldom, and only if nothing
// else is going on.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/broker/queue/queue_world.h"

namespace quorate::queue {
namespace {

using namespace std::chrono_literals;

class QueueTime : public QueueWorld, public ::testing::WithParamInterface<GroupId> {
 protected:
  QueueTime() { settle(); }
  GroupId id() const { return GetParam(); }
  std::uint64_t ready() const { return queue(id()).machine().ready_count(); }
  LogIndex applied() const { return queue(id()).machine().applied(); }
  void publish(std::uint64_t ttl_ms) {
    send(9, Publish{.message = make_message("", "k", {}, as_bytes("m")), .body_size = 1, .ttl_ms = ttl_ms}, id());
    settle();
  }
  void begin_again(Configure settings) {
    settings_ = settings;
    restart();
  }
};

TEST_P(QueueTime, AnEntryIsMadeWhenSomethingIsDueAndNotBefore) {
  publish(100);
  const LogIndex before = applied();
  advance(99ms);
  EXPECT_EQ(applied(), before);
  advance(1ms);
  EXPECT_EQ(applied(), before.plus(1));
  EXPECT_EQ(ready(), 0u);
  advance(10s);
  EXPECT_EQ(applied(), before.plus(1));
}

TEST_P(QueueTime, WhatIsDueSoonAfterSharesAnEntry) {
  for (std::uint64_t ttl = 100; ttl < 150; ++ttl) publish(ttl);
  const LogIndex before = applied();
  for (int i = 0; i < 500; ++i) advance(1ms);
  EXPECT_EQ(ready(), 0u);
  EXPECT_EQ(applied(), before.plus(2));
  EXPECT_EQ(queue(id()).machine().death_count(DeathReason::expired), 50u);
}

TEST_P(QueueTime, WhatWasTakenInTimeAsksForNothing) {
  publish(100);
  send(1, Get{.session = session(1)}, id());
  settle();
  const LogIndex before = applied();
  advance(1s);
  EXPECT_EQ(applied(), before);
}

TEST_P(QueueTime, AnotherEntryMayDoTheWork) {
  publish(100);
  const LogIndex before = applied();
  send(1, Get{.session = session(1)}, id());
  advance(100ms);
  EXPECT_EQ(got(), "taken0 empty");
  advance(1s);
  EXPECT_EQ(applied(), before.plus(1));
}

TEST_P(QueueTime, ItAsksForItsEndOnce) {
  begin_again({.expires_ms = 1'000});
  advance(999ms);
  EXPECT_TRUE(delete_requests_.empty());
  advance(1ms);
  EXPECT_EQ(std::ranges::count(delete_requests_, id()), 1);
  advance(10s);
  EXPECT_EQ(std::ranges::count(delete_requests_, id()), 1);
}

TEST_P(QueueTime, ItDoesNotWhileSomebodyConsumesNorSoonAfter) {
  begin_again({.expires_ms = 1'000});
  advance(900ms);
  attach(1, {}, id());
  for (int i = 0; i < 5; ++i) advance(900ms);
  send(1, Cancel{.consumer = consumer(1)}, id());
  settle();
  delete_requests_.clear();  // the other queue's, and this one's if it is auto-delete
  if (queue(id()).definition().auto_delete) return;
  advance(999ms);
  EXPECT_TRUE(delete_requests_.empty());
  advance(1ms);
  EXPECT_EQ(delete_requests_, std::vector{id()});
}

TEST_P(QueueTime, HoweverOftenItAskedItIsWokenOnceAMinute) {
  begin_again({.expires_ms = 3'600'000});
  for (int i = 0; i < 100; ++i) {
    publish(100);
    for (const Duration step : {100ms, 100ms, 800ms}) advance(step);
  }
  const auto next = [this] { return directory_of_queues_->next_deadline().value(); };
  int wakes = 0;
  for (const Instant end = shard_->now() + 10min; next() <= end; ++wakes) advance(next() - shard_->now());
  EXPECT_LE(wakes, 22) << "there are two queues";
}

TEST_P(QueueTime, AClockThatJumpsIsNoticed) {
  publish(3'600'000);
  EXPECT_LE(directory_of_queues_->next_deadline().value() - shard_->now(), 1min);
}

INSTANTIATE_TEST_SUITE_P(Queues, QueueTime, ::testing::Values(kDurable, kTransient),
                         [](const auto& info) { return info.param == kDurable ? "Durable" : "Transient"; });

}  // namespace
}  // namespace quorate::queue

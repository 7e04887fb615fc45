// Delayed retry: what is given back waits, longer with every failure (features.md Q025).
#include <gtest/gtest.h>

#include "tests/broker/queue/machine_fixture.h"

namespace quorate::queue {
namespace {

constexpr DelayedRetry kAll{.failed = true, .returned = true, .min_ms = 100, .max_ms = 250};

class DelayedRetries : public MachineFixture {
 protected:
  void begin(Configure settings) {
    settings.quorum = true;
    apply({settings});
    forget_events();
  }
  /// One consumer with prefetch 1 holds it.
  void deliver(char letter) {
    attach({.prefetch = 1}, 11);
    publish({&letter, 1});
    forget_events();
  }
};

TEST_F(DelayedRetries, WhatIsGivenBackComesAgainAfterAWhile) {
  begin({.delayed_retry = kAll});
  deliver('a');
  give_back(11, "a", ReturnReason::requeued);
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.ready_count(), 0u);
  EXPECT_EQ(machine_.delayed_count(), 1u);
  EXPECT_EQ(machine_.message_bytes(), 1u);
  wait_ms(99);
  EXPECT_EQ(events(), "");
  wait_ms(1);
  EXPECT_EQ(events(), "11:a!");
  EXPECT_EQ(machine_.delayed_count(), 0u);
}

TEST_F(DelayedRetries, EachFailureWaitsLongerUpToABound) {
  begin({.delayed_retry = kAll});
  deliver('a');
  for (const int ms : {100, 200, 250, 250}) {
    give_back(11, "a", ReturnReason::requeued);
    wait_ms(ms - 1);
    EXPECT_EQ(events(), "") << ms;
    wait_ms(1);
    EXPECT_EQ(events(), "11:a!") << ms;
  }
}

TEST_F(DelayedRetries, WhatWasOnlyReturnedWaitsAsAfterItsFirstFailure) {
  begin({.delayed_retry = kAll});
  deliver('a');
  for (int times = 0; times < 3; ++times) {
    give_back(11, "a", ReturnReason::released);
    wait_ms(99);
    EXPECT_EQ(events(), "");
    wait_ms(1);
    EXPECT_EQ(events(), "11:a!");
  }
}

TEST_F(DelayedRetries, OnlyTheKindThatWasAskedFor) {
  begin({.delayed_retry = {.failed = true, .min_ms = 100, .max_ms = 100}});
  deliver('a');
  give_back(11, "a", ReturnReason::released);
  EXPECT_EQ(events(), "11:a!");
  give_back(11, "a", ReturnReason::requeued);
  EXPECT_EQ(events(), "");
  begin({.delayed_retry = {.returned = true, .min_ms = 100, .max_ms = 100}});
  wait_ms(100);
  EXPECT_EQ(events(), "11:a!");
  give_back(11, "a", ReturnReason::requeued);
  EXPECT_EQ(events(), "11:a!");
  give_back(11, "a", ReturnReason::released);
  EXPECT_EQ(events(), "");
}

TEST_F(DelayedRetries, WhatNeverLeftTheNodeDoesNotWait) {
  begin({.delayed_retry = kAll});
  deliver('a');
  give_back(11, "a", ReturnReason::unseen);
  EXPECT_EQ(events(), "11:a");
}

TEST_F(DelayedRetries, OthersAreServedMeanwhile) {
  begin({.delayed_retry = kAll});
  deliver('a');
  publish("b");
  give_back(11, "a", ReturnReason::requeued);
  EXPECT_EQ(events(), "11:b");
  wait_ms(100);
  publish("c");
  settle(11, "b");
  EXPECT_EQ(events(), "dead 4, 11:a!");
}

TEST_F(DelayedRetries, TooManyFailuresEndIt) {
  begin({.delivery_limit = 1, .delayed_retry = kAll});
  deliver('a');
  give_back(11, "a", ReturnReason::requeued);
  wait_ms(100);
  EXPECT_EQ(events(), "11:a!");
  give_back(11, "a", ReturnReason::requeued);
  EXPECT_EQ(events(), "dead 3");
  EXPECT_EQ(machine_.delayed_count(), 0u);
}

TEST_F(DelayedRetries, NothingWaitsLongerThanItLives) {
  begin({.delayed_retry = kAll});
  attach({.prefetch = 1}, 11);
  publish_with_ttl('a', 50);
  give_back(11, "a", ReturnReason::requeued);
  forget_events();
  EXPECT_EQ(machine_.next_retry(), machine_.now() + std::chrono::milliseconds(50));
  wait_ms(50);
  EXPECT_EQ(events(), "dead 3");
  EXPECT_EQ(machine_.death_count(DeathReason::expired), 1u);
}

TEST_F(DelayedRetries, WhatWaitsCountsAgainstTheLengthAndIsTheLastToGo) {
  begin({.max_length = 2, .delayed_retry = kAll});
  deliver('a');
  give_back(11, "a", ReturnReason::requeued);
  cancel(11);
  forget_events();
  publish("bc");
  EXPECT_EQ(events(), "dead 6");
  begin({.max_length = 0, .delayed_retry = kAll});
  publish("d");
  EXPECT_EQ(machine_.delayed_count() + machine_.ready_count(), 0u);
}

TEST_F(DelayedRetries, AFullQueueRefusesForWhatWaits) {
  begin({.max_length = 1, .overflow = Overflow::reject_publish, .delayed_retry = kAll});
  deliver('a');
  give_back(11, "a", ReturnReason::requeued);
  publish("b");
  EXPECT_EQ(machine_.ready_count(), 0u);
}

TEST_F(DelayedRetries, APurgeTakesThemToo) {
  begin({.delayed_retry = kAll});
  deliver('a');
  give_back(11, "a", ReturnReason::requeued);
  apply({Purge{.session = session_of(2)}});
  EXPECT_EQ(events(), "purged 1, dead 3");
  EXPECT_EQ(machine_.delayed_count(), 0u);
}

TEST_F(DelayedRetries, TheyOutliveASnapshotAndAnotherMind) {
  begin({.delayed_retry = kAll});
  deliver('a');
  publish("b");
  give_back(11, "a", ReturnReason::requeued);
  give_back(11, "b", ReturnReason::requeued);
  forget_events();
  QueueMachine again = restored(machine_.serialize());
  EXPECT_EQ(again.serialize(), machine_.serialize());
  machine_ = std::move(again);
  machine_.check_invariants();
  begin({});  // who waits, waits to the end
  EXPECT_EQ(machine_.delayed_count(), 2u);
  wait_ms(100);
  EXPECT_EQ(events(), "11:a!");
  give_back(11, "a", ReturnReason::requeued);
  EXPECT_EQ(events(), "11:b!");
}

}  // namespace
}  // namespace quorate::queue

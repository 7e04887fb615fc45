// Messages that expire: wherever they stand, whoever held them, and never into a consumer's hands afterwards
// (features.md E021; beyond RabbitMQ N04).
#include <gtest/gtest.h>

#include "tests/broker/queue/machine_fixture.h"

namespace quorate::queue {
namespace {

class Expiring : public MachineFixture, public ::testing::WithParamInterface<bool> {
 protected:
  Expiring() { configure({}); }
  void configure(Configure settings) {
    settings.quorum = GetParam();
    apply({settings});
  }
  std::uint64_t expired() const { return machine_.death_count(DeathReason::expired); }
};

TEST_P(Expiring, AMessageGoesWhenItsTimeIsUp) {
  publish_with_ttl('a', 100);
  wait_ms(99);
  EXPECT_EQ(machine_.ready_count(), 1u);
  EXPECT_EQ(events(), "");
  wait_ms(1);
  EXPECT_EQ(machine_.ready_count(), 0u);
  EXPECT_EQ(events(), "dead 2");
  EXPECT_EQ(expired(), 1u);
}

TEST_P(Expiring, OneBehindOthersThatStayGoesAsWell) {
  publish("a");
  publish_with_ttl('b', 10);
  publish("c");
  publish_with_ttl('d', 20);
  wait_ms(10);
  EXPECT_EQ(events(), "dead 3");
  wait_ms(10);
  EXPECT_EQ(events(), "dead 5");
  attach(11);
  EXPECT_EQ(events(), "attached 11, 11:a, 11:c");
}

TEST_P(Expiring, ManyBetweenOthersLeaveTheOrderAlone) {
  std::string stay;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    if (letter % 3 == 0) {
      publish({&letter, 1});
      stay += (stay.empty() ? "11:" : ", 11:") + std::string(1, letter);
    } else {
      publish_with_ttl(letter, static_cast<std::uint64_t>('z' + 1 - letter));
    }
  }
  for (int i = 0; i < 26; ++i) wait_ms(1);
  EXPECT_EQ(machine_.ready_count(), 8u);
  forget_events();
  attach(11);
  EXPECT_EQ(events(), "attached 11, " + stay);
}

TEST_P(Expiring, TheLesserOfTheTwoTimesCounts) {
  configure({.message_ttl_ms = 50});
  publish_with_ttl('a', 100);
  publish_with_ttl('b', 10);
  publish("c");
  forget_events();
  wait_ms(10);
  EXPECT_EQ(machine_.ready_count(), 2u);
  wait_ms(40);
  EXPECT_EQ(machine_.ready_count(), 0u);
}

TEST_P(Expiring, TheTimeIsFixedWhenTheMessageComes) {
  configure({.message_ttl_ms = 50});
  publish("a");
  configure({.message_ttl_ms = 500});
  publish("b");
  configure({});
  publish("c");
  wait_ms(50);
  EXPECT_EQ(machine_.ready_count(), 2u);
  wait_ms(450);
  EXPECT_EQ(machine_.ready_count(), 1u);
  wait_ms(1'000'000);
  EXPECT_EQ(machine_.ready_count(), 1u);
}

TEST_P(Expiring, WithNoTimeToLiveItGoesToWhoIsReadyOrNobody) {
  publish_with_ttl('a', 0);
  EXPECT_EQ(events(), "dead 2");
  attach({.prefetch = 1}, 11);
  publish_with_ttl('b', 0);
  publish_with_ttl('c', 0);
  EXPECT_EQ(events(), "attached 11, 11:b, dead 5");
  get(3);
  EXPECT_EQ(events(), "empty");
}

TEST_P(Expiring, WithNoTimeToLiveItMissesWhoComesLaterInTheSameEntry) {
  apply({Enqueue{.ttl_ms = 0, .message = as_bytes("a")}, Get{.session = session_of(1)}});
  EXPECT_EQ(events(), "empty, dead 2");
}

TEST_P(Expiring, WhoComesAfterTheTimeGetsNothing) {
  publish_with_ttl('a', 10);
  publish_with_ttl('b', 10);
  now_ += std::chrono::milliseconds(10);
  attach(11);
  EXPECT_EQ(events(), "dead 2, dead 3, attached 11");
  get(3);
  EXPECT_EQ(events(), "empty");
}

TEST_P(Expiring, WhatAConsumerHoldsDoesNotExpire) {
  attach(11);
  publish_with_ttl('a', 10);
  publish_with_ttl('b', 10);
  forget_events();
  EXPECT_EQ(machine_.next_expiry(), std::nullopt);
  wait_ms(1'000);
  EXPECT_EQ(machine_.unsettled_count(), 2u);
  settle(11, "a");
  EXPECT_EQ(events(), "dead 3");
  EXPECT_EQ(expired(), 0u);
}

TEST_P(Expiring, WhatComesBackTooLateIsGone) {
  attach({.prefetch = 1}, 11);
  publish_with_ttl('a', 10);
  publish_with_ttl('b', 1'000);
  wait_ms(10);
  forget_events();
  give_back(11, "a", ReturnReason::unseen);
  EXPECT_EQ(events(), "dead 3, 11:b");
  EXPECT_EQ(expired(), 1u);
}

TEST_P(Expiring, WhatComesBackInTimeKeepsItsTime) {
  attach({.prefetch = 3}, 11);
  publish("x");
  publish_with_ttl('a', 10);
  publish_with_ttl('b', 20);
  wait_ms(5);
  apply({Down{.session = session_of(1)}});
  forget_events();
  EXPECT_EQ(machine_.next_expiry(), now_ + std::chrono::milliseconds(5));
  wait_ms(5);
  EXPECT_EQ(events(), "dead 4");
  wait_ms(10);
  EXPECT_EQ(events(), "dead 5");
  EXPECT_EQ(machine_.ready_count(), 1u);
}

TEST_P(Expiring, OfEveryPriority) {
  configure({.priority_max = 4});
  publish_with_ttl('a', 10, 1);
  publish_with_ttl('b', 10, 3);
  publish_with_ttl('c', 20, 4);
  publish_with_ttl('d', 20, 2);
  wait_ms(10);
  EXPECT_EQ(machine_.ready_count(), 2u);
  forget_events();
  attach(11);
  EXPECT_EQ(events(), "attached 11, 11:c, 11:d");
}

TEST_P(Expiring, WhatIsFullHasRoomAgain) {
  configure({.max_length = 1, .overflow = Overflow::reject_publish});
  publish_with_ttl('a', 10);
  publish("b");
  EXPECT_EQ(events(), "rejected 0#0, dead 4");
  now_ += std::chrono::milliseconds(10);
  publish("c");
  EXPECT_EQ(events(), "dead 3");
  EXPECT_EQ(machine_.ready_count(), 1u);
}

TEST_P(Expiring, AClockThatRunsBackMakesNothingYounger) {
  publish_with_ttl('a', 10);
  wait_ms(5);
  now_ -= std::chrono::seconds(100);
  publish_with_ttl('b', 10);
  now_ += std::chrono::seconds(100);
  wait_ms(5);
  EXPECT_EQ(machine_.ready_count(), 1u);
  wait_ms(5);
  EXPECT_EQ(machine_.ready_count(), 0u);
}

TEST_P(Expiring, TheLongestTimesAreEndless) {
  configure({.message_ttl_ms = UINT64_MAX});
  publish_with_ttl('a', UINT64_MAX);
  now_ = WallTime::max();
  publish_with_ttl('b', UINT64_MAX);
  EXPECT_EQ(machine_.ready_count(), 1u);
  EXPECT_EQ(restored(machine_.serialize()).serialize(), machine_.serialize());
}

TEST_P(Expiring, ASnapshotKnowsTheTimesOfAll) {
  attach({.prefetch = 1}, 11);
  publish_with_ttl('a', 100);
  publish_with_ttl('b', 200);
  get(3);
  cancel(11);
  publish_with_ttl('c', 300);
  give_back(11, "a");
  QueueMachine again = restored(machine_.serialize());
  again.check_invariants();
  EXPECT_EQ(again.now(), machine_.now());
  EXPECT_EQ(again.next_expiry(), now_ + std::chrono::milliseconds(100));
  Effects effects;
  ASSERT_TRUE(
      again.apply(index_.plus(1), now_ + std::chrono::milliseconds(250), packed({Down{session_of(3)}}), effects));
  EXPECT_EQ(again.ready_count(), 1u);
  EXPECT_EQ(again.next_expiry(), now_ + std::chrono::milliseconds(300));
}

INSTANTIATE_TEST_SUITE_P(Types, Expiring, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Quorum" : "Classic"; });

}  // namespace
}  // namespace quorate::queue

// The queue machine keeps the order, loses nothing and serves fairly: each test tells one such fact.
#include "broker/queue/queue_machine.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/broker/queue/machine_fixture.h"

namespace quorate::queue {
namespace {

class QueueMachineStory : public MachineFixture {};
using S = QueueMachineStory;

// --- order ---

TEST_F(S, HandsOutInTheOrderOfTheLog) {
  publish("ab");
  publish_packed("cd");
  attach(11);
  EXPECT_EQ(events(), "attached 11, 11:a, 11:b, 11:c, 11:d");
}

TEST_F(S, WhatComesWhileAConsumerWaitsIsHandedOutAtOnce) {
  attach(11);
  forget_events();
  publish("a");
  EXPECT_EQ(events(), "11:a");
}

TEST_F(S, ARequeuedMessageReturnsToItsPlace) {
  publish("abcd");
  attach({.prefetch = 2}, 11);
  forget_events();
  cancel(11);
  give_back(11, "b");
  give_back(11, "a");
  attach(21);
  EXPECT_EQ(events(), "cancelled 11, unused, attached 21, 21:a!, 21:b!, 21:c, 21:d");
}

TEST_F(S, AReturnedMessageGoesBeforeLaterOnesEvenIfThoseWereHandedOut) {
  publish("abc");
  attach({.prefetch = 3}, 11);
  settle(11, "b");
  forget_events();
  give_back(11, "a");
  EXPECT_EQ(events(), "11:a!");
  give_back(11, "c");
  EXPECT_EQ(events(), "11:c!");
}

TEST_F(S, AReturnedUnseenMessageIsNotMarked) {
  publish("a");
  attach({.prefetch = 1}, 11);
  forget_events();
  give_back(11, "a", ReturnReason::unseen);
  EXPECT_EQ(events(), "11:a");
  give_back(11, "a", ReturnReason::requeued);
  give_back(11, "a", ReturnReason::unseen);
  EXPECT_EQ(events(), "11:a!, 11:a!");  // once seen it stays marked
}

TEST_F(S, EverythingOfASessionThatEndsReturnsInOrderBeforeLaterMessages) {
  publish("abcd");
  attach({.prefetch = 2}, 11);
  attach({.prefetch = 1}, 12);
  forget_events();
  apply({Down{.session = session_of(1)}, Attach{.consumer = consumer_of(21), .window = kWide}});
  EXPECT_EQ(events(), "unused, attached 21, 21:a!, 21:b!, 21:c!, 21:d");
}

TEST_F(S, ConsumersOfOnePriorityTakeTurns) {
  attach(11);
  attach(21);
  attach(31);
  forget_events();
  publish("abcd");
  EXPECT_EQ(events(), "11:a, 21:b, 31:c, 11:d");
}

TEST_F(S, AHigherPriorityIsServedFirstUntilItIsFull) {
  attach(11);
  attach({.priority = 5, .prefetch = 2}, 21);
  attach({.priority = -5}, 31);
  forget_events();
  publish("abcd");
  EXPECT_EQ(events(), "21:a, 21:b, 11:c, 11:d");
  settle(21, "a");
  publish("e");
  EXPECT_EQ(events(), "dead 4, 21:e");
}

TEST_F(S, PrefetchBoundsWhatIsUnsettled) {
  publish("abc");
  attach({.prefetch = 2}, 11);
  EXPECT_EQ(events(), "attached 11, 11:a, 11:b");
  EXPECT_EQ(machine_.ready_count(), 1u);
  EXPECT_EQ(machine_.unsettled_count(), 2u);
  settle(11, "b");
  EXPECT_EQ(events(), "dead 2, 11:c");
}

TEST_F(S, ADeliveryWithoutAckIsSettledAtOnce) {
  publish("ab");
  attach({.no_ack = true}, 11);
  EXPECT_EQ(events(), "attached 11, 11:a, dead 1, 11:b, dead 2");
  EXPECT_EQ(machine_.unsettled_count(), 0u);
  EXPECT_EQ(machine_.message_bytes(), 0u);
}

TEST_F(S, TheWindowStopsAfterTheMessageThatOverdrawsIt) {
  const std::uint32_t body = 100;
  publish_body('a', body);
  publish_body('b', body);
  publish_body('c', body);
  attach({.window = 200}, 11);  // each message weighs its body and 64 bytes
  EXPECT_EQ(events(), "attached 11, 11:a, 11:b");
  credit(11, 128);
  EXPECT_EQ(events(), "");  // still at zero
  credit(11, 1);
  EXPECT_EQ(events(), "11:c");
}

TEST_F(S, ALargeMessagePassesASmallWindowOnce) {
  publish_body('a', 50'000);
  publish_body('b', 1);
  attach({.window = 10}, 11);
  EXPECT_EQ(events(), "attached 11, 11:a");
  credit(11, 50'000);
  EXPECT_EQ(events(), "");
  credit(11, 64);
  EXPECT_EQ(events(), "11:b");
}

TEST_F(S, CreditBeyondAllMeasureDoesNotOverflow) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  publish("a");
  attach({.window = kMost}, 11);
  credit(11, kMost);
  credit(11, kMost);
  publish("b");
  EXPECT_EQ(events(), "attached 11, 11:a, 11:b");
}

// --- exclusive consumers ---

TEST_F(S, AnExclusiveConsumerToleratesNobodyBesideIt) {
  attach({.exclusive = true}, 11);
  attach(21);
  EXPECT_EQ(events(), "attached 11, refused 21");
  cancel(11);
  attach(21);
  EXPECT_EQ(events(), "cancelled 11, unused, attached 21");
}

TEST_F(S, AnExclusiveConsumerComesOnlyWhenNobodyIsThere) {
  attach(11);
  attach({.exclusive = true}, 21);
  EXPECT_EQ(events(), "attached 11, refused 21");
  EXPECT_EQ(machine_.consumers(), std::vector{consumer_of(11)});
}

TEST_F(S, AnExclusiveConsumerMayComeWhileACancelledOneStillSettles) {
  publish("a");
  attach(11);
  cancel(11);
  forget_events();
  attach({.exclusive = true}, 21);
  EXPECT_EQ(events(), "attached 21");
}

// --- the end of a consumer ---

TEST_F(S, CancelKeepsWhatIsUnsettled) {
  publish("ab");
  attach({.prefetch = 1}, 11);
  cancel(11);
  EXPECT_EQ(events(), "attached 11, 11:a, cancelled 11, unused");
  EXPECT_EQ(machine_.unsettled_count(), 1u);
  settle(11, "a");
  EXPECT_EQ(events(), "dead 1");
  EXPECT_EQ(machine_.ready_count(), 1u);
}

TEST_F(S, CancelIsAnsweredEvenForAStranger) {
  cancel(11);
  EXPECT_EQ(events(), "cancelled 11");
}

TEST_F(S, UnusedIsToldWhenTheLastConsumerGoes) {
  attach(11);
  attach(21);
  forget_events();
  cancel(11);
  EXPECT_EQ(events(), "cancelled 11");
  down(2);
  EXPECT_EQ(events(), "unused");
  down(2);
  EXPECT_EQ(events(), "");
}

TEST_F(S, AGetterIsNoConsumer) {
  publish("a");
  get(1);
  forget_events();
  EXPECT_EQ(machine_.consumer_count(), 0u);
  down(1);
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.ready_count(), 1u);
}

// --- basic.get ---

TEST_F(S, GetTakesTheNextMessageAndSaysHowManyAreLeft) {
  publish("abc");
  get(1);
  get(1, true);
  EXPECT_EQ(events(), "got 10:a left 2, got 10:b left 1, dead 2");
  get(1);
  get(1);
  EXPECT_EQ(events(), "got 10:c left 0, empty");
  EXPECT_EQ(machine_.unsettled_count(), 2u);
}

TEST_F(S, WhatWasFetchedIsSettledOrReturned) {
  publish("ab");
  get(1);
  get(1);
  forget_events();
  settle(10, "a");
  give_back(10, "b");
  EXPECT_EQ(events(), "dead 1");
  get(2);
  EXPECT_EQ(events(), "got 20:b! left 0");
}

TEST_F(S, TheIdsOfAGetterAreNeverGivenOutTwice) {
  publish("ab");
  get(1);
  settle(10, "a");
  const std::uint64_t first = id_of(10, 'a');
  get(1);
  EXPECT_GT(id_of(10, 'b'), first);
  forget_events();
  settle(10, "a");  // repeats itself: must not touch b
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.unsettled_count(), 1u);
}

// --- the end of a message ---

TEST_F(S, AnEntryIsDeadExactlyWhenItsLastMessageDies) {
  publish_packed("abc");
  attach({.prefetch = 3}, 11);
  forget_events();
  settle(11, "a");
  discard(11, "c");
  EXPECT_EQ(events(), "");
  EXPECT_TRUE(machine_.is_live(LogIndex(1)));
  settle(11, "b");
  EXPECT_EQ(events(), "dead 1");
  EXPECT_FALSE(machine_.is_live(LogIndex(1)));
}

TEST_F(S, AnEntryIsNotDeadWhileMoreMessagesComeOutOfIt) {
  attach({.no_ack = true}, 11);
  forget_events();
  publish_packed("abc");
  EXPECT_EQ(events(), "11:a, 11:b, 11:c, dead 2");
}

TEST_F(S, ARepeatedSettlementIsIgnored) {
  publish("ab");
  attach({.prefetch = 2}, 11);
  settle(11, "a");
  forget_events();
  settle(11, "a");
  give_back(11, "a");
  discard(11, "a");
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.unsettled_count(), 1u);
}

TEST_F(S, IdsThatWereNeverGivenOutAreIgnored) {
  publish("a");
  attach(11);
  forget_events();
  apply({Settle{.consumer = consumer_of(11), .ids = {{.first = 5, .last = 9}, {.first = 0, .last = 0}}},
         Settle{.consumer = consumer_of(77), .ids = {{.first = 1, .last = 1}}}});
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.unsettled_count(), 1u);
}

TEST_F(S, ARangeMayReachBeyondWhatWasGivenOut) {
  publish("ab");
  attach(11);
  forget_events();
  apply(
      {Settle{.consumer = consumer_of(11), .ids = {{.first = 0, .last = std::numeric_limits<std::uint64_t>::max()}}}});
  EXPECT_EQ(events(), "dead 1, dead 2");
}

TEST_F(S, PurgeDropsWhatIsReadyAndKeepsWhatIsUnsettled) {
  publish("abcd");
  attach({.prefetch = 2}, 11);
  give_back(11, "b", ReturnReason::unseen);
  forget_events();
  cancel(11);
  apply({Return{.consumer = consumer_of(11), .ids = ids_of(11, "b")}, Purge{.session = session_of(9)}});
  EXPECT_EQ(events(), "cancelled 11, unused, purged 3, dead 2, dead 3, dead 4");
  EXPECT_EQ(machine_.ready_count(), 0u);
  EXPECT_EQ(machine_.unsettled_count(), 1u);
  EXPECT_EQ(machine_.message_bytes(), 1u);
}

TEST_F(S, LiveEntriesAreClosedRangesOfWhatIsNeeded) {
  publish("abcde");
  attach({.prefetch = 5}, 11);
  settle(11, "ac");
  using Range = std::pair<LogIndex, LogIndex>;
  EXPECT_EQ(machine_.live_entries(), (std::vector<Range>{{LogIndex(2), LogIndex(2)}, {LogIndex(4), LogIndex(5)}}));
  EXPECT_EQ(machine_.reclaimable_bytes(), 2u * (1 + 64));
  machine_.mark_snapshot();
  EXPECT_EQ(machine_.reclaimable_bytes(), 0u);
}

TEST_F(S, OneStuckMessageDoesNotMakeTheStateGrow) {
  publish("a");
  attach({.prefetch = 2}, 11);
  const auto pass = [&](int count) {
    for (int i = 0; i < count; ++i) {
      publish("b");
      settle(11, "b");
    }
    forget_events();
  };
  pass(10);
  const std::size_t before = machine_.serialize().size();
  pass(3'000);
  EXPECT_LT(machine_.serialize().size(), before + 16);
  EXPECT_EQ(machine_.unsettled_count(), 1u);
}

// --- nodes ---

TEST_F(S, WhenANodeStartsItsOlderSessionsAreGoneAndTransientMessagesToo) {
  publish("ab", true);
  publish("c", false);
  publish("d", true);
  attach({.prefetch = 2}, 11);
  forget_events();
  node_up(2);
  EXPECT_EQ(events(), "dead 3") << "a queue does not delete itself because its node was restarted";
  EXPECT_EQ(machine_.consumer_count(), 0u);
  attach(21);
  EXPECT_EQ(events(), "attached 21, 21:a!, 21:b!, 21:d");
}

TEST_F(S, AfterACrashEveryMessageCountsAsRedelivered) {
  publish("ab");
  get(1);
  forget_events();
  apply({NodeUp{.node = NodeId(1), .epoch = Epoch(2), .after_crash = true}});
  attach(21);
  EXPECT_EQ(events(), "attached 21, 21:a!, 21:b!");
}

TEST_F(S, AStartingNodeLeavesItsNewSessionsAlone) {
  node_up(1);
  attach(11);
  publish("a");
  forget_events();
  node_up(1);
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.unsettled_count(), 1u);
}

TEST_F(S, AStartingNodeLeavesTheSessionsOfOthersAlone) {
  attach(11);
  publish("a");
  forget_events();
  apply({NodeUp{.node = NodeId(2), .epoch = Epoch(9)}});
  EXPECT_EQ(machine_.unsettled_count(), 1u);
}

// --- bytes that are no commands ---

TEST_F(S, BytesThatAreNoCommandAreAnErrorThatSaysWhere) {
  Effects effects;
  std::vector<std::byte> payload = packed({Purge{.session = session_of(1)}});
  const std::size_t offset = payload.size();
  payload.push_back(std::byte{0xee});
  const auto applied = machine_.apply(LogIndex(7), now_, payload, effects);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::corruption);
  EXPECT_EQ(applied.error().text, "log entry 7 holds no queue command at offset " + std::to_string(offset));
}

TEST_F(S, AMessageBeyondThePositionsOfAnEntryIsAnError) {
  const std::vector<std::byte> body(70'000);
  Effects effects;
  const auto applied = machine_.apply(LogIndex(1), now_, packed({Enqueue{.message = body}, Enqueue{}}), effects);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::corruption);
}

}  // namespace
}  // namespace quorate::queue

// What a queue is configured to do: give up on messages that fail too often, serve what came back first, keep
// priorities apart. Names like Q021 are rows of RabbitMQ's behaviour.
#include <gtest/gtest.h>

#include "tests/broker/queue/machine_fixture.h"

namespace quorate::queue {
namespace {

class QuorumFeatures : public MachineFixture {
 protected:
  void configure(const Configure& settings) { apply({settings}); }
  /// "failed/acquired" of what the consumer holds.
  std::string counts(unsigned number) {
    std::string text;
    machine_.held_by(consumer_of(number), 0, [&](const effect::Deliver& delivery) {
      text += std::to_string(delivery.message.delivery_count) + "/" + std::to_string(delivery.acquired_count) + " ";
    });
    return text;
  }
};

// --- counting, and giving up (Q020 to Q022) ---

TEST_F(QuorumFeatures, EveryReturnCountsAsAcquiredAndOnlyFailuresAsDeliveries) {
  publish("a");
  attach({.prefetch = 1}, 11);
  EXPECT_EQ(counts(11), "0/0 ");
  give_back(11, "a", ReturnReason::released);
  EXPECT_EQ(counts(11), "0/1 ");
  give_back(11, "a", ReturnReason::requeued);
  EXPECT_EQ(counts(11), "1/2 ");
  give_back(11, "a", ReturnReason::unseen);
  EXPECT_EQ(counts(11), "1/2 ");
  attach({.prefetch = 1}, 21);
  down(1);
  EXPECT_EQ(counts(21), "2/3 ");
}

TEST_F(QuorumFeatures, CountsSurviveASnapshotWhereverTheMessageIs) {
  publish("abc");
  attach({.prefetch = 2}, 11);
  give_back(11, "ab");
  give_back(11, "b", ReturnReason::released);
  cancel(11);
  give_back(11, "a");
  machine_ = restored(machine_.serialize());
  attach({.prefetch = 3}, 21);
  machine_ = restored(machine_.serialize());
  EXPECT_EQ(counts(11), "1/2 ");
  EXPECT_EQ(counts(21), "2/2 0/0 ");
}

TEST_F(QuorumFeatures, BeyondTheDeliveryLimitAMessageIsGone) {
  configure({.quorum = true, .delivery_limit = 2});
  publish("a");
  attach({.prefetch = 1}, 11);
  forget_events();
  give_back(11, "a");
  give_back(11, "a");
  give_back(11, "a", ReturnReason::released);
  EXPECT_EQ(events(), "11:a!, 11:a!, 11:a!");
  give_back(11, "a");
  EXPECT_EQ(events(), "dead 2");
  EXPECT_EQ(machine_.message_bytes(), 0u);
}

TEST_F(QuorumFeatures, AMessageDiesWithTheLastNodeThatFailedOnIt) {
  configure({.delivery_limit = 0});
  publish("a");
  attach(11);
  forget_events();
  node_up(2);
  EXPECT_EQ(events(), "dead 2");
}

TEST_F(QuorumFeatures, WithoutALimitAMessageComesBackForEver) {
  configure({.quorum = true});
  publish("a");
  attach({.prefetch = 1}, 11);
  for (int i = 0; i < 100; ++i) give_back(11, "a");
  EXPECT_EQ(counts(11), "100/100 ");
}

// --- order (Q024) ---

TEST_F(QuorumFeatures, AQuorumQueueServesWhatCameBackFirstInTheOrderOfComingBack) {
  configure({.quorum = true});
  publish("abcd");
  attach({.prefetch = 3}, 11);
  cancel(11);
  give_back(11, "c");
  give_back(11, "a");
  machine_ = restored(machine_.serialize());
  forget_events();
  attach(21);
  EXPECT_EQ(events(), "attached 21, 21:c!, 21:a!, 21:d");
}

TEST_F(QuorumFeatures, PrioritiesAreStrictAndOneThatIsNotSaidIsFour) {
  configure({.quorum = true, .priority_max = kQuorumPriorityMax});
  publish_with_priority('a', 3);
  publish("b");
  publish_with_priority('c', 5);
  publish_with_priority('d', 0);
  publish_with_priority('e', 200);  // counts as 31, and so does the next
  publish_with_priority('f', 31);
  publish_with_priority('g', 4);
  machine_ = restored(machine_.serialize());
  attach({.prefetch = 5}, 11);
  EXPECT_EQ(events(), "attached 11, 11:e, 11:f, 11:c, 11:b, 11:g");
  give_back(11, "b");
  settle(11, "efcg");
  EXPECT_EQ(events(), "11:b!, dead 6, dead 7, dead 4, dead 8, 11:a, 11:d");
}

TEST_F(QuorumFeatures, InAClassicQueueWhatComesBackKeepsItsPlaceWithinItsPriority) {
  configure({.priority_max = 5});
  publish_with_priority('a', 1);
  publish_with_priority('b', 1);
  publish_with_priority('c', 9);
  publish("d");
  attach({.prefetch = 3}, 11);
  EXPECT_EQ(events(), "attached 11, 11:c, 11:a, 11:b");
  cancel(11);
  give_back(11, "ba");
  publish_with_priority('e', 5);
  forget_events();
  attach(21);
  EXPECT_EQ(events(), "attached 21, 21:e, 21:a!, 21:b!, 21:d");
}

TEST_F(QuorumFeatures, PrioritiesMayComeAndGoWhileMessagesWait) {
  publish_with_priority('a', 1);
  publish_with_priority('b', 2);
  publish_with_priority('c', 1);
  configure({.priority_max = 5});
  configure({.priority_max = 0});
  publish("d");
  configure({.priority_max = 5});
  attach(11);
  EXPECT_EQ(events(), "attached 11, 11:b, 11:a, 11:c, 11:d");
}

TEST_F(QuorumFeatures, AQuorumQueueKeepsTransientMessagesWhenANodeStarts) {
  configure({.quorum = true});
  publish("a", false);
  node_up(2);
  EXPECT_EQ(machine_.ready_count(), 1u);
  configure({});
  node_up(3);
  EXPECT_EQ(machine_.ready_count(), 0u);
}

// --- a single active consumer (E041) ---

TEST_F(QuorumFeatures, OneConsumerIsServedAndTheNextOldestFollowsIt) {
  configure({.single_active_consumer = true});
  attach(21);
  attach(11);
  attach(31);
  publish("ab");
  EXPECT_EQ(events(), "attached 21, attached 11, attached 31, 21:a, 21:b");
  EXPECT_EQ(machine_.active_consumer(), consumer_of(21));
  cancel(21);
  machine_ = restored(machine_.serialize());
  publish("c");
  EXPECT_EQ(events(), "cancelled 21, 11:c");
  down(1);
  EXPECT_EQ(events(), "31:c!");
  cancel(31);
  EXPECT_EQ(machine_.active_consumer(), std::nullopt);
}

TEST_F(QuorumFeatures, AHigherPriorityTakesOverWhenTheActiveOneHasSettled) {
  configure({.single_active_consumer = true});
  attach({.prefetch = 2}, 11);
  publish("ab");
  forget_events();
  attach({.priority = 1}, 21);
  publish("c");
  settle(11, "a");
  EXPECT_EQ(events(), "attached 21, dead 3");
  machine_ = restored(machine_.serialize());
  EXPECT_EQ(machine_.active_consumer(), consumer_of(11));
  settle(11, "b");
  EXPECT_EQ(events(), "dead 4, 21:c");
  EXPECT_EQ(machine_.active_consumer(), consumer_of(21));
}

TEST_F(QuorumFeatures, ASuspectedActiveConsumerGivesWayAndDoesNotComeBackByItself) {
  configure({.single_active_consumer = true});
  attach(11);
  apply({Attach{.consumer = {.session = session_of(2, 1, 2), .link = 1}, .window = kWide}});
  apply({NodeSuspected{.node = NodeId(1), .epoch = Epoch(1)}});
  forget_events();
  publish("a");
  EXPECT_EQ(events(), "21:a");
  apply({NodeTrusted{.node = NodeId(1), .epoch = Epoch(1)}});
  publish("b");
  EXPECT_EQ(events(), "21:b");
  apply({NodeSuspected{.node = NodeId(2), .epoch = Epoch(1)}, NodeSuspected{.node = NodeId(1), .epoch = Epoch(1)}});
  publish("c");
  EXPECT_EQ(events(), "") << "nobody is left";
}

TEST_F(QuorumFeatures, NobodyOvertakesWhatASuspectedActiveConsumerHolds) {
  configure({.quorum = true, .single_active_consumer = true, .delivery_limit = 0});
  attach({.prefetch = 2}, 11);
  const ConsumerKey successor{.session = session_of(2, 1, 2), .link = 1};
  apply({Attach{.consumer = successor, .prefetch = 2, .window = kWide}});
  publish("abc");
  forget_events();
  apply({NodeSuspected{.node = NodeId(1), .epoch = Epoch(1)}});
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.active_consumer(), consumer_of(11));
  apply({SessionsGone{.node = NodeId(1), .below = Epoch(2), .expired = true}});
  EXPECT_EQ(events(), "21:a!, 21:b!");
}

TEST_F(QuorumFeatures, WhatAConsumerNeedNotAcknowledgeIsHeldWhereOthersMayLead) {
  attach({.no_ack = true}, 11);
  publish("a");
  EXPECT_EQ(machine_.unsettled_count(), 0u);
  configure({.holds_all = true});
  publish("b");
  EXPECT_EQ(machine_.unsettled_count(), 1u);
  settle(11, "b");
  EXPECT_EQ(machine_.unsettled_count(), 0u);
}

TEST_F(QuorumFeatures, WhatTheActiveConsumerHadForTooLongGoesToTheNextInOrder) {
  configure({.quorum = true, .single_active_consumer = true, .delivery_limit = 0});
  attach({.prefetch = 2}, 11);
  attach(21);
  publish("abc");
  forget_events();
  give_back(11, "a", ReturnReason::late);
  EXPECT_EQ(events(), "21:a!, 21:c");
  EXPECT_EQ(counts(21), "0/1 0/0 ");
  settle(11, "a");
  EXPECT_EQ(events(), "") << "it is not its any more";
  give_back(11, "b", ReturnReason::late);
  EXPECT_EQ(events(), "21:b!");
  EXPECT_EQ(machine_.consumers(), std::vector{consumer_of(21)});
}

TEST_F(QuorumFeatures, ASingleActiveConsumerMayBeAskedForAndGivenUpLater) {
  attach(11);
  attach(21);
  configure({.single_active_consumer = true});
  forget_events();
  publish("ab");
  EXPECT_EQ(events(), "11:a, 11:b");
  configure({});
  publish("cd");
  EXPECT_EQ(events(), "11:c, 21:d");
}

// --- length (E022 to E024) ---

TEST_F(QuorumFeatures, TheOldestReadyMessageIsDroppedFromAFullQueue) {
  configure({.max_length = 2});
  publish("abc");
  EXPECT_EQ(events(), "dead 2");
  attach({.prefetch = 1}, 11);
  publish("de");  // b is not ready any more, c is the oldest
  EXPECT_EQ(events(), "attached 11, 11:b, dead 4");
}

TEST_F(QuorumFeatures, BytesOfBodiesCountToo) {
  configure({.max_length_bytes = 100});
  publish_body('a', 60);
  publish_body('b', 40);
  EXPECT_EQ(events(), "");
  publish_body('c', 1);
  EXPECT_EQ(events(), "dead 2");
  publish_body('d', 101);
  EXPECT_EQ(events(), "dead 3, dead 4, dead 5") << "not even alone";
}

TEST_F(QuorumFeatures, TheLeastPriorityIsDroppedFirst) {
  configure({.quorum = true, .priority_max = kQuorumPriorityMax, .max_length = 2});
  publish_with_priority('a', 2);
  publish_with_priority('b', 1);
  publish_with_priority('c', 3);
  EXPECT_EQ(events(), "dead 3");
}

TEST_F(QuorumFeatures, WhatComesBackCanMakeAQueueTooLong) {
  configure({.max_length = 1});
  publish("a");
  attach({.prefetch = 1}, 11);
  publish("b");
  cancel(11);
  forget_events();
  give_back(11, "a");
  EXPECT_EQ(events(), "dead 2");
}

TEST_F(QuorumFeatures, AShorterLimitAppliesToWhatIsThere) {
  publish("abc");
  configure({.max_length = 1});
  EXPECT_EQ(events(), "dead 1, dead 2");
}

TEST_F(QuorumFeatures, AFullQueueMayRejectWhatComes) {
  configure({.max_length = 1, .overflow = Overflow::reject_publish});
  send_letters(1, 1, "abc");
  EXPECT_EQ(events(), "rejected 1#2, rejected 1#3, through 1#3");
  publish("d");
  EXPECT_EQ(events(), "rejected 0#0, dead 3");
  EXPECT_EQ(machine_.ready_count(), 1u);
}

TEST_F(QuorumFeatures, ARejectionIsToldAgainUntilItHasBeenHeard) {
  configure({.max_length = 0, .overflow = Overflow::reject_publish});
  send_letters(1, 1, "abc");
  configure({});
  machine_ = restored(machine_.serialize());
  forget_events();
  send_letters(1, 2, "bcd", 1);
  EXPECT_EQ(events(), "rejected 1#2, rejected 1#3, through 1#2-4");
  const std::size_t with_memory = machine_.serialize().size();
  send(1, 5, {}, 4);
  EXPECT_LT(machine_.serialize().size(), with_memory);
}

TEST_F(QuorumFeatures, SettingsSurviveASnapshot) {
  const Configure settings{.quorum = true, .priority_max = 7, .delivery_limit = 3, .max_length = 10};
  configure(settings);
  machine_ = restored(machine_.serialize());
  EXPECT_EQ(machine_.settings(), settings);
}

}  // namespace
}  // namespace quorate::queue

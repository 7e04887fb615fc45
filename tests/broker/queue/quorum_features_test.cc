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

TEST_F(QuorumFeatures, SettingsSurviveASnapshot) {
  const Configure settings{.quorum = true, .priority_max = 7, .delivery_limit = 3, .max_length = 10};
  configure(settings);
  machine_ = restored(machine_.serialize());
  EXPECT_EQ(machine_.settings(), settings);
}

}  // namespace
}  // namespace quorate::queue

// The word that a queue's row shows: monitors raise an alarm by it.
#include "broker/node/queue_state.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

TEST(QueueState, IsRunningWhileAMajorityElectsALeader) {
  EXPECT_EQ(queue_state({.members = 3, .online = 2, .is_quorum = true}), "running");
  EXPECT_EQ(queue_state({.members = 3, .online = 1, .is_quorum = true}), "minority");
  EXPECT_EQ(queue_state({.members = 2, .online = 1, .is_quorum = true}), "minority");
  EXPECT_EQ(queue_state({.members = 3, .online = 0, .is_quorum = true}), "down");
}

TEST(QueueState, OfAClassicQueueIsItsNodesWord) {
  EXPECT_EQ(queue_state({.is_answered = true}), "running");
  EXPECT_EQ(queue_state({.online = 1}), "down");
}

}  // namespace
}  // namespace quorate

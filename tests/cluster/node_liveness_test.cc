// Heartbeats between nodes: silence, restarts and stuck shards are told once each, and late heartbeats tell nothing.
#include "cluster/node_liveness.h"

#include <gtest/gtest.h>

#include <string>

namespace quorate::cluster {
namespace {

constexpr NodeId kPeer{2};
constexpr Instant at(int ms) { return Instant(std::chrono::milliseconds(ms)); }

class NodeLivenessTest : public ::testing::Test {
 protected:
  NodeLivenessTest() { liveness_.set_peers({kPeer}); }

  void hear(std::uint32_t epoch, std::uint64_t sequence, std::uint64_t shards, int ms) {
    liveness_.receive(kPeer, {.epoch = Epoch(epoch), .sequence = sequence, .shards = shards}, at(ms));
  }
  std::string told() { return std::exchange(told_, ""); }

  std::string told_;
  NodeLiveness liveness_{Epoch(1), 2, [this](NodeId, ShardId shard, bool live) {
                           told_ += (live ? "+" : "-") + std::to_string(shard.value()) + " ";
                         }};
};

TEST_F(NodeLivenessTest, TellsWhenANodeAnswersAndWhenItFallsSilent) {
  EXPECT_FALSE(liveness_.is_live(kPeer, ShardId(0)));
  hear(1, 1, 0b11, 0);
  EXPECT_EQ(told(), "+0 +1 ");
  hear(1, 2, 0b11, 150);
  liveness_.on_time(at(1149));
  EXPECT_EQ(told(), "");
  liveness_.on_time(at(1150));
  EXPECT_EQ(told(), "-0 -1 ");
}

TEST_F(NodeLivenessTest, NoticesARestartHoweverQuick) {
  hear(1, 9, 0b11, 0);
  told();
  hear(2, 1, 0b11, 10);
  EXPECT_EQ(told(), "-0 -1 +0 +1 ");
}

TEST_F(NodeLivenessTest, ASingleStuckShardLosesItsBit) {
  hear(1, 1, 0b11, 0);
  told();
  hear(1, 2, 0b01, 150);
  EXPECT_EQ(told(), "-1 ");
  EXPECT_TRUE(liveness_.is_live(kPeer, ShardId(0)));
}

TEST_F(NodeLivenessTest, LateHeartbeatsAndStrangersTellNothing) {
  hear(2, 5, 0b01, 0);
  told();
  hear(2, 4, 0b11, 10);
  hear(1, 9, 0b11, 10);
  liveness_.receive(NodeId(7), {.epoch = Epoch(1), .sequence = 1, .shards = 1}, at(10));
  EXPECT_EQ(told(), "");
}

TEST_F(NodeLivenessTest, ItsOwnBeatSaysWhichShardsMove) {
  liveness_.on_progress(ShardId(0), at(1000));
  liveness_.on_progress(ShardId(1), at(400));
  EXPECT_EQ(liveness_.beat(at(1100)).shards, 0b01u);
  liveness_.set_disk_ok(false);
  const Heartbeat beat = liveness_.beat(at(1100));
  EXPECT_EQ(beat.shards, 0u);
  EXPECT_EQ(beat.sequence, 2u);
}

TEST_F(NodeLivenessTest, APeerThatIsNoLongerOneIsDead) {
  hear(1, 1, 0b1, 0);
  told();
  liveness_.set_peers({});
  EXPECT_EQ(told(), "-0 ");
}

}  // namespace
}  // namespace quorate::cluster

// What one node notices of itself and says in its beats, and what another makes of it; two shards on each side, driven
// by hand. Time is a value.
#include "cluster/cluster_watch.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

namespace quorate::cluster {
namespace {

using namespace std::chrono_literals;

constexpr NodeId kSick{1};
constexpr NodeId kWell{2};

class Side {
 public:
  Side(NodeId id, const Clock& clock) : id_(id) {
    std::vector<Shard*> all;
    for (std::uint32_t i = 0; i < 2; ++i) shards_[i] = std::make_unique<Shard>(ShardId(i), clock);
    for (auto& shard : shards_) all.push_back(shard.get());
    for (auto& shard : shards_) shard->connect(all);
    watch_ = std::make_unique<ClusterWatch>(
        *shards_[0], Epoch(1),
        ClusterWatch::Surroundings{
            .send = [this](NodeId, const Heartbeat& beat) { beats.push_back(beat); },
            .on_node_live = [this](NodeId node,
                                   bool live) { told += (live ? "+" : "-") + std::to_string(node.value()); },
            .on_given_up = [](NodeId) {},
            .on_majority = [this](bool has_majority) { told += has_majority ? " majority" : " minority"; },
            .is_disk_well = [this] { return disk_well; },
            .on_beat = [this](std::uint64_t stuck) { stuck_shards = stuck; }});
    turn();
    watch_->start();
    watch_->set_others({id == kSick ? kWell : kSick});
  }

  void turn(bool second_too = true) {
    for (int i = 0; i < 3; ++i) {
      shards_[0]->run_turn();
      if (second_too) shards_[1]->run_turn();
    }
  }
  void hear(Side& other) {
    for (const Heartbeat& beat : std::exchange(other.beats, {})) watch_->receive(other.id_, beat);
  }
  ClusterWatch& watch() { return *watch_; }

  bool disk_well = true;
  std::vector<Heartbeat> beats;
  std::string told;
  std::uint64_t stuck_shards = 0;

 private:
  const NodeId id_;
  std::array<std::unique_ptr<Shard>, 2> shards_;
  std::unique_ptr<ClusterWatch> watch_;
};

class ClusterWatchTest : public testing::Test {
 protected:
  ClusterWatchTest() {
    pass(1s);
    well_.told.clear();
  }

  /// Time goes by; the second shard of the sick node comes to its turns, or not.
  void pass(Duration time, bool turns = true) {
    for (const Instant end = clock_.now() + time; clock_.now() < end; clock_.advance(NodeLiveness::kInterval)) {
      sick_.turn(turns);
      well_.turn();
      sick_.watch().beat();
      well_.watch().beat();
      sick_.hear(well_);
      well_.hear(sick_);
    }
  }
  std::string told() { return std::exchange(well_.told, ""); }

  ManualClock clock_;
  Side sick_{kSick, clock_};
  Side well_{kWell, clock_};
};

TEST_F(ClusterWatchTest, AShardThatDoesNotTurnTakesItsNodeOutUntilItDoes) {
  pass(5s);
  EXPECT_EQ(told(), "");
  pass(NodeLiveness::kShardStallMax + 2 * NodeLiveness::kInterval, false);
  EXPECT_EQ(told(), "-1 minority");
  EXPECT_EQ(sick_.stuck_shards, 0b10u);
  EXPECT_TRUE(sick_.watch().is_live(kWell)) << "the stuck one hears the other all the same";
  pass(10s, false);
  EXPECT_EQ(told(), "");
  pass(1s);
  EXPECT_EQ(told(), "+1 majority");
  EXPECT_EQ(sick_.stuck_shards, 0u);
}

TEST_F(ClusterWatchTest, ADiskThatHangsTakesItsNodeOutUntilItAnswers) {
  sick_.disk_well = false;
  pass(2 * NodeLiveness::kInterval);
  EXPECT_EQ(told(), "-1 minority");
  EXPECT_EQ(sick_.stuck_shards, 0u);
  sick_.disk_well = true;
  pass(2 * NodeLiveness::kInterval);
  EXPECT_EQ(told(), "+1 majority");
}

TEST_F(ClusterWatchTest, ANodeThatLeavesTheClusterIsDownForEverybody) {
  well_.watch().set_others({});
  EXPECT_EQ(told(), "-1") << "the last that is told of it";
  EXPECT_FALSE(well_.watch().is_live(kSick));
  pass(1s);
  EXPECT_EQ(told(), "") << "and nothing more is heard of it";
}

TEST_F(ClusterWatchTest, WhoIsSilentIsKnownToBeSoAfterAWhile) {
  int times = 0;
  const auto count = [&] { ++times; };
  well_.watch().when_known(count);
  EXPECT_EQ(times, 1) << "it has heard of everybody there is";
  well_.watch().set_others({kSick, NodeId(3)});
  well_.watch().when_known(count);
  pass(NodeLiveness::kSilenceMax - NodeLiveness::kInterval);
  EXPECT_EQ(times, 1) << "the third may only be late";
  pass(2 * NodeLiveness::kInterval);
  EXPECT_EQ(times, 2);
  well_.watch().set_others({kSick, NodeId(4)});
  well_.watch().when_known(count);
  well_.watch().receive(NodeId(4), {.epoch = Epoch(1), .sequence = 1, .shards = ~std::uint64_t{0}});
  EXPECT_EQ(times, 3);
}

}  // namespace
}  // namespace quorate::cluster

#include "broker/node/stall_watch.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

using namespace std::chrono_literals;

class StallWatchTest : public testing::Test {
 protected:
  /// The first words of what is said at the next beat, with + for the end of something.
  std::string beat(StallWatch::Findings findings, Duration after = 150ms) {
    now_ += after;
    StallWatch::Lines lines;
    watch_.on_beat(findings, now_, lines);
    std::string said;
    for (const auto& line : lines) said += (line.is_over ? "+" : "-") + line.text.substr(0, line.text.find(" effect"));
    return said.substr(0, said.find(" reason"));
  }

  StallWatch watch_;
  Instant now_{};
};

TEST_F(StallWatchTest, ADiskThatDoesNotAnswerIsToldOnceAndSoIsItsEnd) {
  EXPECT_EQ(beat({.disk_busy = 0s}), "");
  EXPECT_EQ(beat({.disk_busy = StallWatch::kDiskStallMax - 1ms}), "");
  EXPECT_EQ(beat({.disk_busy = 2100ms}), "-disk.stalls busy=2.1s");
  EXPECT_EQ(beat({.disk_busy = 2250ms}), "");
  EXPECT_EQ(watch_.reason(), "") << "leaders have moved, clients may stay";
  EXPECT_EQ(beat({.disk_busy = 5s}), "");
  EXPECT_EQ(watch_.reason(), "the disk of this node does not answer");
  EXPECT_EQ(beat({.disk_busy = 0s}), "+disk.answers after=2.5s");
  EXPECT_EQ(watch_.reason(), "");
}

TEST_F(StallWatchTest, EachStuckShardIsTold) {
  EXPECT_EQ(beat({.stuck_shards = 0b110}), "-shard.stuck shard=1-shard.stuck shard=2");
  EXPECT_EQ(beat({.stuck_shards = 0b100}), "+shard.moves shard=1 after=0.1s");
  EXPECT_EQ(watch_.reason(), "");
  for (int i = 0; i < 33; ++i) EXPECT_EQ(beat({.stuck_shards = 0b100}), "");
  EXPECT_EQ(watch_.reason(), "a part of this node stands still");
  EXPECT_EQ(beat({}), "+shard.moves shard=2 after=5.2s");
  EXPECT_EQ(watch_.reason(), "");
}

TEST_F(StallWatchTest, AProcessThatStoodStillSaysSoAfterwards) {
  EXPECT_EQ(beat({}, 1h), "") << "nobody waited for the first beat";
  EXPECT_EQ(beat({}, 999ms), "");
  EXPECT_EQ(beat({}, 30s), "+shard.moves shard=0 after=30.0s");
}

}  // namespace
}  // namespace quorate

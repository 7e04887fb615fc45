// What a turn does before it ends, and what it leaves to the next.
#include "cluster/shard.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "base/limits.h"

namespace quorate::cluster {
namespace {

class ShardTest : public ::testing::Test {
 protected:
  ShardTest() { shard_.connect({&shard_}); }
  void post(std::size_t count, std::size_t bytes) {
    for (std::size_t i = 0; i < count; ++i) {
      boost::asio::post(shard_.io(), [this, bytes] {
        ++handled_;
        shard_.note_input(bytes);
      });
    }
  }

  ManualClock clock_;
  Shard shard_{ShardId(0), clock_};
  std::size_t handled_ = 0;
};

TEST_F(ShardTest, ATurnRunsSoManyHandlers) {
  post(limits::kTurnHandlersMax + 1, 0);
  shard_.run_turn();
  EXPECT_EQ(handled_, limits::kTurnHandlersMax);
  shard_.run_turn();
  EXPECT_EQ(handled_, limits::kTurnHandlersMax + 1);
}

// A client that sends without end had 64 slabs of its own read in a turn, and consumers got one window for them.
TEST_F(ShardTest, ATurnReadsSoMuch) {
  post(10, limits::kTurnInputMaxBytes / 4);
  shard_.run_turn();
  EXPECT_EQ(handled_, 4u);
  shard_.run_turn();
  EXPECT_EQ(handled_, 8u);
  shard_.run_turn();
  EXPECT_EQ(handled_, 10u);
}

TEST_F(ShardTest, ATurnEndsThoughAHookHasAlwaysMoreToDo) {
  class Endless final : public TurnHook {
   public:
    bool on_turn_end() override {
      ++rounds;
      return true;
    }
    std::size_t rounds = 0;
  } endless;
  shard_.add_hook(endless);
  EXPECT_TRUE(shard_.run_turn());
  EXPECT_EQ(endless.rounds, limits::kTurnRoundsMax);
  shard_.remove_hook(endless);
}

}  // namespace
}  // namespace quorate::cluster

// The connections of a shard, at the end of a turn. What they do with sockets is for tests/process.
#include "broker/amqp/connection.h"

#include <gtest/gtest.h>

#include "base/time.h"
#include "tests/fuzz/plain_surroundings.h"

namespace quorate::amqp {
namespace {

class CountingConnection final : public Connection {
 public:
  void start() override {}
  void flush() override { ++flushes; }
  void drop() override {}
  bool is_done() const override { return false; }
  Session* session() override { return nullptr; }

  int flushes = 0;
};

// A turn brings a publisher thousands of letters, and a flush looks at each of its channels.
TEST(ConnectionSet, FlushesAConnectionOnceATurnHoweverMuchHappenedToIt) {
  ManualClock clock;
  cluster::Shard shard(ShardId(0), clock);
  PlainSurroundings surroundings;
  const SessionOptions options;
  ConnectionSet set(shard, surroundings, options);
  CountingConnection busy;
  CountingConnection idle;
  for (int turn = 1; turn <= 2; ++turn) {
    for (int i = 0; i < 1000; ++i) set.mark_dirty(busy);
    EXPECT_TRUE(set.on_turn_end());
    EXPECT_EQ(busy.flushes, turn);
  }
  EXPECT_EQ(idle.flushes, 0);
  EXPECT_FALSE(set.on_turn_end());
}

}  // namespace
}  // namespace quorate::amqp

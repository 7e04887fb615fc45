// A shard that nobody speaks to keeps the deadlines of its groups.
#include "cluster/host_timer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <utility>

#include "tests/cluster/host_world.h"

namespace quorate::cluster {
namespace {

/// Tells of the second question for votes: the first deadline has been kept, and the one after it.
class SecondQuestion final : public Transport {
 public:
  void send(NodeId, PeerMessage message) override {
    const auto* question = std::get_if<raft::Message>(&message.body);
    if (question == nullptr || question->to != raft::replica_on(NodeId(2), 1)) return;
    if (++asked_ == 2) second_.set_value();
  }
  std::future<void> second() { return second_.get_future(); }

 private:
  int asked_ = 0;
  std::promise<void> second_;
};

TEST(HostTimer, GivesAQuietShardItsTurns) {
  const storage::TestDirectory directory;
  const SystemClock clock;
  auto snapshots = std::move(*storage::SnapshotStore::open({.path = directory / "state"}));
  auto log = std::move(*storage::LogStore::open({.path = directory / "log", .epoch = Epoch(1)}));
  storage::LogWriter writer(*log, clock);
  storage::LogReader reader(*log);
  storage::DiskStorage disk(*log, writer, reader, *snapshots);
  SecondQuestion transport;
  ListMachine machine;
  {
    Shard shard(ShardId(0), clock);
    shard.connect({&shard});
    GroupHost host(shard, disk, &transport,
                   {.node = NodeId(1), .epoch = Epoch(1), .timing = {.election_min = std::chrono::milliseconds(1)}},
                   [](const Error&) {});
    HostTimer timer(shard, host);
    shard.add_hook(host);
    shard.add_hook(timer);
    raft::Configuration members;
    for (std::uint32_t node = 1; node <= 3; ++node) members.voters.push_back(raft::replica_on(NodeId(node), 1));
    ASSERT_TRUE(host.open(kGroup, machine, {.self = members.voters[0], .configuration = members}));
    std::future<void> second = transport.second();
    shard.start();
    EXPECT_EQ(second.wait_for(std::chrono::minutes(1)), std::future_status::ready);
    shard.stop();
    shard.join();
    writer.stop();
    reader.stop();
  }
}

}  // namespace
}  // namespace quorate::cluster

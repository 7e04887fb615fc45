// Where members and leaders of new queues go: zones first, then the least loaded.
#include "broker/node/placement.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cluster/metadata/machine.h"

namespace quorate {
namespace {

using Nodes = std::vector<NodeId>;

/// A real topology behind a real machine; every change is counted as a shard would.
class PlacementTest : public testing::Test {
 protected:
  PlacementTest() : machine_([](std::string_view) { return cluster::RoutingIndexPtr(); }) {
    // No exchanges: the index says that it knows no type.
  }
  void apply(cluster::MetadataCommand command) {
    cluster::MetadataEffects effects;
    const Bytes entry = cluster::encode_entry({.commands = {std::move(command)}});
    ASSERT_TRUE(machine_.apply(LogIndex(++index_), entry.view(), effects));
    placement.count(machine_.topology(), effects.queues);
  }
  void add_node(std::uint32_t id, const std::string& zone) {
    apply(cluster::PutNode{.node = {.id = NodeId(id), .name = "n" + std::to_string(id)}});
    apply(cluster::NodeStarted{.node = NodeId(id), .epoch = Epoch(1), .zone = zone});
  }
  void declare(const std::string& name, NodeId leader, const Nodes& nodes) {
    apply(cluster::DeclareQueue{
        .queue = {.vhost = "/", .name = name, .durable = true, .node = leader, .type = cluster::QueueType::quorum},
        .nodes = nodes});
  }
  /// How often each was chosen beside node 1, of 300 times.
  std::map<std::uint32_t, int> choose(const Nodes& others, std::size_t count) {
    std::vector<Placement::Candidate> candidates;
    for (const NodeId node : others) candidates.push_back({.node = node});
    return choose(candidates, count);
  }
  std::map<std::uint32_t, int> choose(const std::vector<Placement::Candidate>& others, std::size_t count) {
    std::map<std::uint32_t, int> times;
    for (int i = 0; i < 300; ++i) {
      const Nodes chosen = placement.choose(NodeId(1), others, count, random);
      EXPECT_EQ(chosen.front(), NodeId(1));
      for (const NodeId node : chosen) ++times[node.value()];
    }
    times.erase(1);
    return times;
  }

  cluster::MetadataMachine machine_;
  std::uint64_t index_ = 0;
  Placement placement;
  Random random{7};
};

TEST_F(PlacementTest, SpreadsOverZonesFirst) {
  add_node(1, "a");
  add_node(2, "a");
  add_node(3, "b");
  add_node(4, "c");
  add_node(5, "c");
  const Nodes others = {NodeId(2), NodeId(3), NodeId(4), NodeId(5)};
  auto times = choose(others, 3);
  EXPECT_EQ(times[2], 0) << "its zone has a member";
  EXPECT_EQ(times[3], 300);
  EXPECT_EQ(times[4] + times[5], 300);
  EXPECT_GT(std::min(times[4], times[5]), 100) << "by chance";
  // Load does not outweigh a zone.
  apply(cluster::PutVhost{.name = "/"});
  for (const std::string name : {"p", "q"}) declare(name, NodeId(3), {NodeId(3), NodeId(4)});
  times = choose(others, 3);
  EXPECT_EQ(times[3], 300);
  EXPECT_EQ(times[5], 300) << "less loaded than the other one of its zone";
  EXPECT_EQ(choose(others, 9)[2], 300) << "all of them";
}

TEST_F(PlacementTest, WithoutZonesTheLeastLoadedAreChosen) {
  for (const std::uint32_t id : {1u, 2u, 3u, 4u}) add_node(id, "");
  apply(cluster::PutVhost{.name = "/"});
  const Nodes others = {NodeId(2), NodeId(3), NodeId(4)};
  auto times = choose(others, 2);
  EXPECT_GT(std::min({times[2], times[3], times[4]}), 50) << "by chance";
  declare("q", NodeId(2), {NodeId(1), NodeId(2), NodeId(3)});
  EXPECT_EQ(choose(others, 2)[4], 300);
  const GroupId queue = machine_.topology()->find_queue("/", "q")->id;
  apply(cluster::PlaceQueue{.id = queue, .nodes = {NodeId(1), NodeId(4)}});  // where it is to be counts
  times = choose(others, 2);
  EXPECT_EQ(times[4], 0);
  EXPECT_GT(std::min(times[2], times[3]), 100);
  apply(cluster::DeleteQueue{.id = queue});
  EXPECT_GT(choose(others, 2)[4], 50);
  // Counted from the beginning it is the same.
  placement.count(machine_.topology());
  EXPECT_GT(choose(others, 2)[4], 50);
}

TEST_F(PlacementTest, WhoRunsAndIsNotDrainedIsPreferredAndTheOthersFillUp) {
  add_node(1, "a");
  add_node(2, "a");
  add_node(3, "b");
  add_node(4, "c");
  using Fitness = Placement::Fitness;
  const std::vector<Placement::Candidate> others = {{.node = NodeId(2)},
                                                    {.node = NodeId(3), .fitness = Fitness::silent},
                                                    {.node = NodeId(4), .fitness = Fitness::drained}};
  const std::map<std::uint32_t, int> one = {{2, 300}};
  const std::map<std::uint32_t, int> two = {{2, 300}, {4, 300}};
  const std::map<std::uint32_t, int> all = {{2, 300}, {3, 300}, {4, 300}};
  EXPECT_EQ(choose(others, 2), one) << "whatever its zone";
  EXPECT_EQ(choose(others, 3), two) << "who is drained runs, and can follow";
  EXPECT_EQ(choose(others, 4), all);
  EXPECT_EQ(choose(others, 9), all);
}

TEST_F(PlacementTest, ABalancedLeaderIsWhereTheFewestQueuesBegan) {
  for (const std::uint32_t id : {1u, 2u, 3u}) add_node(id, "");
  apply(cluster::PutVhost{.name = "/"});
  const Nodes all = {NodeId(1), NodeId(2), NodeId(3)};
  std::map<NodeId, int> led;
  for (int i = 0; i < 9; ++i) {
    const NodeId leader = placement.choose_leader(cluster::QueueType::quorum, all, random);
    declare("q" + std::to_string(i), leader, all);
    ++led[leader];
  }
  EXPECT_EQ(led, (std::map<NodeId, int>{{NodeId(1), 3}, {NodeId(2), 3}, {NodeId(3), 3}}));
  for (const char* name : {"c", "d"}) {
    apply(cluster::DeclareQueue{.queue = {.vhost = "/", .name = name, .node = NodeId(name[0] == 'c' ? 1u : 3u)}});
  }
  EXPECT_EQ(placement.choose_leader(cluster::QueueType::classic, all, random), NodeId(2)) << "each type by itself";
}

}  // namespace
}  // namespace quorate

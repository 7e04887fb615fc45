#include "broker/ctl/leader_balance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace quorate::ctl {
namespace {

using Names = std::vector<std::string>;

http::QueueRow queue(std::uint64_t id, const std::string& leader, const Names& members) {
  auto definition = std::make_shared<cluster::Queue>();
  definition->id = GroupId(id);
  return {.definition = definition, .node = leader, .state = "running", .members = members, .online = members};
}

TEST(LeaderBalance, SpreadsWhatOneNodeLeads) {
  std::vector<http::QueueRow> queues;
  for (std::uint64_t id = 1; id <= 9; ++id) queues.push_back(queue(id, "a", {"a", "b", "c"}));
  const LeaderBalance balance = balance_leaders(queues, {"a", "b", "c"});
  EXPECT_EQ(balance.moves.size(), 6U) << "no leader moves without need";
  EXPECT_EQ(balance.leaders, (std::map<std::string, std::size_t>{{"a", 3}, {"b", 3}, {"c", 3}}));
}

TEST(LeaderBalance, IsContentWithADifferenceOfOne) {
  EXPECT_TRUE(balance_leaders({queue(1, "a", {"a", "b"})}, {"a", "b"}).moves.empty());
  EXPECT_TRUE(
      balance_leaders({queue(1, "a", {"a", "b"}), queue(2, "a", {"a", "b"}), queue(3, "b", {"a", "b"})}, {"a", "b"})
          .moves.empty());
}

TEST(LeaderBalance, GoesOnlyToMembersThatAreThereAndFit) {
  std::vector<http::QueueRow> queues;
  for (std::uint64_t id = 1; id <= 6; ++id) queues.push_back(queue(id, "a", {"a", "b", "c", "d"}));
  for (http::QueueRow& row : queues) row.online = {"a", "b", "c"};
  const LeaderBalance balance = balance_leaders(queues, {"a", "b", "d"});  // c is drained, d does not answer
  EXPECT_EQ(balance.moves.size(), 3U);
  EXPECT_TRUE(std::ranges::all_of(balance.moves, [](const LeaderMove& move) { return move.to == "b"; }));
}

TEST(LeaderBalance, LeavesQueuesAloneThatNobodyLeadsOrThatHaveOneMember) {
  std::vector<http::QueueRow> queues = {queue(1, "a", {"a"}), queue(2, "a", {"a"}), queue(3, "a", {"a", "b"}),
                                        queue(4, "a", {})};
  queues[2].state = "down";
  EXPECT_TRUE(balance_leaders(queues, {"a", "b"}).moves.empty());
  queues = {queue(1, "", {"a", "b"}), queue(2, "", {"a", "b"})};  // they elect one
  const LeaderBalance balance = balance_leaders(queues, {"a", "b"});
  EXPECT_TRUE(balance.moves.empty());
  EXPECT_EQ(balance.leaders.size(), 2U);
}

}  // namespace
}  // namespace quorate::ctl

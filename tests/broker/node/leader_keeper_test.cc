// Which leaders are moved without anybody asking: few, and only from nodes that lead clearly too many.
#include "broker/node/leader_keeper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

namespace quorate {
namespace {

using Names = std::vector<std::string>;

/// So many queues led by each, with members on all of a, b and c.
std::vector<http::QueueRow> queues(const std::map<std::string, std::size_t>& leaders) {
  const Names all = {"a", "b", "c"};
  std::vector<http::QueueRow> rows;
  for (const auto& [node, count] : leaders) {
    for (std::size_t i = 0; i < count; ++i) {
      auto definition = std::make_shared<cluster::Queue>();
      definition->id = GroupId(rows.size() + 1);
      rows.push_back({.definition = definition, .node = node, .state = "running", .members = all, .online = all});
    }
  }
  return rows;
}

TEST(LeaderKeeper, ToleratesSomeMoreThanTheShare) {
  const Names fit = {"a", "b", "c"};
  struct Row {
    std::map<std::string, std::size_t> leaders;
    std::size_t moves = 0;
  };
  const Row rows[] = {
      {{}, 0},
      {{{"a", 3}}, 0},                       // share 1, tolerated 3
      {{{"a", 4}}, 0},                       // share 2, tolerated 4
      {{{"a", 6}}, 2},                       // share 2, tolerated 4
      {{{"a", 12}, {"b", 9}, {"c", 9}}, 0},  // share 10, tolerated 12
      {{{"a", 13}, {"b", 9}, {"c", 8}}, 1},
      {{{"a", 130}, {"b", 90}, {"c", 80}}, 5},  // share 100, tolerated 110: twenty at last, five at a time
      {{{"a", 112}, {"b", 94}, {"c", 94}}, 2},
  };
  for (const Row& row : rows) {
    const auto moves = urgent_moves(queues(row.leaders), fit, 5);
    EXPECT_EQ(moves.size(), row.moves) << ::testing::PrintToString(row.leaders);
    EXPECT_TRUE(std::ranges::none_of(moves, [](const ctl::LeaderMove& move) { return move.to == "a"; }));
  }
}

TEST(LeaderKeeper, NobodyIsGivenALeaderWhoIsNotFit) {
  const auto moves = urgent_moves(queues({{"a", 20}}), {"a", "b"}, 100);
  EXPECT_EQ(moves.size(), 8u) << "share 10, tolerated 12";
  EXPECT_TRUE(std::ranges::all_of(moves, [](const ctl::LeaderMove& move) { return move.to == "b"; }));
  EXPECT_TRUE(urgent_moves(queues({{"a", 20}}), {}, 100).empty());
}

}  // namespace
}  // namespace quorate

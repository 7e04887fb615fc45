// What operators want of the whole node: who gets which answer, and what is refused.
#include "broker/node/orders.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

using namespace std::chrono_literals;
using Kind = http::Order::Kind;

Result<void> yes() { return {}; }

TEST(Orders, AreKnownByTheirTickets) {
  int told = 0;
  Orders orders([&] { ++told; });
  const http::Order reset{.kind = Kind::reset, .ticket = "1"};
  const http::Order other{.kind = Kind::stop_app, .ticket = "2"};
  EXPECT_FALSE(orders.give(reset, yes)) << "under way";
  EXPECT_FALSE(orders.give(reset, [] { return Result<void>(failure(ErrorCode::io, "is not asked again")); }));
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(orders.next());
  EXPECT_EQ(orders.next()->kind, Kind::reset);
  const auto busy = orders.give(other, yes);
  ASSERT_TRUE(busy);
  EXPECT_FALSE(*busy) << "one at a time";

  orders.finish(failure(ErrorCode::io, "the disk"));
  EXPECT_FALSE(orders.next());
  EXPECT_EQ(orders.give(reset, yes)->error().text, "the disk");
  EXPECT_FALSE(orders.give(other, yes)) << "now it is its turn";
  orders.finish({});
  EXPECT_TRUE(orders.give(other, yes)->has_value());

  const auto refused = orders.give({.ticket = "3"}, [] { return Result<void>(failure(ErrorCode::io, "no")); });
  EXPECT_EQ(refused->error().text, "no");
  EXPECT_FALSE(orders.next());
}

TEST(Orders, AreAllowedWhenNothingIsLost) {
  Config listening;
  listening.node_name = "rabbit@n1";
  listening.cluster.secret = "s";
  const Situation alone;
  const Situation unknown{.is_known = false};
  const Situation needed{.needed_for = {"queue 'a'", "queue 'b'"}};
  const Situation clustered{.others = {"rabbit@n2"}};
  struct Row {
    http::Order order;
    Situation situation;
    std::string_view refusal;
  };
  const http::Order reset{.kind = Kind::reset};
  const http::Order force{.kind = Kind::reset, .force = true};
  const http::Order join{.kind = Kind::join_cluster, .join = {.name = "rabbit@n2", .host = "n2"}};
  http::Order join_by_force = join;
  join_by_force.force = true;
  const http::Order join_itself{.kind = Kind::join_cluster, .join = {.name = "rabbit@n1", .host = "n1"}};
  const http::Order stand_alone{.kind = Kind::stand_alone};
  const Row rows[] = {
      {{.kind = Kind::stop_app}, needed, ""},
      {{.kind = Kind::start_app}, unknown, ""},
      {reset, alone, ""},
      {reset, clustered, ""},
      {reset, needed, "this node is needed for queue 'a', queue 'b': "},
      {reset, unknown, "it is not known yet what only this node has"},
      {force, needed, ""},
      {force, unknown, ""},
      {join, alone, ""},
      {join, needed, "this node is needed for queue 'a'"},
      {join_by_force, needed, ""},
      {join, clustered, "this node belongs to a cluster with rabbit@n2: reset it first"},
      {join_by_force, clustered, "this node belongs to a cluster with rabbit@n2: reset it first"},
      {join_itself, alone, "a node cannot join itself"},
      {stand_alone, clustered, "this is for a node that runs and misses the majority of its cluster"},
      {stand_alone, {.was_forgotten = true, .minority_for = 1h}, "this node was taken out of its cluster"},
      {stand_alone, {.live_others = {"rabbit@n2"}, .minority_for = 1h}, "rabbit@n2 would be left behind"},
      {stand_alone, {.minority_for = 9999ms}, "this node has been looking for the majority of its cluster for less"},
      {stand_alone, {.is_known = false, .minority_for = 10s}, ""},
  };
  for (const Row& row : rows) {
    const auto allowed = allow(row.order, row.situation, listening);
    EXPECT_EQ(allowed.has_value(), row.refusal.empty()) << row.refusal;
    EXPECT_TRUE(allowed || allowed.error().text.starts_with(row.refusal)) << allowed.error().text;
  }
  EXPECT_TRUE(allow(join, alone, Config{}).error().text.starts_with("this node does not listen for others"));
}

}  // namespace
}  // namespace quorate

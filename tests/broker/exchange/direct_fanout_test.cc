// Direct and fanout exchanges, and what all types promise about bindings: each counts, and an old index never changes.
#include "tests/broker/exchange/routing_fixture.h"

namespace quorate::exchange {

class DirectExchange : public RoutingFixture {
 protected:
  DirectExchange() { declare("direct"); }
};

TEST_F(DirectExchange, MatchesTheKeyToTheLetter) {
  bind('a', "red");
  bind('b', "red");
  bind('c', "blue");
  bind('d', "");
  EXPECT_EQ(route("red"), "ab");
  EXPECT_EQ(route("blue"), "c");
  EXPECT_EQ(route(""), "d");
  EXPECT_EQ(route("Red"), "");
  EXPECT_EQ(route("re"), "");
  EXPECT_EQ(route("*"), "");
}

TEST_F(DirectExchange, KeepsWhatAnotherBindingStillWants) {
  bind('a', "red", {{{"why", "first"}}});
  bind('a', "red", {{{"why", "second"}}});
  EXPECT_EQ(route("red"), "a");
  unbind('a', "red", {{{"why", "first"}}});
  EXPECT_EQ(route("red"), "a");
  unbind('a', "red", {{{"why", "second"}}});
  EXPECT_EQ(route("red"), "");
}

TEST_F(DirectExchange, NeverChangesAnIndexThatSomebodyHolds) {
  bind('a', "red");
  const cluster::RoutingIndexPtr before = index_;
  bind('b', "red");
  unbind('a', "red");
  EXPECT_EQ(route("red"), "b");
  index_ = before;
  EXPECT_EQ(route("red"), "a");
}

TEST_F(DirectExchange, TellsQueuesFromExchangesOfTheSameId) {
  const cluster::Destination exchange{.kind = cluster::Destination::Kind::exchange, .id = 'a'};
  bind('a', "red");
  index_ = index_->bind({.routing_key = "red"}, exchange);
  EXPECT_EQ(route("red"), "aa");
  index_ = index_->unbind({.routing_key = "red"}, exchange);
  EXPECT_EQ(route("red"), "a");
}

class FanoutExchange : public RoutingFixture {
 protected:
  FanoutExchange() { declare("fanout"); }
};

TEST_F(FanoutExchange, SendsEverywhereOnce) {
  bind('a', "x");
  bind('a', "y");
  bind('b', "");
  EXPECT_EQ(route("whatever"), "ab");
  unbind('a', "x");
  EXPECT_EQ(route("whatever"), "ab");
  unbind('a', "y");
  EXPECT_EQ(route("whatever"), "b");
}

TEST(ExchangeTypes, AreFoundByName) {
  for (const ExchangeType& type : exchange_types()) EXPECT_EQ(find_exchange_type(type.name), &type);
  EXPECT_EQ(find_exchange_type("x-nonsense"), nullptr);
  EXPECT_EQ(find_exchange_type(""), nullptr);
}

TEST(ExchangeTypes, AcceptAnyKeyWhereItIsNoPattern) {
  for (const std::string_view name : {"direct", "fanout", "headers"}) {
    EXPECT_TRUE(find_exchange_type(name)->validate_binding({.routing_key = "#.#.#"})) << name;
  }
}

}  // namespace quorate::exchange

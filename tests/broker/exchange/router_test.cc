// The router: exchanges bound to exchanges, cycles, alternates and copies by CC and BCC (conformance row 16).
#include "broker/exchange/router.h"

#include <map>

#include "broker/exchange/routing_keys.h"
#include "tests/broker/exchange/routing_fixture.h"

namespace quorate::exchange {

namespace {

using Kind = cluster::Destination::Kind;

/// A topology of exchanges A, B, … and queues a, b, …
class Town final : public ExchangeLookup {
 public:
  void declare(char exchange, std::string_view type) {
    indexes_[id(exchange)] = find_exchange_type(type)->make_index();
  }
  void bind(char source, char destination, std::string_view key) {
    const Kind kind = destination >= 'a' ? Kind::queue : Kind::exchange;
    auto& index = indexes_.at(id(source));
    index = index->bind({.routing_key = std::string(key)}, {.kind = kind, .id = id(destination)});
  }
  void set_alternate(char exchange, char alternate) { alternates_[id(exchange)] = id(alternate); }

  const cluster::RoutingIndex* index_of(std::uint64_t exchange) const override {
    const auto found = indexes_.find(exchange);
    return found == indexes_.end() ? nullptr : found->second.get();
  }
  std::optional<std::uint64_t> alternate_of(std::uint64_t exchange) const override {
    const auto found = alternates_.find(exchange);
    if (found == alternates_.end()) return std::nullopt;
    return found->second;
  }

  static std::uint64_t id(char letter) { return static_cast<std::uint64_t>(letter); }

 private:
  std::map<std::uint64_t, cluster::RoutingIndexPtr> indexes_;
  std::map<std::uint64_t, std::uint64_t> alternates_;
};

}  // namespace

class RouterTest : public ::testing::Test {
 protected:
  /// The letters of the queues that get a copy.
  std::string publish(char exchange, std::string_view key, const Table& headers = {}) {
    const std::string bytes = encoded(headers);
    RoutingKeys keys;
    if (const auto read = keys.read(key, as_bytes(bytes)); !read) return read.error();
    std::string letters;
    for (const std::uint64_t queue : router_.route(town_, Town::id(exchange), keys.keys(), as_bytes(bytes))) {
      letters += static_cast<char>(queue);
    }
    return letters;
  }

  Town town_;
  Router router_;
};

TEST_F(RouterTest, FollowsChainsAndGivesEachQueueOneCopy) {
  town_.declare('A', "topic");
  town_.declare('B', "fanout");
  town_.declare('C', "direct");
  town_.bind('A', 'B', "news.#");
  town_.bind('A', 'a', "#");
  town_.bind('B', 'a', "");
  town_.bind('B', 'b', "");
  town_.bind('B', 'C', "");
  town_.bind('C', 'b', "news.local");
  town_.bind('C', 'c', "news.local");
  EXPECT_EQ(publish('A', "news.local"), "abc");
  EXPECT_EQ(publish('A', "news.world"), "ab");
  EXPECT_EQ(publish('A', "weather"), "a");
}

TEST_F(RouterTest, CutsCycles) {
  town_.declare('A', "fanout");
  town_.declare('B', "fanout");
  town_.bind('A', 'A', "");
  town_.bind('A', 'B', "");
  town_.bind('B', 'A', "");
  town_.bind('B', 'b', "");
  EXPECT_EQ(publish('A', "k"), "b");
  EXPECT_EQ(publish('B', "k"), "b");
}

TEST_F(RouterTest, IgnoresExchangesThatAreGone) {
  town_.declare('A', "fanout");
  town_.bind('A', 'Z', "");
  town_.bind('A', 'a', "");
  EXPECT_EQ(publish('A', "k"), "a");
  EXPECT_EQ(publish('Z', "k"), "");
}

TEST_F(RouterTest, HandsOverToTheAlternateWhenNothingMatches) {
  town_.declare('A', "direct");
  town_.declare('B', "direct");
  town_.declare('C', "fanout");
  town_.bind('A', 'a', "hit");
  town_.bind('C', 'c', "");
  town_.set_alternate('A', 'B');
  town_.set_alternate('B', 'C');
  EXPECT_EQ(publish('A', "hit"), "a");
  EXPECT_EQ(publish('A', "miss"), "c");
}

TEST_F(RouterTest, AsksOnlyForAnExchangesOwnDestinations) {
  // A leads somewhere, although nobody is there: its alternate stays out of it. B leads nowhere.
  town_.declare('A', "fanout");
  town_.declare('B', "direct");
  town_.declare('C', "fanout");
  town_.declare('D', "fanout");
  town_.bind('A', 'B', "");
  town_.bind('C', 'c', "");
  town_.bind('D', 'd', "");
  town_.set_alternate('A', 'C');
  EXPECT_EQ(publish('A', "k"), "");
  town_.set_alternate('B', 'D');
  EXPECT_EQ(publish('A', "k"), "d");
}

TEST_F(RouterTest, SurvivesAlternatesInACircleOrMissing) {
  town_.declare('A', "direct");
  town_.declare('B', "direct");
  town_.set_alternate('A', 'B');
  town_.set_alternate('B', 'A');
  EXPECT_EQ(publish('A', "k"), "");
  town_.set_alternate('B', 'Z');
  EXPECT_EQ(publish('A', "k"), "");
}

TEST_F(RouterTest, SendsCopiesByCcAndBcc) {
  town_.declare('A', "direct");
  for (const char queue : {'a', 'b', 'c'}) town_.bind('A', queue, std::string(1, queue));
  EXPECT_EQ(publish('A', "a", {{{"CC", Array{{"b"}}}}}), "ab");
  EXPECT_EQ(publish('A', "a", {{{"CC", Array{{"b", "a"}}}, {"BCC", Array{{"c"}}}}}), "abc");
  EXPECT_EQ(publish('A', "nowhere", {{{"BCC", Array{{"c"}}}}}), "c");
}

TEST_F(RouterTest, ForgetsThePreviousMessage) {
  town_.declare('A', "direct");
  town_.bind('A', 'a', "a");
  EXPECT_EQ(publish('A', "a"), "a");
  EXPECT_EQ(publish('A', "b"), "");
}

TEST(RoutingKeys, RefusesOtherTypesThanArrays) {
  RoutingKeys keys;
  const auto refusal = [&](const Table& headers) { return keys.read("k", as_bytes(encoded(headers))).error(); };
  EXPECT_EQ(refusal({{{"CC", "b"}}}), "invalid message: {unacceptable_type_in_header,\"CC\",longstr}");
  EXPECT_EQ(refusal({{{"BCC", 3}}}), "invalid message: {unacceptable_type_in_header,\"BCC\",signedint}");
  EXPECT_EQ(refusal({{{"CC", Array{{"x"}}}, {"BCC", Void{}}}}),
            "invalid message: {unacceptable_type_in_header,\"BCC\",void}");
  EXPECT_EQ(keys.keys().size(), 1u);
}

TEST(RoutingKeys, PassOverItemsThatAreNoText) {
  const std::string headers = encoded({{{"CC", Array{{1, "b", true}}}, {"cc", "lower case is no CC"}}});
  RoutingKeys keys;
  ASSERT_TRUE(keys.read("a", as_bytes(headers)));
  ASSERT_EQ(keys.keys().size(), 2u);
  EXPECT_EQ(keys.keys()[0], "a");
  EXPECT_EQ(keys.keys()[1], "b");
  EXPECT_FALSE(keys.has_bcc());
}

TEST(RoutingKeys, NoticeBcc) {
  const std::string headers = encoded({{{"BCC", Array{}}}});
  RoutingKeys keys;
  ASSERT_TRUE(keys.read("a", as_bytes(headers)));
  EXPECT_TRUE(keys.has_bcc());
  ASSERT_TRUE(keys.read("a", {}));
  EXPECT_FALSE(keys.has_bcc());
}

}  // namespace quorate::exchange

// Sizes, arguments, patterns and URIs as text, and what a plan says about who should receive what.
#include "broker/perf/plan.h"

#include <gtest/gtest.h>

namespace quorate::perf {
namespace {

Plan plan_of(std::vector<std::string> queues, unsigned producers, unsigned consumers) {
  Plan plan;
  plan.queues = std::move(queues);
  plan.producers = producers;
  plan.consumers = consumers;
  plan.size = {.min = 16, .max = 16};
  return plan;
}

using Sources = std::vector<std::uint32_t>;

}  // namespace

TEST(Size, IsANumberOrARangeAndNeverBelowTheStamp) {
  struct Row {
    std::string_view text;
    std::optional<SizeRange> size;
  };
  const Row rows[] = {{"16", SizeRange{16, 16}},  {"0", SizeRange{12, 12}},   {"10:2000", SizeRange{12, 2000}},
                      {"5:5", SizeRange{12, 12}}, {"", std::nullopt},         {"20:10", std::nullopt},
                      {"a", std::nullopt},        {"1:", std::nullopt},       {"-1", std::nullopt},
                      {"1:2:3", std::nullopt},    {"134217729", std::nullopt}};
  for (const Row& row : rows) {
    const auto size = parse_size(row.text);
    ASSERT_EQ(size.has_value(), row.size.has_value()) << row.text;
    if (size) {
      EXPECT_EQ(*size, *row.size) << row.text;
    }
  }
}

TEST(Arguments, AreIntegersBooleansOrText) {
  const auto table = parse_arguments("x-max-length=10,x-negative=-3,flag=true,x-mode=lazy,empty=,t=1.5");
  ASSERT_TRUE(table);
  const Table wanted{{{"x-max-length", std::int64_t{10}},
                      {"x-negative", std::int64_t{-3}},
                      {"flag", true},
                      {"x-mode", std::string("lazy")},
                      {"empty", std::string()},
                      {"t", std::string("1.5")}}};
  EXPECT_EQ(*table, wanted);
  EXPECT_TRUE(parse_arguments("")->fields.empty());
  EXPECT_FALSE(parse_arguments("novalue"));
  EXPECT_FALSE(parse_arguments("=5"));
}

TEST(Pattern, HasOneNumber) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*expand_pattern("q-%d", 9, 11), (Names{"q-9", "q-10", "q-11"}));
  EXPECT_EQ(*expand_pattern("%03d-q", 9, 10), (Names{"009-q", "010-q"}));
  EXPECT_EQ(*expand_pattern("%d", 4'294'967'295, 4'294'967'295), (Names{"4294967295"}));
  for (const std::string_view pattern : {"q", "q-%s", "q-%d-%d", "%3d", "%0xd", "%099d"}) {
    EXPECT_FALSE(expand_pattern(pattern, 1, 2)) << pattern;
  }
  EXPECT_FALSE(expand_pattern("%d", 2, 1));
  EXPECT_FALSE(expand_pattern("%d", 1, 1'000'001));
}

TEST(Uri, IsReadAsClientsReadIt) {
  struct Row {
    std::string_view text;
    std::optional<Uri> uri;
  };
  const Row rows[] = {
      {"amqp://", Uri{}},
      {"amqp://host", Uri{.host = "host"}},
      {"amqp://host:5673", Uri{.host = "host", .port = "5673"}},
      {"amqp://:5673", Uri{.port = "5673"}},
      {"amqp://u:p@h", Uri{.user = "u", .password = "p", .host = "h"}},
      {"amqp://u@h", Uri{.user = "u", .host = "h"}},
      {"amqp://u%40x:p%2Fq@h:1/v%2Fw", Uri{.user = "u@x", .password = "p/q", .host = "h", .port = "1", .vhost = "v/w"}},
      {"amqp://h/", Uri{.host = "h"}},
      {"amqp://h/%2F", Uri{.host = "h", .vhost = "/"}},
      {"amqp://[::1]:5673/v", Uri{.host = "::1", .port = "5673", .vhost = "v"}},
      {"amqp://[::1]", Uri{.host = "::1"}},
      {"amqp://[::1", std::nullopt},
      {"amqp://[::1]x:5", std::nullopt},
      {"amqp://h:0", std::nullopt},
      {"amqp://h:", std::nullopt},
      {"amqp://h:65536", std::nullopt},
      {"amqp://h/%2", std::nullopt},
      {"amqp://%zz@h", std::nullopt},
      {"amqps://h", std::nullopt},
      {"h:5672", std::nullopt},
  };
  for (const Row& row : rows) {
    const auto uri = parse_uri(row.text);
    ASSERT_EQ(uri.has_value(), row.uri.has_value()) << row.text;
    if (uri) {
      EXPECT_EQ(*uri, *row.uri) << row.text;
    }
  }
}

TEST(Plan, ProducersAndConsumersAreDealtToQueuesInTurn) {
  const Plan plan = plan_of({"a", "b"}, 3, 3);
  EXPECT_EQ(plan.routing_key_of(0), "a");
  EXPECT_EQ(plan.routing_key_of(1), "b");
  EXPECT_EQ(plan.routing_key_of(2), "a");
  EXPECT_EQ(plan.agent_queue(2), 0u);
}

TEST(Plan, SaysWhereMessagesShouldComeOut) {
  Plan plan = plan_of({"a", "b"}, 2, 3);
  EXPECT_EQ(plan.sources_for(0), Sources{0});  // two consumers of one queue are one source
  EXPECT_EQ(plan.sources_for(1), Sources{1});
  plan.exchange = "x";
  EXPECT_EQ(plan.sources_for(1), Sources{1});  // direct, each queue bound by its name
  plan.routing_key = "all";
  EXPECT_EQ(plan.sources_for(1), (Sources{0, 1}));
  plan.routing_key.reset();
  plan.exchange_type = "fanout";
  EXPECT_EQ(plan.sources_for(0), (Sources{0, 1}));
  plan.consumers = 1;
  EXPECT_EQ(plan.sources_for(0), Sources{0});  // nobody reads the second queue
}

TEST(Plan, EachConsumerOfAStreamIsASource) {
  Plan plan = plan_of({"s"}, 1, 3);
  plan.is_stream = true;
  EXPECT_EQ(plan.sources_for(0), (Sources{0, 1, 2}));
}

TEST(Plan, DoesNotGuessAtOthersBindings) {
  Plan plan = plan_of({"a"}, 1, 1);
  plan.predeclared = true;
  EXPECT_EQ(plan.sources_for(0), Sources{0});  // the default exchange is the same everywhere
  plan.exchange = "x";
  EXPECT_TRUE(plan.sources_for(0).empty());
  plan.predeclared = false;
  plan.exchange_type = "x-consistent-hash";
  EXPECT_TRUE(plan.sources_for(0).empty());
}

TEST(Plan, JudgesLossesOnlyIfItCanTell) {
  EXPECT_TRUE(plan_of({"a"}, 1, 1).judges_losses());
  EXPECT_FALSE(plan_of({"a"}, 0, 1).judges_losses());
  EXPECT_FALSE(plan_of({"a"}, 1, 0).judges_losses());
  Plan many = plan_of({"a"}, 257, 1);
  EXPECT_TRUE(many.judges_losses());
  many.size = {.min = 12, .max = 100};  // the compact stamp has 8 bits for the producer
  EXPECT_FALSE(many.judges_losses());
  Plan leaves_rest = plan_of({"a"}, 1, 1);
  leaves_rest.consume_count = 5;
  EXPECT_FALSE(leaves_rest.judges_losses());
}

}  // namespace quorate::perf

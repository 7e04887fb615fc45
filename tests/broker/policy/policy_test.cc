#include "broker/policy/policy.h"

#include <gtest/gtest.h>

#include "broker/policy/policy_book.h"

namespace quorate::policy {
namespace {

using cluster::Policy;
using cluster::PolicyScope;
using cluster::PolicyTerm;
using cluster::QueueType;

PolicyTerm number(std::string key, std::int64_t value) { return {.key = std::move(key), .value = value}; }
PolicyTerm text(std::string key, std::string value) { return {.key = std::move(key), .value = std::move(value)}; }

Policy policy(Definition definition, std::string pattern = ".*") {
  return {.vhost = "/", .name = "p", .pattern = std::move(pattern), .definition = std::move(definition)};
}
std::string refusal(const Policy& asked) {
  const auto verdict = check(asked);
  return verdict ? "" : verdict.error();
}
std::string refusal(PolicyTerm term) { return refusal(policy({std::move(term)})); }

TEST(Policy, IsRefusedInRabbitmqsWords) {
  struct Case {
    PolicyTerm term;
    std::string_view refusal;
  };
  const Case cases[] = {
      {number("max-length", 0), ""},
      {number("max-length", -1), "-1 is not a valid maximum length"},
      {text("max-length", "5"), R"(<<"5">> is not a valid maximum length)"},
      {number("max-length-bytes", -1), "-1 is not a valid maximum length in bytes"},
      {number("message-ttl", -1), "-1 is not a valid message TTL"},
      {number("message-ttl", INT64_MAX), "9223372036854775807 is not a valid message TTL"},
      {number("expires", 0), "0 is not a valid queue expiry"},
      {text("overflow", "drop-tail"), R"(<<"drop-tail">> is not a valid overflow value)"},
      {text("overflow", "reject-publish-dlx"), ""},
      {number("delivery-limit", -1), ""},
      {text("delivery-limit", "x"), R"(<<"x">> is not a valid delivery limit)"},
      {number("alternate-exchange", 1), "1 is not a valid alternate exchange name"},
      {number("dead-letter-exchange", 1), "1 is not a valid dead letter exchange name"},
      {text("dead-letter-strategy", "never"), R"(<<"never">> is not a valid dead letter strategy)"},
      {text("queue-leader-locator", "here"), R"(<<"here">> is not a valid queue leader locator value)"},
      {text("queue-mode", "lazy"), ""},
      {number("queue-version", 3), "3 is not a valid queue-version value"},
      {number("consumer-timeout", -5), "-5 is not a valid consumer timeout"},
      {text("delayed-retry-type", "all"), "delayed-retry-min is required when delayed-retry-type is all"},
      {text("ha-mode", "all"), R"([{<<"ha-mode">>,<<"all">>}] are not recognised policy settings)"},
  };
  for (const Case& row : cases) EXPECT_EQ(refusal(row.term), row.refusal) << row.term.key;
  EXPECT_EQ(refusal(policy({})), "no policy provided");
  EXPECT_EQ(refusal(policy({number("a", 1), number("b", 2)})),
            R"([{<<"a">>,1},{<<"b">>,2}] are not recognised policy settings)");
  EXPECT_EQ(refusal(policy({number("delayed-retry-max", 1), number("delayed-retry-min", 2)})),
            "delayed-retry-max (1) must not be smaller than delayed-retry-min (2)");
  EXPECT_TRUE(refusal(policy({number("max-length", 1)}, "(")).starts_with("pattern should be regular expression"));
}

TEST(Policy, OfOperatorsKnowsFewerKeys) {
  Policy asked = policy({number("max-length", 1)});
  asked.is_operators = true;
  EXPECT_EQ(refusal(asked), "");
  asked.definition = {text("dead-letter-exchange", "x")};
  EXPECT_EQ(refusal(asked), R"([{<<"dead-letter-exchange">>,<<"x">>}] are not recognised policy settings)");
}

TEST(Policy, IsAboutWhatItsScopeAndItsKeysAllow) {
  Policy asked = policy({number("max-length", 1)});
  const auto seen = [&] {
    return std::string(is_for(asked, QueueType::classic) ? "c" : "") + (is_for(asked, QueueType::quorum) ? "q" : "") +
           (is_for_exchanges(asked) ? "e" : "");
  };
  EXPECT_EQ(seen(), "cqe");
  for (const auto& [scope, about] : {std::pair(PolicyScope::exchanges, "e"), std::pair(PolicyScope::queues, "cq"),
                                     std::pair(PolicyScope::classic_queues, "c"),
                                     std::pair(PolicyScope::quorum_queues, "q"), std::pair(PolicyScope::streams, "")}) {
    asked.apply_to = scope;
    EXPECT_EQ(seen(), about) << name_of(scope);
    EXPECT_EQ(parse_scope(name_of(scope)), scope);
  }
  EXPECT_EQ(parse_scope("all_queues"), std::nullopt);
  asked.apply_to = PolicyScope::queues;
  asked.definition.push_back(number("delivery-limit", 5));
  EXPECT_EQ(seen(), "q");
  asked.definition = {text("queue-mode", "lazy")};
  EXPECT_EQ(seen(), "c");
  asked.definition = {text("max-age", "1D")};
  EXPECT_EQ(seen(), "");
}

TEST(Policy, OfOperatorsLimitsTheOther) {
  const Definition users = {number("delayed-retry-min", 10), number("delivery-limit", 5), number("max-length", 10),
                            text("overflow", "drop-head")};
  const Definition operators = {number("delayed-retry-min", 20), number("delivery-limit", -1), number("expires", 7),
                                number("max-length", 4), text("overflow", "reject-publish")};
  const Definition both = {number("delayed-retry-min", 20), number("delivery-limit", 5), number("expires", 7),
                           number("max-length", 4), text("overflow", "reject-publish")};
  EXPECT_EQ(merge(users, operators), both);
  EXPECT_EQ(merge(users, {}), users);
  EXPECT_EQ(merge({}, operators), operators);
}

/// `argument` beside `term`, as a queue of that type obeys them.
Value in_force(Value argument, const PolicyTerm& term, QueueType type) {
  const std::string name = "x-" + term.key;
  Table arguments;
  arguments.fields.emplace_back(name, std::move(argument));
  return *effective_arguments(arguments, {term}, type).find(name);
}

TEST(Policy, MeetsTheArgumentsOfADeclaration) {
  for (const QueueType type : {QueueType::classic, QueueType::quorum}) {
    EXPECT_EQ(in_force(std::int32_t{10}, number("max-length", 4), type), Value(std::int64_t{4}));
    EXPECT_EQ(in_force(std::int32_t{3}, number("max-length", 4), type), Value(std::int64_t{3}));
    EXPECT_EQ(in_force(std::string("a"), text("dead-letter-exchange", "b"), type), Value(std::string("a")));
    EXPECT_EQ(in_force(std::string("all"), text("delayed-retry-type", "disabled"), type),
              Value(std::string("disabled")));
    EXPECT_EQ(in_force(std::string("balanced"), text("queue-leader-locator", "client-local"), type),
              Value(std::string("balanced")));
  }
  const auto limit = [](std::int64_t argument, std::int64_t asked) {
    return in_force(argument, number("delivery-limit", asked), QueueType::quorum);
  };
  EXPECT_EQ(limit(5, 3), Value(std::int64_t{3}));
  EXPECT_EQ(limit(5, -1), Value(std::int64_t{5}));
  EXPECT_EQ(limit(-1, 3), Value(std::int64_t{3}));
  const PolicyTerm overflow = text("overflow", "reject-publish");
  EXPECT_EQ(in_force(std::string("drop-head"), overflow, QueueType::classic), Value(std::string("drop-head")));
  EXPECT_EQ(in_force(std::string("drop-head"), overflow, QueueType::quorum), Value(std::string("reject-publish")));
  EXPECT_EQ(effective_arguments({}, {number("expires", 7)}, QueueType::classic).fields.front().first, "x-expires");
}

TEST(PolicyBook, FindsTheHighestOfEachKindInItsVhost) {
  cluster::Topology topology;
  const auto set = [&](Policy added, std::string name, std::int32_t priority, bool is_operators = false) {
    added.name = std::move(name);
    added.priority = priority;
    added.is_operators = is_operators;
    const std::string key = cluster::policy_key(added.vhost, added.name, is_operators);
    topology.policies = topology.policies.with(key, std::move(added));
  };
  PolicyBook book;
  EXPECT_FALSE(book.follow(topology));
  const Policy any = policy({number("max-length", 1)});
  set(policy({number("max-length", 1)}, "^other"), "fits-not", 9);
  set(policy({number("max-length", 1)}, "q$"), "b", 2);
  set(any, "a", 2);
  set(any, "low", -1);
  set(any, "o", 0, true);
  Policy elsewhere = any;
  elsewhere.vhost = "v";
  set(elsewhere, "z", 100);
  EXPECT_TRUE(book.follow(topology));
  EXPECT_FALSE(book.follow(topology));

  const cluster::Queue queue{.vhost = "/", .name = "q"};
  ASSERT_NE(book.of(queue).users, nullptr);
  EXPECT_EQ(book.of(queue).users->name, "a");
  EXPECT_EQ(book.of(queue).operators->name, "o");
  EXPECT_EQ(book.of_queue("/", "other", QueueType::quorum).users->name, "fits-not");
  EXPECT_EQ(book.of(cluster::Exchange{.vhost = "v", .name = "x"}).users->name, "z");
  EXPECT_EQ(book.of(cluster::Exchange{.vhost = "w", .name = "x"}).users, nullptr);

  topology.policies = {};
  EXPECT_TRUE(book.follow(topology));
  EXPECT_EQ(book.of(queue).users, nullptr);
}

TEST(PolicyBook, AnArgumentNamesTheAlternateExchangeBeforeAPolicyDoes) {
  cluster::Topology topology;
  topology.policies = topology.policies.with("k", policy({text("alternate-exchange", "by-policy")}, "^x"));
  const PolicyBook book(topology);
  EXPECT_EQ(alternate_of({.vhost = "/", .name = "x", .alternate_exchange = "own"}, book), "own");
  EXPECT_EQ(alternate_of({.vhost = "/", .name = "x"}, book), "by-policy");
  EXPECT_EQ(alternate_of({.vhost = "/", .name = "y"}, book), "");
}

}  // namespace
}  // namespace quorate::policy

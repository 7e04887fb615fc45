// From a queue's arguments to what it is configured to do.
#include "broker/queue/arguments.h"

#include <gtest/gtest.h>

namespace quorate::queue {
namespace {

Value number(std::int64_t value) { return Value(value); }
Value text(const char* value) { return Value(std::string(value)); }

TEST(SettingsFrom, NothingSaid) {
  EXPECT_EQ(settings_from({}, false), Configure{});
  EXPECT_EQ(settings_from({}, true),
            (Configure{.quorum = true, .priority_max = kQuorumPriorityMax, .delivery_limit = 20}));
}

TEST(SettingsFrom, EveryArgumentThatTheQueueItselfObeys) {
  const Table arguments{.fields = {{"x-max-length", number(7)},
                                   {"x-max-length-bytes", number(1'000)},
                                   {"x-overflow", text("reject-publish")},
                                   {"x-message-ttl", number(0)},
                                   {"x-expires", number(60'000)},
                                   {"x-max-priority", number(10)},
                                   {"x-delivery-limit", number(3)},
                                   {"x-delayed-retry-type", text("failed")},
                                   {"x-delayed-retry-min", number(100)},
                                   {"x-delayed-retry-max", number(700)},
                                   {"x-single-active-consumer", Value(true)}}};
  Configure expected{.single_active_consumer = true,
                     .priority_max = 10,
                     .delivery_limit = 3,
                     .max_length = 7,
                     .max_length_bytes = 1'000,
                     .overflow = Overflow::reject_publish,
                     .message_ttl_ms = 0,
                     .expires_ms = 60'000,
                     .delayed_retry = {.failed = true, .min_ms = 100, .max_ms = 700}};
  EXPECT_EQ(settings_from(arguments, false), expected);
  expected.quorum = true;
  EXPECT_EQ(settings_from(arguments, true), expected);
}

TEST(SettingsFrom, ANegativeDeliveryLimitIsNone) {
  EXPECT_EQ(settings_from({.fields = {{"x-delivery-limit", number(-1)}}}, true).delivery_limit, std::nullopt);
}

// Q025: RabbitMQ does not look at these arguments of a queue; what makes no sense has no effect.
TEST(SettingsFrom, DelayedRetry) {
  const auto retry = [](Value type, Value min, Value max) {
    const Table arguments{
        .fields = {{"x-delayed-retry-type", type}, {"x-delayed-retry-min", min}, {"x-delayed-retry-max", max}}};
    EXPECT_TRUE(check_arguments(arguments, "queue 'q'").has_value());
    return settings_from(arguments, true).delayed_retry;
  };
  EXPECT_EQ(retry(text("all"), number(5), number(9)),
            (DelayedRetry{.failed = true, .returned = true, .min_ms = 5, .max_ms = 9}));
  EXPECT_EQ(retry(text("returned"), number(5), text("none")),
            (DelayedRetry{.returned = true, .min_ms = 5, .max_ms = 5}));
  EXPECT_EQ(retry(text("disabled"), number(5), number(9)), DelayedRetry{});
  EXPECT_EQ(retry(text("failed"), text("5"), number(9)), DelayedRetry{});
  EXPECT_EQ(retry(number(1), number(5), number(9)), DelayedRetry{});
  EXPECT_EQ(retry(text("failed"), number(-5), number(9)), DelayedRetry{});
}

TEST(SettingsFrom, RejectingWithDeadLettersIsForClassicQueues) {
  const Table arguments{.fields = {{"x-overflow", text("reject-publish-dlx")}}};
  EXPECT_EQ(settings_from(arguments, false).overflow, Overflow::reject_publish);
  EXPECT_EQ(settings_from(arguments, true).overflow, Overflow::drop_head);
}

TEST(IneffectiveArguments, AreThoseThatNobodyObeysYet) {
  const Table arguments{.fields = {{"x-max-length", number(7)},
                                   {"x-dead-letter-strategy", text("at-least-once")},
                                   {"x-queue-type", text("quorum")},
                                   {"x-dead-letter-exchange", text("d")},
                                   {"x-delivery-limit", number(3)},
                                   {"x-mine", number(1)}}};
  EXPECT_EQ(ineffective_arguments(arguments), "x-dead-letter-strategy, x-dead-letter-exchange");
  EXPECT_EQ(ineffective_arguments({}), "");
}

TEST(CheckArguments, EachRowIsForSomeTypeOrNone) {
  struct Case {
    const char* name;
    Value value;
    bool classic;
    bool quorum;
  };
  for (const Case& c :
       {Case{"x-message-ttl", number(1), true, true}, Case{"x-max-priority", number(1), true, true},
        Case{"x-queue-version", number(2), true, false},
        Case{"x-dead-letter-strategy", text("at-least-once"), false, true},
        Case{"x-consumer-timeout", number(1), true, true}, Case{"x-max-in-memory-length", number(1), false, true},
        Case{"x-delayed-retry-type", text("all"), true, true}, Case{"x-initial-cluster-size", number(1), false, false},
        Case{"x-mine", text("anything"), true, true}}) {
    Table arguments{.fields = {{c.name, c.value}}};
    EXPECT_EQ(check_arguments(arguments, "queue 'q'").has_value(), c.classic) << c.name;
    arguments.fields.emplace_back("x-queue-type", text("quorum"));
    EXPECT_EQ(check_arguments(arguments, "queue 'q'").has_value(), c.quorum) << c.name;
  }
}

TEST(CheckSameArguments, WhatAQueueWasDeclaredAsAndWhatItIsAreTheSame) {
  using cluster::QueueType;
  const Table classic{.fields = {{"x-max-priority", number(3)}}};
  const Table as_quorum{.fields = {{"x-max-priority", number(3)}, {"x-queue-type", text("quorum")}}};
  const Table as_classic{.fields = {{"x-max-priority", number(3)}, {"x-queue-type", text("classic")}}};
  const auto is_same = [](const Table& received, const Table& current, QueueType type) {
    return check_same_arguments(received, current, type, "queue 'q'").has_value();
  };
  EXPECT_FALSE(is_same(as_quorum, classic, QueueType::classic));
  for (const Table& received : {classic, as_quorum, as_classic}) {
    EXPECT_TRUE(is_same(received, classic, QueueType::quorum));  // it has become one
  }
  EXPECT_FALSE(is_same({}, classic, QueueType::quorum));  // it still has its priorities

  const Table quorum{.fields = {{"x-queue-type", text("quorum")}, {"x-delivery-limit", number(3)}}};
  const Table limited{.fields = {{"x-queue-type", text("classic")}, {"x-delivery-limit", number(3)}}};
  EXPECT_FALSE(is_same(limited, quorum, QueueType::quorum));
  EXPECT_TRUE(is_same(limited, quorum, QueueType::classic));
  EXPECT_TRUE(is_same(quorum, quorum, QueueType::classic));
  EXPECT_FALSE(is_same({.fields = {{"x-queue-type", text("classic")}}}, quorum, QueueType::classic));
}

}  // namespace
}  // namespace quorate::queue

// What RabbitMQ takes for milliseconds, and how it complains about the rest (features.md P134).
#include "broker/amqp/expiration.h"

#include <gtest/gtest.h>

namespace quorate::amqp {
namespace {

TEST(Expiration, IsAWholeNumberOfMilliseconds) {
  EXPECT_EQ(parse_expiration("0"), 0u);
  EXPECT_EQ(parse_expiration("60000"), 60'000u);
  EXPECT_EQ(parse_expiration("007"), 7u);
  EXPECT_EQ(parse_expiration("+5"), 5u);
  EXPECT_EQ(parse_expiration("-0"), 0u);
  EXPECT_EQ(parse_expiration("315360000000"), 315'360'000'000u);
}

TEST(Expiration, WhatIsWrongIsSaidAsErlangPrintsIt) {
  struct Row {
    const char* text;
    const char* fault;
  };
  static constexpr Row kRows[] = {
      {"", "{error,no_integer}"},
      {"abc", "{error,no_integer}"},
      {" 5", "{error,no_integer}"},
      {"-", "{error,no_integer}"},
      {"+-5", "{error,no_integer}"},
      {"10x", "{leftover_string,\"x\"}"},
      {"1.5", "{leftover_string,\".5\"}"},
      {"-1 ", "{leftover_string,\" \"}"},
      {"-1", "{value_negative,-1}"},
      {"315360000001", "{value_too_large,315360000001}"},
      {"99999999999999999999999999", "{value_too_large,99999999999999999999999999}"},
      {"-99999999999999999999999999", "{value_negative,-99999999999999999999999999}"},
  };
  for (const auto& [text, fault] : kRows) {
    const auto parsed = parse_expiration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), fault) << text;
  }
}

}  // namespace
}  // namespace quorate::amqp

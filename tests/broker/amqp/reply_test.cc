// Reply codes and the texts that go with them (features.md section 0).
#include "broker/amqp/reply.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quorate::amqp {
namespace {

TEST(Reply, RowsAreSortedByCode) {
  EXPECT_TRUE(std::ranges::is_sorted(kReplyRows, {}, &ReplyRow::code));
  EXPECT_EQ(std::ranges::adjacent_find(kReplyRows, {}, &ReplyRow::code), kReplyRows.end());
}

TEST(Reply, TextStartsWithTheNameOfTheCode) {
  const AmqpError error{.code = ReplyCode::not_found, .text = "no queue 'q' in vhost '/'"};
  EXPECT_EQ(error.reply_text(), "NOT_FOUND - no queue 'q' in vhost '/'");
  EXPECT_FALSE(error.is_hard());
}

TEST(Reply, AnErrorWithoutTextIsItsName) {
  const AmqpError error;
  EXPECT_EQ(error.reply_text(), "INTERNAL_ERROR");
  EXPECT_TRUE(error.is_hard());
}

TEST(Reply, LongTextIsCutTo255OctetsWithAnEllipsis) {
  const AmqpError error{.code = ReplyCode::not_found, .text = std::string(300, 'x')};
  const std::string prefix = "NOT_FOUND - ";
  EXPECT_EQ(error.reply_text(), prefix + std::string(252 - prefix.size(), 'x') + "...");
}

TEST(Reply, TextOfExactly255OctetsIsKept) {
  const std::string text(255, 'x');
  EXPECT_EQ(cut_reply_text(text), text);
}

TEST(Reply, CuttingKeepsUtf8Whole) {
  const std::string cut = cut_reply_text(std::string(251, 'x') + "\xc3\xa9" + std::string(20, 'y'));
  EXPECT_EQ(cut, std::string(251, 'x') + "...");
}

}  // namespace
}  // namespace quorate::amqp

// An address for direct replies survives its way through a message; anything else is none.
#include "broker/amqp/reply_to.h"

#include <gtest/gtest.h>

namespace quorate::amqp {

TEST(ReplyAddress, ReadsBackWhatWasPrinted) {
  const ReplyAddress address{.session = {.node = NodeId(1), .epoch = Epoch(7), .serial = 0x1234},
                             .key = 0xfedcba9876543210};
  EXPECT_EQ(parse_reply_address(print(address)), address);
}

TEST(ReplyAddress, RefusesEveryCutAndMadeUpNames) {
  const std::string whole =
      print(ReplyAddress{.session = {.node = NodeId(1), .epoch = Epoch(7), .serial = 9}, .key = 5});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse_reply_address(std::string_view(whole).substr(0, size)), std::nullopt) << size;
  }
  for (const char* name : {"", "amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.x.1.1.1",
                           "amq.rabbitmq.reply-to.1.1.1.1.1", "amq.rabbitmq.reply-to.1ffffffff.1.1.1"}) {
    EXPECT_EQ(parse_reply_address(name), std::nullopt) << name;
  }
}

}  // namespace quorate::amqp

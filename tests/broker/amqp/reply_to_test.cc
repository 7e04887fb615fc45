// An address for direct replies survives its way through a message; anything else is none.
#include "broker/amqp/reply_to.h"

#include <gtest/gtest.h>

#include "tests/broker/amqp/one_client.h"

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

using DirectReplies = OneClient;

// A reply is no flight and has no credit.
TEST_F(DirectReplies, AreDroppedWhenSoManyWaitForAClientThatDoesNotRead) {
  send(QueueDeclare{.queue = "q"});
  answer();
  send(BasicConsume{.queue = kReplyTo, .no_ack = true});
  Properties properties;
  properties.reply_to = std::string(kReplyTo);
  publish("", "q", "question", properties);
  const auto& question = std::get<queue::Publish>(surroundings_.mail().back().what);
  const auto address = parse_reply_address(*PropertiesView::parse(question.message.properties())->reply_to());
  ASSERT_TRUE(address);
  answer();
  heard();
  // From another connection: who does not read is not read either.
  const auto reply = [&](const std::string& body) {
    const Message message = make_message("", "q", encode_properties(Properties{}), as_bytes(body));
    session_.on_mail({.to = address->session,
                      .queue = kNoQueue,
                      .what = queue::Delivery{.id = address->key, .message = message, .settled = true}});
  };
  for (int i = 0; i < 100; ++i) reply(std::string(1u << 20, 'x'));
  EXPECT_LT(session_.outbox().size(), 66u << 20);
  EXPECT_GT(session_.outbox().size(), 63u << 20);
  OutboxBatch read;
  session_.outbox().take(read);
  reply("short");
  EXPECT_EQ(heard().size(), 1u) << "it reads again";
}

}  // namespace quorate::amqp

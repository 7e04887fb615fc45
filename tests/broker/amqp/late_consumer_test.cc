// What a channel says to a queue about a delivery that is not settled in time (features.md E043). What its client hears
// stands in script/consumer_timeout.txt.
#include <gtest/gtest.h>

#include <algorithm>
#include <variant>

#include "broker/amqp/table_codec.h"
#include "tests/broker/amqp/one_client.h"

namespace quorate::amqp {
namespace {

class LateConsumer : public OneClient {
 protected:
  LateConsumer() : OneClient(capabilities()) {}

  static std::vector<std::byte> capabilities() {
    const Table known{{{"consumer_cancel_notify", Value(true)}}};
    return encode_table(Table{{{"capabilities", Value(known)}}});
  }
  void pass(Duration time) {
    for (Instant now{}; now <= Instant{} + time; now += std::chrono::minutes(1)) session_.on_deadline(now);
  }
  template <class Mail>
  std::ptrdiff_t count() const {
    const auto is_one = [](const queue::QueueMail& mail) { return std::holds_alternative<Mail>(mail.what); };
    return std::ranges::count_if(surroundings_.mail(), is_one);
  }
};

// A queue answers the last request of a session again when its leader has changed (queue/senders.h).
TEST_F(LateConsumer, NoRequestStandsBehindTheOneThatTheChannelWaitsFor) {
  send(QueueDeclare{.queue = "q"});
  send(BasicConsume{.queue = "q", .consumer_tag = "late"});
  publish("", "q", "m");
  answer();
  heard();
  send(BasicConsume{.queue = "q", .consumer_tag = "new"});
  pass(options_.consumer_timeout + std::chrono::minutes(10));
  EXPECT_EQ(heard(), Lines{"basic.cancel consumer_tag=late no_wait=true"});
  EXPECT_EQ(count<queue::Return>(), 1) << "it cancels the consumer";
  EXPECT_EQ(count<queue::Attach>(), 1);
  EXPECT_EQ(count<queue::Cancel>(), 0);
}

}  // namespace
}  // namespace quorate::amqp

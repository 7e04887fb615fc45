// A queue that lived on this node alone begins to be served by couriers: nothing that was sent before is answered to
// the wrong place, nothing that comes afterwards is taken too early.
#include "broker/queue/switchover.h"

#include <gtest/gtest.h>

#include "tests/broker/queue/queue_world.h"

namespace quorate::queue {
namespace {

class SwitchoverTest : public QueueWorld {
 protected:
  static cluster::QueuePtr durable(cluster::QueueType type) {
    cluster::Queue queue = *definition(kDurable, "durable", true);
    queue.type = type;
    return std::make_shared<const cluster::Queue>(std::move(queue));
  }
  /// The metadata says that it is a quorum queue.
  void become_quorum() {
    ++version_;
    const cluster::QueuePtr queue = durable(cluster::QueueType::quorum);
    cluster::Topology topology = *topology_;
    topology.version = version_;
    topology.queues_by_id = topology.queues_by_id.with(kDurable.value(), queue);
    topology_ = std::make_shared<const cluster::Topology>(std::move(topology));
    directory_of_queues_->on_topology(topology_, {.created = {}, .deleted = {}, .moved = {queue}});
  }
  void number() {
    directory_of_queues_->on_mail(Numbering{.queue = kDurable, .shard = ShardId(0), .version = version_});
  }
  void send_parcel(unsigned from, std::uint64_t first, std::vector<QueueMailBody> commands,
                   std::vector<Question> questions = {}) {
    directory_of_queues_->on_mail(Parcel{.queue = kDurable,
                                         .from = session(from),
                                         .term = queue().leadership().term,
                                         .first = first,
                                         .commands = std::move(commands),
                                         .questions = std::move(questions)});
  }
  static Publish message(const std::string& body) {
    return {.message = make_message("", "k", {}, as_bytes(body)),
            .body_size = static_cast<std::uint32_t>(body.size()),
            .persistent = true,
            .seq = PublishSeq(77)};
  }

  bool is_to_go() const { return std::ranges::find(delete_requests_, kDurable) != delete_requests_.end(); }

  std::uint64_t version_ = 1;
};

TEST_F(SwitchoverTest, TheCourierHearsWhatItsConsumersHaveHad) {
  settle();
  attach(1, {.prefetch = 2});
  for (const char* body : {"a", "b", "c"}) publish(body);
  send(3, Get{.session = session(3)});
  settle();
  EXPECT_EQ(got(), "attached 1:a 1:b got 0:c left 0 taken1 taken2 taken3");
  become_quorum();
  settle();
  EXPECT_TRUE(adopted_.empty());  // the shard has not said that it numbers
  number();
  settle();
  ASSERT_EQ(adopted_.size(), 2u);
  EXPECT_EQ(adopted_[0].consumer, consumer(1));
  EXPECT_EQ(adopted_[0].last, 2u);
  EXPECT_FALSE(adopted_[0].cancelled);
  EXPECT_EQ(adopted_[1].consumer.link, kGetLink);
  number();
  settle();
  EXPECT_EQ(adopted_.size(), 2u);
}

TEST_F(SwitchoverTest, WhatWasSentBeforeIsAnsweredToTheSession) {
  settle();
  publish("a");
  settle();
  take_mail();
  become_quorum();
  attach(1);
  send(2, Get{.session = session(2)});
  send(3, Count{});
  publish("b");
  send(3, Purge{.session = session(3)});
  turn();
  number();
  settle();
  std::size_t answers = 0;
  for (const SessionMail& mail : take_mail()) {
    const bool is_delivery = std::holds_alternative<Delivery>(mail.what);
    EXPECT_FALSE(mail.tracked && !is_delivery) << mail.what.index();
    answers += is_delivery ? 0 : 1;
  }
  EXPECT_EQ(answers, 5u);  // attached, empty, counted, taken, purged
}

TEST_F(SwitchoverTest, ParcelsWaitForWhatWasSentBefore) {
  settle();
  attach(1, {.prefetch = 1});
  settle();
  take_mail();
  publish("a");
  publish("b");
  send_parcel(1, 1, {Settle{.consumer = consumer(1), .ids = {{.first = 1, .last = 1}}}},
              {{.number = 1, .what = Count{}}});
  EXPECT_TRUE(adopted_.empty());
  settle();  // the parcel has come before the metadata said why
  ASSERT_EQ(adopted_.size(), 1u);
  EXPECT_EQ(adopted_[0].last, 1u);
  bool is_numbered = false;
  for (const SessionMail& mail : take_mail()) {
    if (const auto* delivery = std::get_if<Delivery>(&mail.what)) {
      EXPECT_EQ(mail.tracked, delivery->id == 2) << delivery->id;
    }
    const bool is_answer = std::holds_alternative<Counted>(mail.what);
    EXPECT_TRUE(!is_answer || mail.tracked);
    is_numbered = is_numbered || std::holds_alternative<Through>(mail.what);
  }
  EXPECT_TRUE(is_numbered);
  EXPECT_EQ(queue().machine().ready_count(), 0u);
  become_quorum();
  number();
  settle();
  EXPECT_EQ(adopted_.size(), 1u);
  publish("c");  // nothing is sent like this any more
  send_parcel(2, 1, {message("d")});
  settle();
  EXPECT_EQ(queue().machine().ready_count(), 2u);
}

TEST_F(SwitchoverTest, WhatIsOnTheDiskYetIsNotHadYet) {
  budget_.queue_max_bytes = 4'000;
  settle();
  for (int i = 0; i < 20; ++i) publish(std::string(1'000, static_cast<char>('a' + i)));
  settle();
  take_mail();
  become_quorum();
  attach(1);
  number();  // it goes over in the turn of the attachment, before anything can have been read
  settle();
  ASSERT_EQ(adopted_.size(), 1u);
  const std::vector<SessionMail> all = deliveries();
  ASSERT_EQ(all.size(), 20u);
  ASSERT_LT(adopted_[0].last, 20u);
  for (const SessionMail& mail : all) EXPECT_EQ(mail.tracked, std::get<Delivery>(mail.what).id > adopted_[0].last);
}

TEST_F(SwitchoverTest, AQueueThatWasQuorumFromTheStartKeepsNothingBack) {
  settle();
  become_quorum();
  number();
  settle();
  restart();
  send_parcel(1, 1, {message("a")});
  turn();
  EXPECT_EQ(queue().machine().ready_count(), 1u);
}

TEST_F(SwitchoverTest, AfterACrashItMayHaveDeliveredWhatItsLogDoesNotKnow) {
  settle();
  publish("a");
  publish("b", kDurable, false);
  settle();
  become_quorum();
  after_crash_ = true;
  restart();
  send_parcel(1, 1, {Attach{.consumer = consumer(1), .window = 1u << 30}});
  settle();
  const std::vector<SessionMail> all = deliveries();
  ASSERT_EQ(all.size(), 2u);  // a quorum queue keeps transient messages
  for (const SessionMail& mail : all) EXPECT_TRUE(std::get<Delivery>(mail.what).redelivered);
}

TEST_F(SwitchoverTest, ToRedeclareItIsStillToUseIt) {
  settings_.expires_ms = 10'000;
  restart();
  become_quorum();
  number();
  settle();
  advance(std::chrono::seconds(8));
  send_parcel(1, 1, {}, {{.number = 1, .what = Count{}}});
  settle();
  advance(std::chrono::seconds(8));
  EXPECT_FALSE(is_to_go());
  advance(std::chrono::seconds(8));
  EXPECT_TRUE(is_to_go());
}

TEST(Switchover, EndsWhenEveryShardHasGoneOver) {
  Switchover switchover(2);
  EXPECT_EQ(switchover.end(LogIndex(3)), std::nullopt);
  switchover.on_numbering(ShardId(1));
  EXPECT_FALSE(switchover.is_over(ShardId(1)));
  EXPECT_EQ(switchover.go_over(), std::vector{ShardId(1)});
  EXPECT_TRUE(switchover.go_over().empty());
  EXPECT_TRUE(switchover.is_over(ShardId(1)));
  EXPECT_EQ(switchover.end(LogIndex(4)), std::nullopt);
  const SessionId session{.node = NodeId(1), .epoch = Epoch(1), .serial = make_serial(ShardId(0), 1)};
  switchover.keep({.queue = kDurable, .from = session});
  EXPECT_FALSE(switchover.is_over(session));
  EXPECT_EQ(switchover.go_over(), std::vector{ShardId(0)});
  EXPECT_EQ(switchover.release(ShardId(0)).size(), 1u);
  EXPECT_TRUE(switchover.release(ShardId(0)).empty());
  EXPECT_EQ(switchover.end(LogIndex(5)), LogIndex(5));
  EXPECT_EQ(switchover.end(LogIndex(6)), LogIndex(5));
}

}  // namespace
}  // namespace quorate::queue

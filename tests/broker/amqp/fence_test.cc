// A client that uses on this node what was declared on another, of which this one has not heard yet.
#include <gtest/gtest.h>

#include "tests/broker/amqp/one_client.h"

namespace quorate::amqp {
namespace {

class Fence : public OneClient {};

const cluster::MetadataCommand kDeclareQueue =
    cluster::DeclareQueue{.queue = {.vhost = "/", .name = "q", .durable = true}, .nodes = {NodeId(1)}};
const cluster::MetadataCommand kDeclareExchange =
    cluster::DeclareExchange{.exchange = {.vhost = "/", .name = "e", .type = "fanout", .durable = true}};

TEST_F(Fence, WhatIsNotKnownYetIsLookedUpOnceMore) {
  surroundings_.do_elsewhere(kDeclareQueue);
  send(QueueDeclare{.queue = "q", .passive = true});
  send(BasicQos{});
  EXPECT_EQ(heard(), Lines{});  // the second request waits its turn
  answer();
  EXPECT_EQ(heard(), (Lines{"queue.declare-ok queue=q message_count=0 consumer_count=0", "basic.qos-ok"}));
}

TEST_F(Fence, WhatIsNowhereIsRefusedOnce) {
  send(QueueDeclare{.queue = "q", .passive = true});
  answer();
  EXPECT_EQ(heard(), Lines{"channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'q' in vhost '/'\" "
                           "class_id=50 method_id=10"});
}

TEST_F(Fence, APublicationIsKeptUntilItsExchangeIsKnown) {
  surroundings_.do_elsewhere(kDeclareExchange);
  send(ConfirmSelect{});
  publish("e", "", "first");
  publish("e", "", "second");
  answer();
  EXPECT_EQ(heard(), (Lines{"confirm.select-ok", "basic.ack delivery_tag=1", "basic.ack delivery_tag=2"}));
  publish("f", "", "third");
  answer();
  EXPECT_EQ(heard(), Lines{"channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'f' in vhost '/'\" "
                           "class_id=60 method_id=40"});
}

TEST_F(Fence, APublicationIsKeptUntilItIsCertainThatNoQueueWantsIt) {
  send(ConfirmSelect{});
  surroundings_.do_elsewhere(kDeclareQueue);
  publish("", "q", "first");
  EXPECT_EQ(heard(), Lines{"confirm.select-ok"});
  answer();
  EXPECT_EQ(heard(), Lines{"basic.ack delivery_tag=1"});
  EXPECT_EQ(surroundings_.published_count(), 1u);
  publish("", "nobody", "second");
  answer();
  EXPECT_EQ(heard(), Lines{"basic.ack delivery_tag=2"});
  EXPECT_EQ(surroundings_.published_count(), 1u);
}

TEST_F(Fence, OneLookServesAllThatCameBeforeIt) {
  send(ConfirmSelect{});
  for (int i = 0; i < 1000; ++i) publish("", "nobody", "x");
  answer();
  EXPECT_EQ(heard(),
            (Lines{"confirm.select-ok", "basic.ack delivery_tag=1", "basic.ack delivery_tag=1000 multiple=true"}));
  EXPECT_EQ(surroundings_.fence_count(), 2u);
  publish("", "nobody", "x");
  answer();
  EXPECT_EQ(surroundings_.fence_count(), 3u);
}

TEST_F(Fence, AQueueThatWasDeletedElsewhereIsDeclaredAnew) {
  send(QueueDeclare{.queue = "q", .durable = true});
  answer();
  heard();
  const GroupId before = surroundings_.topology()->find_queue("/", "q")->id;
  surroundings_.do_elsewhere(cluster::DeleteQueue{.id = before});
  send(QueueDeclare{.queue = "q", .durable = true});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.declare-ok queue=q message_count=0 consumer_count=0"});
  EXPECT_NE(surroundings_.topology()->find_queue("/", "q")->id, before);
}

TEST_F(Fence, WhatIsInTheWayMayBeGone) {
  send(QueueDeclare{.queue = "q", .durable = true});
  answer();
  heard();
  surroundings_.do_elsewhere(cluster::DeleteQueue{.id = surroundings_.topology()->find_queue("/", "q")->id});
  send(QueueDeclare{.queue = "q", .durable = true, .auto_delete = true});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.declare-ok queue=q message_count=0 consumer_count=0"});
  send(QueueDeclare{.queue = "q", .durable = true});
  answer();
  EXPECT_EQ(heard(), Lines{"channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - inequivalent arg "
                           "'auto_delete' for queue 'q' in vhost '/': received 'false' but current is 'true'\" "
                           "class_id=50 method_id=10"});
}

TEST_F(Fence, SomebodyElsesQueueMayBeGoneWithItsConnection) {
  const cluster::Owner other{.node = NodeId(2), .epoch = Epoch(1), .connection = ConnectionId(7)};
  surroundings_.do_first(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "q", .owner = other, .node = NodeId(1)},
                                               .nodes = {NodeId(1)}});
  surroundings_.do_elsewhere(cluster::DeleteQueue{.id = surroundings_.topology()->find_queue("/", "q")->id});
  send(QueueDeclare{.queue = "q", .passive = true});
  answer();
  EXPECT_EQ(heard(), Lines{"channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'q' in vhost '/'\" "
                           "class_id=50 method_id=10"});
}

TEST_F(Fence, AQueueThatIsNotKnownYetIsDeleted) {
  surroundings_.do_elsewhere(kDeclareQueue);
  send(QueueDelete{.queue = "q"});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.delete-ok message_count=0"});
  EXPECT_EQ(surroundings_.topology()->find_queue("/", "q"), nullptr);
  send(QueueDelete{.queue = "q"});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.delete-ok message_count=0"});
}

TEST_F(Fence, WhatNobodyCanSayIsNotGuessed) {
  send(QueueDeclare{.queue = "q", .passive = true});
  surroundings_.have_no_majority();
  answer();
  EXPECT_EQ(heard(),
            Lines{"connection.close reply_code=541 reply_text=\"INTERNAL_ERROR - timed out looking the name up: no "
                  "majority of the cluster answers\" class_id=50 method_id=10"});
}

class WithoutMajority : public OneClient {
 protected:
  /// What the client hears of `method`: a closed connection, which says `text`.
  void expect_timeout(const Method& method, const std::string& text, const std::string& ids) {
    surroundings_.have_no_majority();
    send(method);
    answer();
    EXPECT_EQ(heard(), Lines{"connection.close reply_code=541 reply_text=\"INTERNAL_ERROR - " + text + "\" " + ids});
  }
};

TEST_F(WithoutMajority, AQueueIsNotDeclared) {
  expect_timeout(QueueDeclare{.queue = "q"},
                 "Could not declare queue 'q' in vhost '/' because the metadata store operation timed out",
                 "class_id=50 method_id=10");
}
TEST_F(WithoutMajority, AnExchangeIsNotDeclared) {
  expect_timeout(ExchangeDeclare{.exchange = "x", .type = "fanout"},
                 "Could not declare exchange 'x' in vhost '/' because the metadata store operation timed out",
                 "class_id=40 method_id=10");
}
TEST_F(WithoutMajority, NothingIsBound) {
  surroundings_.do_first(kDeclareQueue);
  expect_timeout(QueueBind{.queue = "q", .exchange = "amq.fanout"}, "Could not add binding due to timeout",
                 "class_id=50 method_id=20");
}
TEST_F(WithoutMajority, AQueueThatIsThereIsDeclaredAsItIs) {
  surroundings_.do_first(kDeclareQueue);
  surroundings_.have_no_majority();
  send(QueueDeclare{.queue = "q", .durable = true});
  answer();
  EXPECT_EQ(heard(), Lines{"queue.declare-ok queue=q message_count=0 consumer_count=0"});
}

TEST_F(Fence, AChannelMayEndWhileItWaits) {
  send(QueueDeclare{.queue = "q", .passive = true});
  session_.on_disconnected();
  answer();
  EXPECT_EQ(session_.channel_count(), 0u);
}

}  // namespace
}  // namespace quorate::amqp

// Declarations that a client sends without waiting for the answers are asked for together, so that they share a commit.
// What the client sees is the same.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/broker/amqp/one_client.h"

namespace quorate::amqp {
namespace {

class Pipelining : public OneClient {
 protected:
  void declare(std::string_view name) { send(QueueDeclare{.queue = name, .durable = true}); }
  void bind(std::string_view queue, std::string_view key) {
    send(QueueBind{.queue = queue, .exchange = "amq.direct", .routing_key = key});
  }
  void unbind(std::string_view queue, std::string_view exchange, std::string_view key) {
    send(QueueUnbind{.queue = queue, .exchange = exchange, .routing_key = key});
  }
  static std::string declared(const std::string& name) {
    return "queue.declare-ok queue=" + name + " message_count=0 consumer_count=0";
  }
};

TEST_F(Pipelining, DeclarationsAreAskedForTogetherAndAnsweredInOrder) {
  for (const char* name : {"a", "b", "c"}) declare(name);
  EXPECT_EQ(surroundings_.asked_count(), 3u);
  EXPECT_EQ(heard(), Lines{});
  answer();
  EXPECT_EQ(heard(), (Lines{declared("a"), declared("b"), declared("c")}));
}

TEST_F(Pipelining, BindingsToo) {
  declare("a");
  answer();
  heard();
  bind("a", "x");
  bind("a", "y");
  EXPECT_EQ(surroundings_.asked_count(), 2u);
  answer();
  EXPECT_EQ(heard(), (Lines{"queue.bind-ok", "queue.bind-ok"}));
}

TEST_F(Pipelining, AndWhatTakesThemAway) {
  declare("a");
  answer();
  heard();
  bind("a", "x");
  unbind("a", "amq.direct", "x");
  bind("a", "y");
  EXPECT_EQ(surroundings_.asked_count(), 3u);
  answer();
  EXPECT_EQ(heard(), (Lines{"queue.bind-ok", "queue.unbind-ok", "queue.bind-ok"}));
  const auto& bindings = surroundings_.topology()->find_exchange("/", "amq.direct")->bindings;
  bindings.for_each([](const std::string&, const auto& binding) { EXPECT_EQ(binding->key.routing_key, "y"); });
  EXPECT_EQ(bindings.size(), 1u);
}

// With its last binding such an exchange goes, and then the next bind is refused.
TEST_F(Pipelining, NobodyFollowsAnUnbindThatMayTakeTheExchangeWithIt) {
  declare("a");
  send(ExchangeDeclare{.exchange = "e", .type = "direct", .auto_delete = true});
  send(QueueBind{.queue = "a", .exchange = "e", .routing_key = "x"});
  answer();
  heard();
  unbind("a", "e", "x");
  send(QueueBind{.queue = "a", .exchange = "e", .routing_key = "y"});
  declare("b");
  EXPECT_EQ(surroundings_.asked_count(), 1u);
  answer();
  EXPECT_EQ(heard(), (Lines{"queue.unbind-ok",
                            "channel.close reply_code=404 reply_text=\"NOT_FOUND - no exchange 'e' in vhost '/'\" "
                            "class_id=50 method_id=20"}));
  EXPECT_EQ(surroundings_.topology()->find_queue("/", "b"), nullptr);
}

TEST_F(Pipelining, WhatNeedsTheOneBeforeWaitsForIt) {
  declare("a");
  bind("a", "x");
  bind("", "y");
  send(QueueDeclare{.queue = "a", .passive = true});
  declare("b");
  EXPECT_EQ(surroundings_.asked_count(), 1u);
  answer();
  EXPECT_EQ(heard(), (Lines{declared("a"), "queue.bind-ok", "queue.bind-ok", declared("a"), declared("b")}));
}

// It is answered without asking anybody: in its turn all the same, and once.
TEST_F(Pipelining, WhatNobodyIsAskedAboutWaitsForItsTurn) {
  declare("a");
  declare("amq.rabbitmq.reply-to");
  declare("b");
  answer();
  EXPECT_EQ(heard(),
            (Lines{declared("a"), "queue.declare-ok queue=amq.rabbitmq.reply-to message_count=0 consumer_count=1",
                   declared("b")}));
}

TEST_F(Pipelining, WhatIsWrongIsSaidInItsTurnAndNothingBehindItHappens) {
  declare("a");
  declare("amq.mine");
  declare("b");
  EXPECT_EQ(surroundings_.asked_count(), 1u);
  answer();
  EXPECT_EQ(heard(), (Lines{declared("a"),
                            "channel.close reply_code=403 reply_text=\"ACCESS_REFUSED - queue name 'amq.mine' contains "
                            "reserved prefix 'amq.*'\" class_id=50 method_id=10"}));
  EXPECT_EQ(surroundings_.topology()->find_queue("/", "b"), nullptr);
}

TEST_F(Pipelining, WhoeverWasFasterIsComparedWithInTurn) {
  for (const char* name : {"a", "b", "c", "d"}) declare(name);
  surroundings_.do_first(
      cluster::DeclareQueue{.queue = {.vhost = "/", .name = "b", .durable = true}, .nodes = {NodeId(1)}});
  answer();
  EXPECT_EQ(heard(), (Lines{declared("a"), declared("b"), declared("c"), declared("d")}));
}

// The answers of those behind it are under way, so it cannot ask for anything more.
TEST_F(Pipelining, WhoeverWasFasterAndHasGoneAgainLeavesNoQueue) {
  for (const char* name : {"a", "b", "c"}) declare(name);
  surroundings_.do_first(
      cluster::DeclareQueue{.queue = {.vhost = "/", .name = "b", .durable = true}, .nodes = {NodeId(1)}});
  surroundings_.do_elsewhere(cluster::DeleteQueue{.id = surroundings_.topology()->find_queue("/", "b")->id});
  answer();
  EXPECT_EQ(heard(), (Lines{declared("a"),
                            "channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'b' in vhost '/'\" "
                            "class_id=50 method_id=10"}));
}

TEST_F(Pipelining, NobodyFollowsWhatMayBeRefused) {
  declare("a");
  send(ExchangeDeclare{.exchange = "e", .type = "direct"});
  send(QueueBind{.queue = "a", .exchange = "e", .routing_key = "x"});
  answer();
  heard();
  send(ExchangeDelete{.exchange = "e", .if_unused = true});
  declare("b");
  EXPECT_EQ(surroundings_.asked_count(), 1u);
  answer();
  EXPECT_EQ(heard(), Lines{"channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - exchange 'e' in vhost '/' "
                           "in use\" class_id=40 method_id=20"});
  EXPECT_EQ(surroundings_.topology()->find_queue("/", "b"), nullptr);
}

TEST_F(Pipelining, AChannelThatFailsOnTheWayHearsNoMore) {
  for (const char* name : {"a", "b", "c"}) declare(name);
  surroundings_.do_first(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "b"}, .nodes = {NodeId(1)}});
  answer();
  EXPECT_EQ(heard(),
            (Lines{declared("a"),
                   "channel.close reply_code=406 reply_text=\"PRECONDITION_FAILED - inequivalent arg 'durable' "
                   "for queue 'b' in vhost '/': received 'true' but current is 'false'\" class_id=50 "
                   "method_id=10"}));
}

TEST_F(Pipelining, SoManyAndTheOthersWait) {
  for (std::size_t i = 0; i < limits::kPipelinedChangesMax + 10; ++i) declare("q" + std::to_string(i));
  EXPECT_EQ(surroundings_.asked_count(), limits::kPipelinedChangesMax);
  answer();
  EXPECT_EQ(heard().size(), limits::kPipelinedChangesMax + 10);
}

TEST_F(Pipelining, NobodyFollowsAFence) {
  send(QueueDeclare{.queue = "a", .passive = true});
  declare("b");
  EXPECT_EQ(surroundings_.asked_count(), 0u);
  surroundings_.do_elsewhere(
      cluster::DeclareQueue{.queue = {.vhost = "/", .name = "a", .durable = true}, .nodes = {NodeId(1)}});
  answer();
  EXPECT_EQ(heard(), (Lines{declared("a"), declared("b")}));
}

TEST_F(Pipelining, AChannelThatIsClosedMeanwhileIsClosedBehindThem) {
  declare("a");
  declare("b");
  send(ChannelClose{.reply_code = 200});
  EXPECT_EQ(heard(), Lines{});
  answer();
  EXPECT_EQ(heard(), (Lines{declared("a"), declared("b"), "channel.close-ok"}));
}

}  // namespace
}  // namespace quorate::amqp

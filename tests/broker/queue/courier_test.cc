// The courier by hand: the test is the other nodes, the session and the clock.
#include "broker/queue/courier.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/overloaded.h"
#include "base/time.h"
#include "tests/broker/queue/every_mail.h"

namespace quorate::queue {
namespace {

constexpr NodeId kHere{1};
constexpr NodeId kLeader{2};
constexpr GroupId kQueue{65};
const SessionId kSession{.node = kHere, .epoch = Epoch(1), .serial = make_serial(ShardId(0), 1)};

class CourierTest : public MailReceiver, public RemotePost, public ::testing::Test {
 protected:
  CourierTest() {
    shard_.connect({&shard_});
    switchboard_.connect({this});
    shard_.add_hook(courier_);
    shard_.add_hook(switchboard_);
    cluster::Queue queue{.id = kQueue, .vhost = "/", .name = "q", .durable = true, .type = cluster::QueueType::quorum};
    for (const NodeId node : {kHere, kLeader, NodeId(3)}) queue.members.push_back(raft::replica_on(node, 0));
    queue_ = std::make_shared<const cluster::Queue>(queue);
    cluster::Topology topology{.version = 1};
    topology.queues_by_id = topology.queues_by_id.with(kQueue.value(), queue_);
    topology_ = std::make_shared<const cluster::Topology>(std::move(topology));
  }

  /// The queue has but one replica, on kLeader.
  void have_one_replica() {
    cluster::Queue queue = *queue_;
    queue.members = {raft::replica_on(kLeader, 0)};
    queue_ = std::make_shared<const cluster::Queue>(queue);
    cluster::Topology topology = *topology_;
    topology.queues_by_id = topology.queues_by_id.with(kQueue.value(), queue_);
    topology_ = std::make_shared<const cluster::Topology>(std::move(topology));
  }
  /// Of the last parcel since the last call the kinds of its commands; "-" is one that does nothing.
  std::string commands() {
    const std::vector<Parcel> sent = parcels();
    std::string out;
    for (const QueueMailBody& what : sent.empty() ? std::vector<QueueMailBody>() : sent.back().commands) {
      const auto* credit = std::get_if<Credit>(&what);
      const bool does_nothing = credit != nullptr && credit->bytes == 0;
      out += out.empty() ? "" : " ";
      out += std::holds_alternative<Purge>(what)     ? "purge"
             : std::holds_alternative<Publish>(what) ? "publish"
             : std::holds_alternative<Down>(what)    ? "down"
             : does_nothing                          ? "-"
                                                     : "other";
    }
    return out;
  }
  /// Answers whoever asks who leads.
  void lead() {
    courier_.on_leadership({.queue = kQueue, .leader = kLeader, .term = Term(1)});
    turn();
  }
  void send(QueueMailBody what) {
    courier_.send({.queue = kQueue, .from = kSession, .what = std::move(what)});
    turn();
  }
  void publish(std::uint64_t seq) { send(Publish{.message = example_message(), .seq = PublishSeq(seq)}); }
  void answer(SessionMailBody what, std::uint64_t number = 0) {
    courier_.on_mail({.to = kSession, .queue = kQueue, .what = std::move(what), .tracked = true, .answers = number});
    turn();
  }
  void delete_queue() {
    topology_ = std::make_shared<const cluster::Topology>(cluster::Topology{.version = 2});
    cluster::QueueChanges changes;
    changes.deleted = {queue_};
    courier_.on_topology(changes);
    turn();
  }
  void pass(Duration time) {
    clock_.advance(time);
    turn();
  }
  void turn() {
    while (shard_.run_turn()) continue;
  }
  /// What the session heard since the last call.
  std::string heard() { return std::exchange(heard_, ""); }
  std::vector<Parcel> parcels() { return std::exchange(parcels_, {}); }

  std::size_t questions_who_leads_ = 0;
  std::size_t brought_back_ = 0;  // of the bytes in flight
  bool is_alive_ = true;
  NodeId down_{};
  cluster::QueuePtr queue_;
  ManualClock clock_;
  cluster::Shard shard_{ShardId(0), clock_};
  Switchboard switchboard_{shard_, kHere, this};
  cluster::TopologyPtr topology_;
  Courier courier_{shard_,
                   {.switchboard = switchboard_,
                    .topology = [this]() -> const cluster::TopologyPtr& { return topology_; },
                    .ask_here = [](GroupId) {},
                    .is_live = [this](NodeId node) { return node != down_; },
                    .is_alive = [this](const SessionId&) { return is_alive_; },
                    .deliver = [this](const SessionMail& mail) { hear(mail); }}};

 private:
  void hear(const SessionMail& mail) {
    heard_ += heard_.empty() ? "" : " ";
    heard_ +=
        std::visit(Overloaded{
                       [this](const Taken& taken) {
                         brought_back_ += taken.bytes;
                         return (taken.refused ? "refused " : "taken ") + std::to_string(taken.seq.value());
                       },
                       [](const Counted& counted) { return "counted " + std::to_string(counted.ready); },
                       [](const Deleted& deleted) { return "deleted " + std::to_string(deleted.count); },
                       [](const Gone& gone) { return std::string(gone.unreachable ? "unreachable" : "gone"); },
                       [](const Cancelled&) { return std::string("cancelled"); },
                       [](const Delivery& delivery) {
                         return (delivery.settled ? "settled " : "delivered ") + std::to_string(delivery.id);
                       },
                       [](const GetOk& got) {
                         return (got.delivery.settled ? "got settled " : "got ") + std::to_string(got.delivery.id);
                       },
                       [](const auto&) { return std::string("something else"); },
                   },
                   mail.what);
  }

  // MailReceiver: what this shard's queues get, here nothing but what the courier leaves to the queue's home.
  void on_mail(QueueMail mail) override { refuse_mail(mail, switchboard_); }
  void on_mail(SessionMail mail) override { hear(mail); }
  void on_mail(Parcel) override {}
  void on_mail(Numbering) override {}
  // RemotePost
  void send(NodeId, const Parcel& parcel) override { parcels_.push_back(parcel); }
  void send(NodeId, const SessionMail&) override {}
  void send(NodeId, const Relayed&) override {}
  void send(NodeId, const Leadership&) override {}
  void send(NodeId, const WhoLeads&) override { ++questions_who_leads_; }

  std::string heard_;
  std::vector<Parcel> parcels_;
};

// They may come by different ways.
TEST_F(CourierTest, WhatOvertakesTheAnswerToItsAttachIsAskedForAgain) {
  publish(1);
  lead();
  answer(Through{.first = 1, .number = 1});
  send(Attach{.consumer = {.session = kSession, .link = 1}, .prefetch = 1});
  answer(Delivery{.link = 1, .id = 1, .message = example_message()});
  answer(Through{.first = 2, .number = 2});
  parcels();
  answer(Attached{.link = 1}, 2);
  const std::vector<Parcel> sent = parcels();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].resumes.size(), 1u);
  EXPECT_EQ(sent[0].resumes[0].received, 0u);
}

// What it held when the leader said that something may be lost is asked for when the answer comes.
TEST_F(CourierTest, WhoIsBeingAttachedWhenSomethingIsLostAsksLater) {
  publish(1);
  lead();
  answer(Through{.first = 1, .number = 1});
  send(Attach{.consumer = {.session = kSession, .link = 1}, .prefetch = 1});
  lead();
  parcels();
  answer(Attached{.link = 1}, 2);
  const std::vector<Parcel> sent = parcels();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].resumes.size(), 1u);
}

TEST_F(CourierTest, WhatIsPublishedAfterTheDeletionIsAnsweredToo) {
  publish(1);
  lead();
  send(DeleteIf{});
  delete_queue();
  EXPECT_EQ(heard(), "taken 1");
  publish(2);
  EXPECT_EQ(heard(), "taken 2");
  answer(Deleted{.count = 7}, 1);
  EXPECT_EQ(heard(), "deleted 7");
  EXPECT_EQ(courier_.link_count(), 0u);
}

TEST_F(CourierTest, WhoNeverHearsTheCountOfADeletionHearsThatTheQueueIsGone) {
  send(DeleteIf{});
  lead();
  send(DeleteIf{});
  delete_queue();
  EXPECT_EQ(heard(), "");
  pass(std::chrono::seconds(2));
  EXPECT_EQ(heard(), "gone gone");
  EXPECT_EQ(courier_.link_count(), 0u);
}

TEST_F(CourierTest, WhatAPublicationTakesOfTheFlightComesBack) {
  const std::size_t taken = courier_.send(
      {.queue = kQueue, .from = kSession, .what = Publish{.message = example_message(), .seq = PublishSeq(1)}});
  EXPECT_EQ(taken, limits::kReplicatedFlightWeight * flight_bytes(Publish{.message = example_message()}));
  lead();
  answer(Through{.first = 1, .number = 1});
  EXPECT_EQ(heard(), "taken 1");
  EXPECT_EQ(brought_back_, taken);
}

TEST_F(CourierTest, AnEchoIsNotTheAnswerToALaterQuestion) {
  send(Count{});
  lead();
  answer(Counted{.ready = 3}, 1);
  send(Count{});
  answer(Counted{.ready = 3}, 1);
  EXPECT_EQ(heard(), "counted 3");
  answer(Counted{.ready = 4}, 2);
  EXPECT_EQ(heard(), "counted 4");
}

TEST_F(CourierTest, EchoesDoNotKeepALinkFromSendingAgain) {
  send(Count{});
  lead();
  answer(Counted{.ready = 3}, 1);
  publish(1);
  parcels();
  for (int i = 0; i < 5; ++i) {
    pass(std::chrono::milliseconds(300));
    answer(Counted{.ready = 3}, 1);
  }
  EXPECT_FALSE(parcels().empty());
}

TEST_F(CourierTest, WhatIsLargeHasTimeToArriveBeforeItIsSentAgain) {
  const std::string body(64u << 20, 'x');
  send(Publish{.message = make_message("", "q", {}, as_bytes(body)),
               .body_size = static_cast<std::uint32_t>(body.size()),
               .seq = PublishSeq(1)});
  lead();
  EXPECT_EQ(commands(), "publish");
  const std::size_t asked = questions_who_leads_;
  for (int i = 0; i < 8; ++i) pass(std::chrono::seconds(1));
  EXPECT_EQ(commands(), "");
  EXPECT_GT(questions_who_leads_, asked) << "another may lead meanwhile";
  for (int i = 0; i < 2; ++i) pass(std::chrono::seconds(1));
  EXPECT_EQ(commands(), "publish");
}

TEST_F(CourierTest, AnIdleConsumerAsksRarelyAndSendsNothingItself) {
  const ConsumerKey consumer{.session = kSession, .link = 4};
  send(Attach{.consumer = consumer, .window = 10});
  lead();
  answer(Attached{.link = 4}, 1);
  answer(Through{.first = 1, .number = 1});
  parcels();
  questions_who_leads_ = 0;
  for (int i = 0; i < 290; ++i) pass(std::chrono::milliseconds(100));
  EXPECT_EQ(questions_who_leads_, 0u);
  for (int i = 0; i < 20; ++i) pass(std::chrono::milliseconds(100));
  EXPECT_EQ(questions_who_leads_, 2u);  // one to each member elsewhere
  EXPECT_TRUE(parcels().empty());
  lead();  // the answer
  ASSERT_EQ(parcels().size(), 1u);
}

// --- what the client need not acknowledge: the leader lets go of it when it is here ---

class AutoAckTest : public CourierTest {
 protected:
  AutoAckTest() {
    send(Attach{.consumer = consumer_, .no_ack = true});
    lead();
    const std::vector<Parcel> sent = parcels();
    EXPECT_FALSE(std::get<Attach>(sent.at(0).commands.at(0)).no_ack);
    answer(Attached{.link = 1}, 1);
    answer(Through{.first = 1, .number = 1});
    heard();
    parcels();
  }
  void deliver(std::uint64_t id) {
    courier_.on_mail({.to = kSession,
                      .queue = kQueue,
                      .what = Delivery{.link = 1, .id = id, .message = example_message()},
                      .tracked = true});
  }
  /// "first-last" of each settlement since the last call.
  std::string settlements() {
    turn();
    std::string out;
    for (const Parcel& parcel : parcels()) {
      for (const QueueMailBody& what : parcel.commands) {
        const auto* settle = std::get_if<Settle>(&what);
        if (settle == nullptr) continue;
        EXPECT_EQ(settle->ids.size(), 1u);
        out += (out.empty() ? "" : " ") + std::to_string(settle->consumer.link) + ":" +
               std::to_string(settle->ids[0].first) + "-" + std::to_string(settle->ids[0].last);
      }
    }
    return out;
  }
  const ConsumerKey consumer_{.session = kSession, .link = 1};
};

TEST_F(AutoAckTest, ATurnsDeliveriesAreSettledTogether) {
  for (std::uint64_t id = 1; id <= 3; ++id) deliver(id);
  EXPECT_EQ(heard(), "settled 1 settled 2 settled 3");
  EXPECT_EQ(settlements(), "1:1-3");
  deliver(4);
  EXPECT_EQ(settlements(), "1:4-4");
}

TEST_F(AutoAckTest, AGapIsAskedForAndNotSettled) {
  deliver(1);
  EXPECT_EQ(settlements(), "1:1-1");
  deliver(3);
  heard();
  turn();
  const std::vector<Parcel> sent = parcels();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].commands.empty());
  ASSERT_EQ(sent[0].resumes.size(), 1u);
  EXPECT_EQ(sent[0].resumes[0].received, 1u);
  deliver(2);
  deliver(3);
  EXPECT_EQ(heard(), "settled 2 settled 3");
  EXPECT_EQ(settlements(), "1:2-3");
}

// An echo is known by its number, and nothing that was added to it would be carried out.
TEST_F(AutoAckTest, WhatMayHaveArrivedIsNotAddedTo) {
  deliver(1);
  EXPECT_EQ(settlements(), "1:1-1");
  courier_.on_leadership({.queue = kQueue, .leader = NodeId(3), .term = Term(2)});
  deliver(2);
  EXPECT_EQ(settlements(), "1:1-1 1:2-2");
}

TEST_F(AutoAckTest, WhatComesForACancelledConsumerGoesBack) {
  deliver(1);
  send(Cancel{.consumer = consumer_});
  answer(Cancelled{.link = 1}, 3);
  heard();
  parcels();
  deliver(2);
  EXPECT_EQ(heard(), "delivered 2");
  EXPECT_EQ(settlements(), "");
}

TEST_F(AutoAckTest, NothingIsSaidAfterTheEndOfTheSession) {
  courier_.end(kSession);
  turn();
  parcels();
  deliver(1);
  EXPECT_EQ(settlements(), "");
}

TEST_F(AutoAckTest, WhatIsFetchedIsSettledTooAndOnce) {
  send(Get{.session = kSession, .no_ack = true});
  const std::vector<Parcel> sent = parcels();
  EXPECT_FALSE(std::get<Get>(sent.at(0).commands.at(0)).no_ack);
  const GetOk got{.delivery = {.link = kGetLink, .id = 7, .message = example_message()}};
  answer(got, 2);
  EXPECT_EQ(heard(), "got settled 7");
  EXPECT_EQ(settlements(), "0:7-7");
  answer(got, 2);
  EXPECT_EQ(heard(), "");
  EXPECT_EQ(settlements(), "");
}

// Who asks for every answer with a consumer of its own, as RPC libraries do, leaves nothing behind.
TEST_F(CourierTest, ACancelledConsumerIsForgottenWhenItHoldsNothing) {
  publish(1);
  lead();
  answer(Through{.first = 1, .number = 1});
  std::uint64_t number = 1;
  for (std::uint32_t consumer = 1; consumer <= 1000; ++consumer) {
    send(Attach{.consumer = {.session = kSession, .link = consumer}});
    answer(Attached{.link = consumer}, ++number);
    send(Cancel{.consumer = {.session = kSession, .link = consumer}});
    answer(Cancelled{.link = consumer}, ++number);
    answer(Through{.first = number - 1, .number = number});
    const std::vector<Parcel> sent = parcels();
    ASSERT_EQ(sent.back().resumes.size(), 1u) << "whether it holds anything is asked once";
    if (consumer > 600) answer(Gone{.link = consumer});
  }
  lead();
  std::vector<std::size_t> resumes;
  for (const Parcel& parcel : parcels()) resumes.push_back(parcel.resumes.size());
  EXPECT_EQ(resumes, (std::vector<std::size_t>{512, 88})) << "those that hold something, in parcels of some size";
  EXPECT_EQ(heard().find("gone"), std::string::npos);
}

TEST_F(CourierTest, AConsumerThatIsNotCancelledIsNotForgotten) {
  send(Attach{.consumer = {.session = kSession, .link = 1}});
  lead();
  answer(Attached{.link = 1}, 1);
  answer(Through{.first = 1, .number = 1});
  heard();
  answer(Gone{.link = 1});
  EXPECT_EQ(heard(), "");
  parcels();
  lead();
  EXPECT_EQ(parcels().back().resumes.size(), 1u);
}

// --- sessions from when the queue lived on this node alone ---

TEST_F(CourierTest, AnAdoptedConsumerGoesOnWhereItWas) {
  const ConsumerKey consumer{.session = kSession, .link = 4};
  courier_.adopt(kQueue, {{.consumer = consumer, .last = 7}, {.consumer = {.session = kSession}, .last = 2}});
  lead();
  const std::vector<Parcel> greeting = parcels();
  ASSERT_EQ(greeting.size(), 1u);
  EXPECT_EQ(greeting[0].first, 1u);
  ASSERT_EQ(greeting[0].commands.size(), 1u);  // one for both
  EXPECT_TRUE(std::holds_alternative<Credit>(greeting[0].commands[0]));
  ASSERT_EQ(greeting[0].resumes.size(), 1u);
  EXPECT_EQ(greeting[0].resumes[0].received, 7u);
  answer(Through{.first = 1, .number = 1});
  pass(std::chrono::seconds(1));  // it has asked once
  answer(Delivery{.link = 4, .id = 7, .message = example_message()});
  EXPECT_EQ(heard(), "");  // it had that one
  answer(Delivery{.link = 4, .id = 9, .message = example_message()});
  EXPECT_EQ(heard(), "");
  const std::vector<Parcel> question = parcels();
  ASSERT_EQ(question.size(), 1u);
  ASSERT_EQ(question[0].resumes.size(), 1u);
  EXPECT_EQ(question[0].resumes[0].received, 7u);
  answer(Delivery{.link = 4, .id = 8, .message = example_message()});
  EXPECT_EQ(heard(), "delivered 8");
  courier_.end(kSession);
  turn();
  const std::vector<Parcel> farewell = parcels();
  ASSERT_EQ(farewell.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Down>(farewell[0].commands.back()));
  answer(Through{.first = 2, .number = 2});
  EXPECT_EQ(courier_.link_count(), 0u);
}

TEST_F(CourierTest, WhoEndedMeanwhileIsTakenAwayFromTheQueue) {
  is_alive_ = false;
  courier_.adopt(kQueue, {{.consumer = {.session = kSession, .link = 4}, .last = 7}});
  lead();
  const std::vector<Parcel> sent = parcels();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].commands.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Down>(sent[0].commands[0]));
  answer(Through{.first = 1, .number = 1});
  EXPECT_EQ(courier_.link_count(), 0u);
}

TEST_F(CourierTest, AnAdoptedConsumerHearsOfTheDeletionUnlessItWasCancelled) {
  courier_.adopt(kQueue, {{.consumer = {.session = kSession, .link = 4}, .last = 7},
                          {.consumer = {.session = kSession, .link = 5}, .last = 1, .cancelled = true}});
  lead();
  delete_queue();
  EXPECT_EQ(heard(), "gone");
}

TEST_F(CourierTest, AConsumerAdoptedAfterTheDeletionHearsOfIt) {
  delete_queue();
  courier_.adopt(kQueue, {{.consumer = {.session = kSession, .link = 4}, .last = 7},
                          {.consumer = {.session = kSession, .link = 5}, .last = 1, .cancelled = true},
                          {.consumer = {.session = kSession}, .last = 2}});
  EXPECT_EQ(heard(), "gone");
  EXPECT_EQ(courier_.link_count(), 0u);
}

// --- nobody leads it ---

// One that was removed raises its term for itself alone (sim --nodes --seed=700292).
TEST_F(CourierTest, AReplicaThatCampaignsInVainDoesNotHideTheLeader) {
  publish(1);
  lead();
  EXPECT_EQ(commands(), "publish");
  courier_.on_leadership({.queue = kQueue, .leader = std::nullopt, .term = Term(5)});
  turn();
  EXPECT_EQ(commands(), "");
  lead();
  EXPECT_EQ(commands(), "publish");
}

TEST_F(CourierTest, ARequestThatNobodyCanAnswerIsGivenUp) {
  send(Count{});
  send(Purge{.session = kSession});
  pass(Courier::kRequestPatience - std::chrono::milliseconds(200));
  EXPECT_EQ(heard(), "");
  pass(std::chrono::milliseconds(400));
  EXPECT_EQ(heard(), "unreachable unreachable");
  lead();
  EXPECT_EQ(commands(), "-") << "it is not carried out later";
}

TEST_F(CourierTest, WhatWasSentAndGivenUpIsNotSentAgain) {
  send(Purge{.session = kSession});
  lead();
  EXPECT_EQ(commands(), "purge");
  for (int i = 0; i < 31; ++i) pass(std::chrono::seconds(1));
  EXPECT_EQ(heard(), "unreachable");
  parcels();
  pass(std::chrono::seconds(2));
  EXPECT_EQ(commands(), "-");
  answer(Purged{.count = 3}, 1);  // it had been carried out after all
  EXPECT_EQ(heard(), "");
}

TEST_F(CourierTest, PublicationsWaitForALeaderAsLongAsItTakes) {
  publish(1);
  pass(Courier::kRequestPatience * 10);
  EXPECT_EQ(heard(), "");
  lead();
  EXPECT_EQ(commands(), "publish");
}

TEST_F(CourierTest, AQueueWhoseOnlyNodeIsDownAnswersAtOnce) {
  have_one_replica();
  publish(1);
  lead();
  EXPECT_EQ(commands(), "publish");
  down_ = kLeader;
  publish(2);
  send(Count{});
  send(Cancel{.consumer = {.session = kSession, .link = 7}});
  pass(std::chrono::milliseconds(1100));
  EXPECT_EQ(heard(), "cancelled unreachable refused 2") << "what was sent before may have arrived, and waits";
  EXPECT_EQ(commands(), "");
  down_ = NodeId();
  pass(std::chrono::milliseconds(1100));
  EXPECT_EQ(commands(), "publish - other");
}

TEST_F(CourierTest, WhatHasNotLeftForANodeThatIsDownIsRefusedWhateverElseWasLostOnTheWayThere) {
  have_one_replica();
  publish(1);
  lead();
  answer(Through{.first = 1, .number = 1});
  EXPECT_EQ(heard(), "taken 1");
  down_ = kLeader;
  publish(2);
  courier_.on_node_unreachable(kLeader);
  pass(std::chrono::milliseconds(1100));
  EXPECT_EQ(heard(), "refused 2");
}

TEST_F(CourierTest, WhatMayHaveArrivedOnANodeThatIsDownIsRefusedInTheEnd) {
  have_one_replica();
  publish(1);
  lead();
  EXPECT_EQ(commands(), "publish");
  down_ = kLeader;
  pass(Courier::kRequestPatience / 2);
  EXPECT_EQ(heard(), "");
  pass(Courier::kRequestPatience / 2);
  EXPECT_EQ(heard(), "refused 1");
  down_ = NodeId();
  pass(std::chrono::milliseconds(1100));
  EXPECT_EQ(commands(), "-");
}

TEST_F(CourierTest, AConsumerHearsThatItsNodeIsDownWhenThatLasts) {
  have_one_replica();
  send(Attach{.consumer = {.session = kSession, .link = 1}});
  lead();
  answer(Attached{.link = 1}, 1);
  answer(Through{.first = 1, .number = 1});
  heard();
  for (int time = 0; time < 2; ++time) {
    down_ = kLeader;
    pass(std::chrono::milliseconds(1100));
    pass(Courier::kRequestPatience / 2);
    EXPECT_EQ(heard(), "") << "it may come back soon";
    down_ = NodeId();
    pass(std::chrono::milliseconds(1100));
  }
  down_ = kLeader;
  pass(std::chrono::milliseconds(1100));
  pass(Courier::kRequestPatience);
  EXPECT_EQ(heard(), "unreachable");
  pass(Courier::kRequestPatience);
  EXPECT_EQ(heard(), "") << "it is said once";
  parcels();
  down_ = NodeId();
  pass(std::chrono::milliseconds(1100));
  const std::vector<Parcel> sent = parcels();
  ASSERT_FALSE(sent.empty());
  ASSERT_EQ(sent.back().commands.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Cancel>(sent.back().commands[0]));
  EXPECT_EQ(sent.back().resumes.size(), 1u) << "what it holds is asked for";
  answer(Cancelled{.link = 1}, 2);
  answer(Through{.first = 2, .number = 2});
  answer(Gone{.link = 1});
  EXPECT_EQ(heard(), "");
  delete_queue();
  EXPECT_EQ(heard(), "");
}

TEST_F(CourierTest, WhatASessionAskedForIsNotCarriedOutAfterItsEnd) {
  send(Purge{.session = kSession});
  publish(1);
  courier_.end(kSession);
  lead();
  EXPECT_EQ(commands(), "- publish");
  answer(Through{.first = 1, .number = 2});
  EXPECT_EQ(commands(), "down");
  EXPECT_EQ(heard(), "");
}

}  // namespace
}  // namespace quorate::queue

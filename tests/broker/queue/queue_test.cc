// Queues at work, on a real log: what is confirmed is on disk, what is on disk comes back, and bodies that left memory
// are delivered in order all the same.
#include "broker/queue/queue.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <limits>

#include "base/limits.h"
#include "tests/broker/queue/queue_world.h"

namespace quorate::queue {
namespace {

/// No file grows beyond 64 KiB while it lives, which is how a disk without space looks to a log.
class FullDisk {
 public:
  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{.rlim_cur = 64u << 10, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

std::string body_of(std::size_t number, std::size_t size) {
  std::string body = std::to_string(number) + " ";
  for (std::uint64_t noise = number; body.size() < size;) {
    noise = noise * 6364136223846793005 + 1442695040888963407;
    body.push_back(static_cast<char>(noise >> 56));
  }
  return body;
}

class QueueTest : public QueueWorld {
 protected:
  /// Everything that is read back is read in small pieces, and almost nothing stays in memory.
  void have_little_memory() {
    budget_.queue_max_bytes = 4'000;
    budget_.read_ahead_bytes = 3'000;
  }
  bool has_snapshot() const {
    const auto groups = snapshots_->groups();
    return std::ranges::find(groups, kDurable) != groups.end();
  }
  void fill(std::size_t count, std::size_t size) {
    for (std::size_t i = 0; i < count; ++i) {
      publish(body_of(i, size));
      if (i % 7 == 0) turn();
    }
    settle();
    bodies();
  }
  static void expect_in_order(const std::vector<std::string>& bodies, std::size_t from, std::size_t count,
                              std::size_t size) {
    ASSERT_EQ(bodies.size(), count);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(bodies[i], body_of(from + i, size)) << i;
  }
};

// --- promises ---

TEST_F(QueueTest, APersistentMessageIsTakenOnlyAfterTheSync) {
  settle();
  publish("a");
  turn();
  EXPECT_EQ(taken_count(), 0u);
  EXPECT_EQ(queue().machine().ready_count(), 1u);  // applied, and not yet promised
  settle();
  EXPECT_EQ(got(), "taken1");
}

/// It outlives this node's memory: what it holds must be what the log says after a loss of power.
TEST_F(QueueTest, ASessionOfAnotherNodeGetsNothingBeforeTheSyncWhoeverCausedIt) {
  settle();
  const SessionId afar{.node = NodeId(2), .epoch = Epoch(1), .serial = make_serial(ShardId(0), 1)};
  send_from_afar(afar, 1, Attach{.consumer = {.session = afar, .link = 1}, .window = 1u << 30});
  settle();
  EXPECT_EQ(got(), "attached through1");
  const std::uint64_t before = syncs();
  publish("a", kDurable, false);
  turn();
  EXPECT_EQ(got(), "");
  settle();
  EXPECT_EQ(got(), "1:a taken1");
  EXPECT_GT(syncs(), before);
}

/// It would send it again, as if for the first time, to a node that died before its log had it (chaos: kill_leader).
TEST_F(QueueTest, WhatASessionOfAnotherNodeSendsReachesNobodyBeforeTheSync) {
  attach(1);
  settle();
  EXPECT_EQ(got(), "attached");
  publish("mine");
  turn();
  EXPECT_EQ(got(), "1:mine");  // publisher and consumer go with this node
  settle();
  EXPECT_EQ(got(), "taken1");
  const SessionId afar{.node = NodeId(2), .epoch = Epoch(1), .serial = make_serial(ShardId(0), 1)};
  send_from_afar(afar, 1, Publish{.message = make_message("", "k", {}, as_bytes("theirs")), .body_size = 6});
  turn();
  EXPECT_EQ(got(), "");
  settle();
  EXPECT_EQ(got(), "through1 1:theirs");
}

/// Found by sim --nodes --seed=547: nobody would ever have taken back what it was given.
TEST_F(QueueTest, WhatASessionOfAPastLifeSaysIsNotHeard) {
  const auto node_begins = [&](Epoch epoch) {
    cluster::Topology next = *topology_;
    ++next.version;
    next.nodes = next.nodes.with(std::uint64_t{2}, cluster::ClusterNode{.id = NodeId(2), .epoch = epoch});
    topology_ = std::make_shared<const cluster::Topology>(std::move(next));
    directory_of_queues_->on_topology(topology_, {});
  };
  settle();
  node_begins(Epoch(1));
  const SessionId afar{.node = NodeId(2), .epoch = Epoch(1), .serial = make_serial(ShardId(0), 1)};
  send_from_afar(afar, 1, Attach{.consumer = {.session = afar, .link = 1}, .window = 1u << 30});
  node_begins(Epoch(2));
  settle();
  EXPECT_EQ(queue().machine().consumer_count(), 0u);
  publish("a");
  settle();
  EXPECT_EQ(queue().machine().ready_count(), 1u);
}

TEST_F(QueueTest, ATransientQueueTakesAtOnce) {
  settle();
  publish("a", kTransient);
  turn();
  EXPECT_EQ(got(), "taken1");
}

TEST_F(QueueTest, WhatWasTakenIsThereAfterARestart) {
  settle();
  publish("a");
  publish("b");
  publish("t", kDurable, false);
  publish("x", kTransient);
  settle();
  restart();
  attach(1);
  settle();
  EXPECT_EQ(got(), "attached 1:a 1:b");
  EXPECT_EQ(queue(kTransient).machine().ready_count(), 0u);
}

TEST_F(QueueTest, WhatWasUnsettledComesBackMarked) {
  settle();
  publish("a");
  publish("b");
  publish("c");
  attach(1, {.prefetch = 2});
  send(1, Cancel{.consumer = consumer(1)});
  settle_ids(1, 1, 1);
  restart();
  attach(2);
  settle();
  EXPECT_EQ(got(), "attached 2:b! 2:c");
}

TEST_F(QueueTest, AConsumerThatComesBeforeTheFirstSyncOfThisStartIsServed) {
  settle();
  publish("a");
  restart();
  close();
  open();
  while (!queue().is_ready()) turn();
  attach(1);  // the entry that begins this term may not be durable yet, but what stood before it is
  turn();
  settle();
  EXPECT_TRUE(failures_.empty()) << failures_.front().text;
  EXPECT_EQ(got(), "attached 1:a");
}

// Couriers send what they keep again each second until the leader whom they have heard of answers.
TEST_F(QueueTest, OfParcelsThatComeBeforeTheHistoryOnlySoManyWait) {
  settle();
  publish("a");
  restart();
  close();
  open();
  while (!queue().leadership().leader) turn();
  ASSERT_FALSE(queue().is_ready()) << "the history comes from the disk";
  announcements_ = 0;
  const Message message = make_message("", "k", {}, as_bytes(body_of(1, 100'000)));
  constexpr std::size_t kHalf = limits::kEarlyParcelsMaxBytes / 200'000;
  for (std::uint64_t serial = 1; serial <= 3; ++serial) {
    Parcel parcel{.queue = kDurable,
                  .from = {.node = NodeId(2), .epoch = Epoch(1), .serial = serial},
                  .term = queue().leadership().term,
                  .first = 1};
    parcel.commands.resize(kHalf, Publish{.message = message, .body_size = 100'000});
    directory_of_queues_->on_mail(std::move(parcel));
  }
  settle();
  EXPECT_EQ(queue().machine().ready_count(), 1 + 2 * kHalf);
  EXPECT_EQ(announcements_, 1) << "what a consumer has is said again to whoever leads, and only then";
}

TEST_F(QueueTest, MailThatComesBeforeTheHistoryWaits) {
  publish("a");
  attach(1);
  turn();
  settle();
  EXPECT_EQ(got(), "attached 1:a taken1");
}

TEST_F(QueueTest, AFailedDiskIsReportedAndNothingIsTakenAfterwards) {
  settle();
  publish("a");
  settle();
  EXPECT_EQ(got(), "taken1");
  {
    const FullDisk disk;
    publish(body_of(1, 1u << 20));
    settle();
  }
  ASSERT_EQ(failures_.size(), 1u);
  publish("b");
  settle();
  EXPECT_EQ(taken_count(), 0u);
  EXPECT_EQ(failures_.size(), 1u);
}

/// A group whose history cannot be applied.
class BrokenClient final : public cluster::GroupClient {
 public:
  std::string describe() const override { return "a broken client"; }
  Result<void> restore(ByteView) override { return {}; }
  Result<void> apply(const raft::Entry&, cluster::ApplyMode) override {
    return failure(ErrorCode::corruption, "broken");
  }
  void on_leader() override {}
  void on_committed(LogIndex) override {}
  Bytes save() const override { return {}; }
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const override { return {}; }
  std::uint64_t reclaimable_bytes() const override { return 0; }
  std::uint64_t state_bytes() const override { return 0; }
  void mark_snapshot() override {}
};

TEST_F(QueueTest, AFailureElsewhereOnTheShardTakesNothingMoreEither) {
  settle();
  publish("a");
  settle();
  got();
  BrokenClient broken;
  ASSERT_TRUE(groups_->open(GroupId(7), broken));
  settle();
  groups_->propose(GroupId(7), Bytes::copy_of("x"), storage::Durability::synced);
  settle();
  ASSERT_EQ(failures_.size(), 1u);
  publish("b");  // the log takes no more entries: its index would be that of an entry long durable
  settle();
  EXPECT_EQ(got(), "");
  groups_->close(GroupId(7));
}

TEST_F(QueueTest, AQuestionBehindMoreThanATurnAppliesIsAnsweredInALaterTurn) {
  settle();
  for (std::size_t i = 0; i < 4; ++i) publish(body_of(i, limits::kApplyBudgetBytes));
  send(1, Count{});
  turn();  // comes to an end
  EXPECT_LT(queue().machine().ready_count(), 4u);
  EXPECT_EQ(got(), "");
  settle();
  const std::string answers = got();
  EXPECT_NE(answers.find("counted4"), std::string::npos) << answers;
}

// (sim --nodes --seed=501000: a declaration waited for twelve seconds, for there was always something under way.)
TEST_F(QueueTest, AQuestionIsAnsweredHoweverMuchComesAfterIt) {
  settle();
  for (std::size_t i = 0; i < 4; ++i) publish(body_of(i, limits::kApplyBudgetBytes));
  send(1, Count{});
  for (std::size_t i = 4; i < 12;
       ++i) {  // as much comes as a turn applies, the first of it in the turn of the question
    publish(body_of(i, limits::kApplyBudgetBytes));
    turn();
  }
  EXPECT_LT(queue().machine().ready_count(), 12u);
  const std::string answers = got();
  EXPECT_NE(answers.find("counted5"), std::string::npos) << answers;
}

TEST_F(QueueTest, AQuestionAfterAFailureDoesNotKeepTheTurnFromEnding) {
  settle();
  BrokenClient broken;
  ASSERT_TRUE(groups_->open(GroupId(7), broken));
  settle();
  groups_->propose(GroupId(7), Bytes::copy_of("x"), storage::Durability::synced);
  publish("b");
  send(1, Count{});
  turn();
  ASSERT_EQ(failures_.size(), 1u);
  send(1, Count{});
  turn();
  groups_->close(GroupId(7));
}

// --- deliveries ---

TEST_F(QueueTest, WithoutAckAllMessagesOfATurnAreDelivered) {
  settle();
  for (const GroupId id : {kDurable, kTransient}) {
    attach(1, {.no_ack = true}, id);
    settle();
    got();
    for (const char* body : {"a", "b", "c"}) publish(body, id);
    settle();
    EXPECT_EQ(bodies(), (std::vector<std::string>{"a", "b", "c"}));
  }
  EXPECT_TRUE(failures_.empty());
}

TEST_F(QueueTest, BodiesThatLeftMemoryAreReadBackInOrder) {
  have_little_memory();
  fill(300, 500);
  EXPECT_LT(budget_.used, 40'000u);
  attach(1, {.prefetch = 10});
  settle();
  std::vector<std::string> all = bodies();
  for (std::uint64_t id = 1; all.size() < 300; ++id) {
    settle_ids(1, id, id);
    settle();
    for (std::string& body : bodies()) all.push_back(std::move(body));
    ASSERT_LE(id, 300u);
  }
  expect_in_order(all, 0, 300, 500);
  EXPECT_TRUE(failures_.empty());
}

TEST_F(QueueTest, ADrainWithoutAckReadsBackInOrderToo) {
  have_little_memory();
  fill(300, 500);
  attach(1, {.no_ack = true});
  settle();
  expect_in_order(bodies(), 0, 300, 500);
  EXPECT_EQ(queue().machine().ready_count(), 0u);
  EXPECT_EQ(budget_.used, 0u);
}

TEST_F(QueueTest, NewMessagesWaitBehindThoseThatAreBeingReadBack) {
  have_little_memory();
  fill(60, 500);
  attach(1);
  turn();
  for (std::size_t i = 60; i < 80; ++i) publish(body_of(i, 500));
  settle();
  expect_in_order(bodies(), 0, 80, 500);
}

TEST_F(QueueTest, AFetchedMessageIsReadBackLikeAnyOther) {
  have_little_memory();
  fill(40, 500);
  send(1, Get{.session = session(1)});
  settle();
  EXPECT_EQ(got(), "got 0:" + body_of(0, 500) + " left 39");
}

TEST_F(QueueTest, LargeMessagesBecomeEntriesOfTheirOwnAndKeepTheirPlace) {
  settle();
  publish("small");
  publish(body_of(1, 100'000));
  publish("after");
  settle();
  restart();
  attach(1);
  settle();
  EXPECT_EQ(bodies(), (std::vector<std::string>{"small", body_of(1, 100'000), "after"}));
}

TEST_F(QueueTest, AMessageNobodySettlesDoesNotKeepMemoryForThoseAfterIt) {
  settle();
  attach(1, {.prefetch = 2}, kTransient);
  publish("stuck", kTransient);
  settle();
  for (std::uint64_t id = 2; id < 500; ++id) {
    publish("x", kTransient);
    settle_ids(1, id, id, kTransient);
    turn();
  }
  settle();
  EXPECT_LT(transient_bodies_.used, 200u);
  EXPECT_EQ(queue(kTransient).machine().unsettled_count(), 1u);
}

// --- snapshots ---

TEST_F(QueueTest, ASnapshotLetsTheLogForgetAndTheRestIsReplayed) {
  settle();
  attach(1, {.prefetch = 4});
  settle();
  const std::size_t size = 256u << 10;
  for (std::size_t i = 0; i < 60; ++i) {
    publish(body_of(i, size));
    settle();
    if (i >= 2) settle_ids(1, i - 1, i - 1);
  }
  settle();
  ASSERT_TRUE(has_snapshot()) << "15 MiB have died";
  publish("last");
  settle();
  ASSERT_TRUE(log_->compact_all());
  EXPECT_LT(log_entries(), 120u);
  bodies();
  restart();
  EXPECT_EQ(queue().machine().ready_count(), 3u);
  attach(2);
  settle();
  const auto left = bodies();
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left.front(), body_of(58, size));
  EXPECT_EQ(left.back(), "last");
}

TEST_F(QueueTest, AfterARestartFromASnapshotTheNextOneIsNotDueAtOnce) {
  settle();
  attach(1, {.no_ack = true});
  for (std::size_t i = 0; i < 40; ++i) {
    publish(body_of(i, 256u << 10));
    settle();
  }
  ASSERT_TRUE(has_snapshot());
  const auto before = snapshots_->load(kDurable);
  restart();
  EXPECT_EQ((*snapshots_->load(kDurable))->meta, (*before)->meta);
}

// --- the end of a queue ---

TEST_F(QueueTest, DeletionAnswersEverybody) {
  settle();
  attach(1);
  attach(2, {}, kTransient);
  settle();
  got();
  publish("a");
  send(3, DeleteIf{});
  turn();
  EXPECT_EQ(delete_requests_, std::vector{kDurable});
  send(4, DeleteIf{});
  turn();
  EXPECT_EQ(delete_requests_.size(), 1u);  // once is enough
  publish("b");
  send(5, Count{});
  directory_of_queues_->on_topology(topology(2, false), {.deleted = {definition(kDurable, "durable", true)}});
  settle();
  const std::string all = got();
  for (const char* answer : {"taken1", "taken2", "gone1", "deleted0", "gone0"}) {
    EXPECT_NE(all.find(answer), std::string::npos) << answer << " in " << all;
  }
  EXPECT_EQ(directory_of_queues_->find(kDurable), nullptr);
  settle();
  EXPECT_EQ(log_entries(), 0u);
  EXPECT_TRUE(log_->groups().empty());
  EXPECT_TRUE(groups_->is_empty()) << "its id never comes again";
}

// Other nodes may know already that it is gone, and whoever has heard that must not find it here (chaos seed 962952).
TEST_F(QueueTest, WhoeverAsksWhileTheQueueIsBeingDeletedHearsThatItIsGone) {
  settle();
  send(3, DeleteIf{});
  settle();
  send(5, Count{});
  settle();
  EXPECT_EQ(got(), "");
  directory_of_queues_->on_topology(topology(2, false), {.deleted = {definition(kDurable, "durable", true)}});
  settle();
  EXPECT_EQ(got(), "deleted0 gone0");
}

TEST_F(QueueTest, WhoAsksForWhatACancelledConsumerHoldsHearsWhenThatIsNothing) {
  settle();
  const SessionId far{.node = NodeId(2), .epoch = Epoch(1), .serial = 1};
  const ConsumerKey consumer{.session = far, .link = 4};
  const auto resume = [&] {
    Parcel parcel{.queue = kDurable, .from = far, .term = queue().leadership().term, .heard = 1};
    parcel.resumes.push_back({.link = consumer.link, .received = 1});
    directory_of_queues_->on_mail(std::move(parcel));
    settle();
    return got();
  };
  publish("a");
  send_from_afar(far, 1, Attach{.consumer = consumer, .prefetch = 1, .window = 1000});
  send_from_afar(far, 2, Cancel{.consumer = consumer});
  settle();
  EXPECT_EQ(got(), "attached 4:a cancelled through2 taken1");
  EXPECT_EQ(resume(), "");
  send_from_afar(far, 3, Settle{.consumer = consumer, .ids = {{.first = 1, .last = 1}}});
  settle();
  EXPECT_EQ(got(), "through3");
  EXPECT_EQ(resume(), "gone4");
}

TEST_F(QueueTest, MailToADeletedQueueIsAnswered) {
  settle();
  directory_of_queues_->on_topology(topology(2, false), {.deleted = {definition(kDurable, "durable", true)}});
  settle();
  publish("a");
  attach(1);
  send(2, Cancel{.consumer = consumer(2)});
  send(3, Get{.session = session(3)});
  send(3, Purge{.session = session(3)});
  send(3, Count{});
  send(3, DeleteIf{});
  send(3, Down{.session = session(3)});
  settle();
  EXPECT_EQ(got(), "taken1 gone1 cancelled gone0 gone0 gone0 gone0");
}

TEST_F(QueueTest, MailToAQueueThatIsNotThereYetWaitsForIt) {
  settle();
  const GroupId later{2 * cluster::kIdsPerEntry};
  publish("a", later);
  settle();
  EXPECT_EQ(got(), "");
  directory_of_queues_->on_topology(topology(2), {.created = {definition(later, "later", true)}});
  settle();
  EXPECT_EQ(got(), "taken1");
}

TEST_F(QueueTest, ConditionsOfADeletionAreJudgedAfterWhatCameBefore) {
  settle();
  publish("a");
  send(1, DeleteIf{.empty = true});
  settle();
  EXPECT_EQ(got(), "not_empty0 taken1");
  attach(1);
  send(1, DeleteIf{.unused = true});
  settle();
  EXPECT_EQ(got(), "attached 1:a in_use0");
  EXPECT_TRUE(delete_requests_.empty());
}

TEST_F(QueueTest, AnAutoDeleteQueueAsksForItsEndWhenTheLastConsumerGoes) {
  settle();
  attach(1, {}, kTransient);
  send(1, Cancel{.consumer = consumer(1)}, kTransient);
  settle();
  EXPECT_EQ(delete_requests_, std::vector{kTransient});
  directory_of_queues_->on_delete_timed_out(kTransient);
  EXPECT_EQ(delete_requests_, (std::vector{kTransient, kTransient})) << "it stays due";
}

TEST_F(QueueTest, ADeletionThatTheMetadataHaveNotDoneInTimeIsOver) {
  settle();
  send(3, DeleteIf{});
  settle();
  send(4, Count{});
  settle();
  EXPECT_EQ(got(), "") << "it may be gone with the next word";
  directory_of_queues_->on_delete_timed_out(kDurable);
  settle();
  EXPECT_EQ(got(), "gone0 counted0/0");
  EXPECT_EQ(delete_requests_, std::vector{kDurable});
  send(5, DeleteIf{});
  settle();
  EXPECT_EQ(delete_requests_, (std::vector{kDurable, kDurable}));
}

// --- policies ---

TEST_F(QueueTest, ObeysWhatPoliciesAskedForLast) {
  const Configure declared = queue().machine().settings();
  Configure limited = declared;
  limited.max_length = 1;
  ask_for(limited);
  settle();
  EXPECT_EQ(queue().machine().settings(), limited);
  EXPECT_EQ(queue(kTransient).machine().settings(), limited);
  const LogIndex before = queue().machine().applied();
  ask_for(limited);
  settle();
  EXPECT_EQ(queue().machine().applied(), before);
  // Back again while the change is yet to be carried out.
  Configure longer = declared;
  longer.max_length = 2;
  ask_for(longer);
  ask_for(limited);
  settle();
  EXPECT_EQ(queue().machine().settings(), limited);
}

}  // namespace
}  // namespace quorate::queue

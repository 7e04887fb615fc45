// A LogStore gives back what it was given, in order, after any restart: each test tells one such fact.
#include "storage/log_store.h"

#include <gtest/gtest.h>

#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};
constexpr GroupId kNeighbour{6};

class LogStoreTest : public testing::Test {
 protected:
  void reopen() {
    store_.reset();
    store_ = must_open({.path = directory_ / "log"});
  }

  TestDirectory directory_;
  std::unique_ptr<LogStore> store_ = must_open({.path = directory_ / "log"});
};

TEST_F(LogStoreTest, ScansInOrderAfterReopen) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 300)});
  must_write(*store_, {.group = kNeighbour, .entries = entries_of(1, 3)});
  must_write(*store_, {.group = kQueue, .entries = entries_of(301, 400)});
  reopen();
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 400));
  EXPECT_EQ(must_scan(*store_, kQueue, LogIndex(10), LogIndex(20)), entries_of(10, 20));
  EXPECT_EQ(must_scan(*store_, kNeighbour), entries_of(1, 3));
}

TEST_F(LogStoreTest, AScanEndsWhenTheVisitorHasEnough) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 10)});
  int seen = 0;
  ASSERT_TRUE(store_->scan(kQueue, kFirst, kLast, [&](raft::Entry&&) { return ++seen < 4; }));
  EXPECT_EQ(seen, 4);
}

TEST_F(LogStoreTest, LargeEntriesComeBackFromBlobFiles) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 20, 100'000)});
  ASSERT_TRUE(store_->compact_all());
  EXPECT_FALSE(files_ending(directory_ / "log", ".blob").empty());
  reopen();
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 20, 100'000));
}

TEST_F(LogStoreTest, ReadsOneEntryOrNone) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 3)});
  EXPECT_EQ(*store_->read(kQueue, LogIndex(2)), entries_of(2, 2).front());
  EXPECT_EQ(*store_->read(kQueue, LogIndex(4)), std::nullopt);
  EXPECT_EQ(*store_->read(kNeighbour, LogIndex(2)), std::nullopt);
}

TEST_F(LogStoreTest, KnowsTheEndOfEachLog) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 300)});
  must_write(*store_, {.group = kNeighbour, .entries = entries_of(1, 500)});
  must_write(*store_, {.group = kQueue, .truncate_from = LogIndex(200)});
  const auto last = [&](GroupId group) { return store_->summarize(group, LogIndex(0))->last; };
  EXPECT_EQ(last(kQueue), LogIndex(199));
  EXPECT_EQ(last(kNeighbour), LogIndex(500));
  EXPECT_EQ(last(GroupId(99)), LogIndex(0));
}

TEST_F(LogStoreTest, TruncationForgetsTheTailAndOnlyOfItsGroup) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 10)});
  must_write(*store_, {.group = kNeighbour, .entries = entries_of(1, 10)});
  must_write(*store_, {.group = kQueue, .truncate_from = LogIndex(4)});
  reopen();
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 3));
  EXPECT_EQ(must_scan(*store_, kNeighbour), entries_of(1, 10));
}

TEST_F(LogStoreTest, ANewTermReplacesAnIndexInOneWrite) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 3)});
  const auto replacement = entry_of(2, 7, "of the new leader");
  must_write(*store_, {.group = kQueue, .truncate_from = LogIndex(2), .entries = {replacement}});
  reopen();
  EXPECT_EQ(must_scan(*store_, kQueue), (std::vector{entries_of(1, 1).front(), replacement}));
}

TEST_F(LogStoreTest, WritesOfOneBatchApplyInOrder) {
  const GroupWrite writes[] = {{.group = kQueue, .entries = entries_of(1, 5), .row = row_of_one()},
                               {.group = kQueue, .truncate_from = LogIndex(3), .entries = {entry_of(3, 2, "three")}}};
  ASSERT_TRUE(store_->write(writes, Durability::synced));
  EXPECT_EQ(indexes_in(*store_, kQueue), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ((*store_->read(kQueue, LogIndex(3)))->term, Term(2));
}

TEST_F(LogStoreTest, RemembersTermAndVote) {
  GroupRow row = row_of_one();
  must_write(*store_, {.group = kQueue, .row = row});
  row.hard_state = {.term = Term(9), .voted_for = raft::ReplicaId(3)};
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 1), .row = row});
  must_write(*store_, {.group = kQueue, .entries = entries_of(2, 2)});
  reopen();
  EXPECT_EQ(*store_->row(kQueue), row);
  EXPECT_EQ(*store_->row(kNeighbour), std::nullopt);
  EXPECT_EQ(store_->loss(), Loss::none);
}

TEST_F(LogStoreTest, AGroupExistsFromItsFirstWriteOn) {
  must_write(*store_, {.group = kNeighbour, .entries = entries_of(1, 1)});
  must_write(*store_, {.group = kQueue, .row = GroupRow{}});
  reopen();
  EXPECT_EQ(store_->groups(), (std::vector{kQueue, kNeighbour}));
  EXPECT_EQ(*store_->row(kQueue), GroupRow{});
}

TEST_F(LogStoreTest, AGroupThatBeginsWithoutItsRowIsOurMistake) {
  const GroupWrite first{.group = kQueue, .entries = entries_of(1, 1)};
  EXPECT_DEATH((void)store_->write(std::span(&first, 1), Durability::buffered), "row");
  must_write(*store_, {.group = kNeighbour});
  const GroupWrite anew{.group = kNeighbour, .drop = true, .entries = entries_of(1, 1)};
  EXPECT_DEATH((void)store_->write(std::span(&anew, 1), Durability::buffered), "row");
}

TEST_F(LogStoreTest, AGroupThatBeginsAnewHasNothingOfTheOldOne) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 10)});
  store_->retain(kQueue, std::make_shared<LiveSet>(LiveSet{.snapshot = LogIndex(10), .live = {}}));
  GroupRow row = row_of_one();
  row.self = raft::ReplicaId(2);
  must_write(*store_, {.group = kQueue, .drop = true, .entries = entries_of(1, 3), .row = row});
  ASSERT_TRUE(store_->compact_all());  // the old one's live set does not hold any more
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 3));
  reopen();
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 3));
  EXPECT_EQ(*store_->row(kQueue), row);
}

TEST_F(LogStoreTest, AGroupMayEndAndBeginInOneBatch) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 10)});
  const GroupWrite writes[] = {{.group = kQueue, .drop = true},
                               {.group = kQueue, .entries = entries_of(1, 2), .row = row_of_one()},
                               {.group = kNeighbour, .row = row_of_one()},
                               {.group = kNeighbour, .drop = true}};
  ASSERT_TRUE(store_->write(writes, Durability::synced));
  EXPECT_EQ(store_->groups(), std::vector{kQueue});
  ASSERT_TRUE(store_->compact_all());
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 2));
}

TEST_F(LogStoreTest, ADroppedGroupIsGoneForGoodHoweverLongItsLog) {
  for (const std::uint64_t length : {0, 1, 10, 64, 65, 200}) {
    SCOPED_TRACE(length);
    must_write(*store_, {.group = kQueue, .entries = entries_of(1, length)});
    must_write(*store_, {.group = kNeighbour, .entries = entries_of(1, 10)});
    must_write(*store_, {.group = kQueue, .drop = true});
    store_->retain(kQueue, std::make_shared<LiveSet>());  // the shard did not know yet
    EXPECT_TRUE(must_scan(*store_, kQueue).empty());
    reopen();
    EXPECT_EQ(store_->groups(), std::vector{kNeighbour});
    EXPECT_TRUE(must_scan(*store_, kQueue).empty());
    EXPECT_EQ(must_scan(*store_, kNeighbour), entries_of(1, 10));
  }
}

TEST_F(LogStoreTest, WhatTheSameBatchHasWrittenOfADroppedGroupIsGoneToo) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 3)});
  const GroupWrite writes[] = {{.group = kQueue, .entries = entries_of(4, 6)}, {.group = kQueue, .drop = true}};
  ASSERT_TRUE(store_->write(writes, Durability::synced));
  EXPECT_TRUE(must_scan(*store_, kQueue).empty());
}

TEST_F(LogStoreTest, ADroppedGroupOfWhichNothingIsInMemoryIsGone) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 3, 100'000)});
  ASSERT_TRUE(store_->compact_all());
  reopen();
  must_write(*store_, {.group = kQueue, .drop = true});
  EXPECT_TRUE(must_scan(*store_, kQueue).empty());
}

}  // namespace
}  // namespace quorate::storage

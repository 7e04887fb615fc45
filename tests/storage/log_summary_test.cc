// What a replica must know of its log before it acts, and what it must refuse: each test tells one such fact.
#include <gtest/gtest.h>

#include "raft/configuration.h"
#include "storage/log_store.h"
#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};
constexpr GroupId kNeighbour{6};

raft::Entry configuration_at(std::uint64_t index, std::uint64_t term, const raft::Configuration& configuration) {
  raft::Entry entry = entry_of(index, term, "");
  entry.type = raft::EntryType::config;
  entry.payload = raft::encode_configuration(configuration);
  return entry;
}

class LogSummaryTest : public testing::Test {
 protected:
  LogSummary summarize(std::uint64_t after) {
    auto summary = store_->summarize(kQueue, LogIndex(after));
    EXPECT_TRUE(summary) << summary.error().text;
    return summary ? std::move(*summary) : LogSummary{};
  }
  /// The summary ends in front of the entry that is missing or damaged.
  void expect_damaged(std::uint64_t after, std::uint64_t index) {
    const LogSummary summary = summarize(after);
    EXPECT_EQ(summary.damaged, LogIndex(index));
    EXPECT_EQ(summary.last, LogIndex(index - 1));
    for (const raft::TermRun& run : summary.runs) EXPECT_LE(run.first, summary.last);
  }

  TestDirectory directory_;
  std::unique_ptr<LogStore> store_ = must_open({.path = directory_ / "log"});
};

TEST_F(LogSummaryTest, AnEmptyLogEndsWhereItIsSaidToBegin) {
  must_write(*store_, {.group = kNeighbour, .entries = entries_of(1, 3)});
  EXPECT_EQ(summarize(0).last, LogIndex(0));
  EXPECT_EQ(summarize(40).last, LogIndex(40));
  EXPECT_TRUE(summarize(40).runs.empty());
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 3)});
  EXPECT_EQ(summarize(3).last, LogIndex(3));
  EXPECT_EQ(summarize(9).last, LogIndex(9));
}

TEST_F(LogSummaryTest, KnowsTermsTimesAndConfigurations) {
  const raft::Configuration one{.voters = {raft::ReplicaId(1)}, .machine_version = 1};
  const raft::Configuration three{.voters = {raft::ReplicaId(1), raft::ReplicaId(2), raft::ReplicaId(3)}};
  std::vector<raft::Entry> entries = entries_of(1, 10);
  entries.push_back(configuration_at(11, 4, one));
  entries.push_back(entry_of(12, 4, "x"));
  entries.push_back(configuration_at(13, 9, three));
  must_write(*store_, {.group = kQueue, .entries = entries});

  const LogSummary all = summarize(0);
  EXPECT_EQ(all.last, LogIndex(13));
  EXPECT_EQ(all.last_ts, entries.back().ts);
  EXPECT_EQ(all.runs,
            (std::vector<raft::TermRun>{{LogIndex(1), Term(1)}, {LogIndex(11), Term(4)}, {LogIndex(13), Term(9)}}));
  EXPECT_EQ(all.configurations,
            (std::vector<std::pair<LogIndex, raft::Configuration>>{{LogIndex(11), one}, {LogIndex(13), three}}));
  const LogSummary end = summarize(11);
  EXPECT_EQ(end.runs, (std::vector<raft::TermRun>{{LogIndex(12), Term(4)}, {LogIndex(13), Term(9)}}));
  EXPECT_EQ(end.configurations.size(), 1u);
}

TEST_F(LogSummaryTest, OfTwoTermsAtOneIndexTheLaterHolds) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 3)});
  must_write(*store_, {.group = kQueue, .entries = {entry_of(3, 2, "later")}});
  EXPECT_EQ(summarize(0).runs, (std::vector<raft::TermRun>{{LogIndex(1), Term(1)}, {LogIndex(3), Term(2)}}));
}

TEST_F(LogSummaryTest, WhatTheSnapshotCoversIsNotLookedAt) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 20)});
  store_->retain(kQueue,
                 std::make_shared<LiveSet>(LiveSet{.snapshot = LogIndex(15), .live = {{LogIndex(3), LogIndex(4)}}}));
  ASSERT_TRUE(store_->compact_all());
  EXPECT_EQ(summarize(15).last, LogIndex(20));
  expect_damaged(0, 1);
  expect_damaged(3, 5);
}

TEST_F(LogSummaryTest, AHoleIsDamage) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 5)});
  must_write(*store_, {.group = kQueue, .entries = entries_of(7, 9)});
  expect_damaged(0, 6);
  EXPECT_EQ(summarize(6).last, LogIndex(9));
  EXPECT_EQ(summarize(6).damaged, std::nullopt);
}

TEST_F(LogSummaryTest, ATermThatGoesBackIsDamage) {
  must_write(*store_, {.group = kQueue, .entries = {entry_of(1, 4, "x"), entry_of(2, 3, "y")}});
  expect_damaged(0, 2);
}

TEST_F(LogSummaryTest, AConfigurationThatIsNoneIsDamage) {
  raft::Entry entry = entry_of(1, 1, "no configuration");
  entry.type = raft::EntryType::config;
  must_write(*store_, {.group = kQueue, .entries = {entry}});
  expect_damaged(0, 1);
}

TEST_F(LogSummaryTest, ADamagedEntryIsDamage) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 50, 10'000)});
  ASSERT_TRUE(store_->compact_all());
  store_.reset();
  damage_text(only_file_ending(directory_ / "log", ".blob"), "entry 42 ");
  store_ = must_open({.path = directory_ / "log"});
  expect_damaged(0, 42);
  EXPECT_EQ(summarize(42).last, LogIndex(50));
}

}  // namespace
}  // namespace quorate::storage

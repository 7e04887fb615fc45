// A directory that has lost synced writes, opened all the same: what is left, what is proven, and what is over for
// good. Each test damages a directory the way a disk would and tells one such fact.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "raft/configuration.h"
#include "storage/log_store.h"
#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;
constexpr GroupId kQueue{77};
constexpr GroupId kAlone{78};
constexpr std::size_t kPromisesHeaderBytes = 128;
constexpr std::size_t kPromiseBytes = 37;

GroupRow row_in(std::uint64_t term) {
  GroupRow row = row_of_three();
  row.hard_state = {.term = Term(term), .voted_for = raft::ReplicaId(2)};
  return row;
}

class LogLossTest : public testing::Test {
 protected:
  /// A hundred entries of a group of three, each synced; a new term with every tenth. A group of one beside it.
  void write_hundred_and_close() {
    auto store = must_open(options_);
    must_write(*store, {.group = kAlone, .row = row_of_one()});
    must_write(*store, {.group = kQueue, .row = row_in(0)});
    for (std::uint64_t i = 1; i <= 100; ++i) {
      const bool is_election = i % 10 == 0;
      must_write(*store, {.group = kQueue,
                          .entries = entries_of(i, i, 100),
                          .row = is_election ? std::optional(row_in(i / 10)) : std::nullopt});
      must_write(*store, {.group = kAlone, .entries = entries_of(i, i, 100)});
    }
    ASSERT_TRUE(store->store_mark());
  }
  std::unique_ptr<LogStore> salvage() {
    LogStore::Options options = options_;
    options.on_loss = LogStore::OnLoss::recover;
    return must_open(options);
  }
  /// Entries were lost, promises were not, and both starts that follow know it.
  void expect_entries_lost() {
    EXPECT_FALSE(LogStore::open(options_));
    auto store = salvage();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->loss(), Loss::entries);
    expect_recovering(*store);
    store.reset();
    store = must_open(options_);
    EXPECT_EQ(store->loss(), Loss::none);
    expect_recovering(*store);
  }
  static void expect_recovering(const LogStore& store) {
    const auto row = store.row(kQueue);
    ASSERT_TRUE(row && *row);
    EXPECT_EQ((*row)->self, row_of_three().self);
    EXPECT_EQ((*row)->hard_state,
              (raft::HardState{.term = Term(10), .voted_for = raft::ReplicaId(2), .recovering = true}));
    const auto summary = store.summarize(kQueue, LogIndex(0));
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->damaged, std::nullopt);
    EXPECT_LT(summary->last, LogIndex(100));
  }
  void expect_promises_lost() {
    EXPECT_FALSE(LogStore::open(options_));
    EXPECT_EQ(salvage()->loss(), Loss::promises);
    EXPECT_EQ(salvage()->loss(), Loss::promises);  // for ever
    expect_refused("let the other members replace this node");
  }
  void expect_refused(std::string_view because) {
    const auto store = LogStore::open(options_);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::corruption);
    EXPECT_NE(store.error().text.find(because), std::string::npos) << store.error().text;
  }
  void expect_refused_although_asked_to_salvage() {
    LogStore::Options options = options_;
    options.on_loss = LogStore::OnLoss::recover;
    EXPECT_FALSE(LogStore::open(options));
  }
  std::string wal() const { return only_file_ending(options_.path, ".log"); }
  std::string promises() const { return directory_ / "promises"; }
  void lose_half() { cut_file(wal(), fs::file_size(wal()) / 2); }

  TestDirectory directory_;
  LogStore::Options options_{.path = directory_ / "log"};
};

TEST_F(LogLossTest, AWholeDirectoryHasLostNothing) {
  write_hundred_and_close();
  const auto store = salvage();
  EXPECT_EQ(store->loss(), Loss::none);
  EXPECT_EQ(*store->row(kQueue), row_in(10));
  EXPECT_EQ(*store->row(kAlone), row_of_one());
}

TEST_F(LogLossTest, OfALogCutToHalfThePromisesAreProven) {
  write_hundred_and_close();
  lose_half();
  expect_entries_lost();
}

TEST_F(LogLossTest, OfALogWithAFlippedBitThePromisesAreProven) {
  write_hundred_and_close();
  flip_bit(wal(), fs::file_size(wal()) / 2);
  expect_entries_lost();
}

TEST_F(LogLossTest, ADeletedLogLeavesAGroupThatKnowsItsPromisesOnly) {
  write_hundred_and_close();
  fs::remove(wal());
  expect_entries_lost();
  const auto store = must_open(options_);
  EXPECT_EQ((*store->row(kQueue))->configuration, raft::Configuration{});
  EXPECT_EQ(*store->row(kAlone), std::nullopt);
  EXPECT_EQ(store->groups(), std::vector{kQueue});
}

TEST_F(LogLossTest, ADirectoryPutBackToAnEarlierDayForgetsNoPromise) {
  {
    auto store = must_open(options_);
    must_write(*store, {.group = kQueue, .entries = entries_of(1, 1), .row = row_in(0)});
  }
  fs::copy(options_.path, directory_ / "copy", fs::copy_options::recursive);
  write_hundred_and_close();
  fs::remove_all(options_.path);
  fs::rename(directory_ / "copy", options_.path);
  expect_entries_lost();
}

TEST_F(LogLossTest, AGroupOfOneIsKnownToHaveLostEntriesToo) {
  write_hundred_and_close();
  lose_half();
  GroupRow row = row_of_one();
  row.hard_state.recovering = true;
  EXPECT_EQ(*salvage()->row(kAlone), row);
}

// The writes behind the damage were synced, but no mark counts them: once the damage is cut off nothing else tells.
TEST_F(LogLossTest, AVerdictStandsUntilTheGroupsKnowOfIt) {
  write_hundred_and_close();
  {
    auto store = must_open(options_);
    for (std::uint64_t i = 101; i <= 109; ++i)
      must_write(*store, {.group = kQueue, .entries = entries_of(i, i, 40'000)});
  }
  damage_text(wal(), "entry 103 ");
  fs::rename(promises(), directory_ / "aside");
  fs::create_directory(promises());  // so that the start ends when the database is open
  expect_refused_although_asked_to_salvage();
  fs::remove(promises());
  fs::rename(directory_ / "aside", promises());
  EXPECT_FALSE(LogStore::open(options_));
  EXPECT_EQ(salvage()->loss(), Loss::entries);
  const auto store = must_open(options_);
  EXPECT_TRUE((*store->row(kQueue))->hard_state.recovering);
}

TEST_F(LogLossTest, WhatWasSalvagedIsWrittenOn) {
  write_hundred_and_close();
  lose_half();
  auto store = salvage();
  const std::uint64_t next = store->summarize(kQueue, LogIndex(0))->last.value() + 1;
  must_write(*store, {.group = kQueue, .entries = entries_of(next, 200, 100), .row = row_in(11)});
  ASSERT_TRUE(store->compact_all());
  store.reset();
  store = must_open(options_);
  EXPECT_EQ(must_scan(*store, kQueue), entries_of(1, 200, 100));
  EXPECT_EQ(*store->row(kQueue), row_in(11));
}

TEST_F(LogLossTest, TheDamagedLogIsKeptForWhoeverLooksForMore) {
  write_hundred_and_close();
  const std::string name = fs::path(wal()).filename();
  lose_half();
  const std::string found = file_content(wal());
  salvage().reset();
  must_open(options_).reset();
  EXPECT_EQ(file_content(options_.path + "/lost/" + name), found);
}

TEST_F(LogLossTest, AReplicaThatWasDroppedStaysDropped) {
  write_hundred_and_close();
  {
    auto store = must_open(options_);
    must_write(*store, {.group = kQueue, .entries = entries_of(101, 101)});
    must_write(*store, {.group = kQueue, .drop = true}, Durability::buffered);
    ASSERT_TRUE(store->store_mark());
  }
  fs::remove(wal());
  const auto store = salvage();
  EXPECT_EQ(store->loss(), Loss::entries);
  EXPECT_EQ(store->groups(), std::vector{kAlone});
}

TEST_F(LogLossTest, AReplicaThatBeganAnewHasNothingOfTheOldOne) {
  write_hundred_and_close();
  GroupRow anew = row_in(3);
  anew.self = raft::ReplicaId(9);
  {
    auto store = must_open(options_);
    must_write(*store, {.group = kQueue, .drop = true, .row = anew});
    ASSERT_TRUE(store->store_mark());
  }
  fs::remove(wal());
  const auto store = salvage();
  anew.hard_state.recovering = true;
  anew.configuration = {};
  EXPECT_EQ(*store->row(kQueue), anew);
  EXPECT_TRUE(must_scan(*store, kQueue).empty());
}

TEST_F(LogLossTest, AGroupOfOneThatHasGrownKeepsItsPromises) {
  {
    auto store = must_open(options_);
    must_write(*store, {.group = kQueue, .row = row_of_one()});
    EXPECT_EQ(fs::file_size(promises()), kPromisesHeaderBytes);  // a group of one costs nothing
    raft::Entry grown = entry_of(1, 1, "");
    grown.type = raft::EntryType::config;
    grown.payload = raft::encode_configuration(row_of_three().configuration);
    must_write(*store, {.group = kQueue, .entries = {grown}});
    EXPECT_EQ(fs::file_size(promises()), kPromisesHeaderBytes + kPromiseBytes);
  }
  {
    auto store = must_open(options_);
    GroupRow row = row_of_one();  // how it began
    row.hard_state = {.term = Term(10), .voted_for = raft::ReplicaId(2)};
    must_write(*store, {.group = kQueue, .row = row});
  }
  fs::remove(wal());
  EXPECT_EQ((*salvage()->row(kQueue))->hard_state.term, Term(10));
}

TEST_F(LogLossTest, WithoutTheirFilePromisesAreLost) {
  write_hundred_and_close();
  lose_half();
  fs::remove(promises());
  expect_promises_lost();
}

TEST_F(LogLossTest, WithTheirFileDamagedPromisesAreLost) {
  write_hundred_and_close();
  lose_half();
  flip_bit(promises(), fs::file_size(promises()) - 5);
  expect_promises_lost();
}

TEST_F(LogLossTest, WithTheLastOneCutOffPromisesAreLost) {
  write_hundred_and_close();
  lose_half();
  cut_file(promises(), fs::file_size(promises()) - kPromiseBytes);
  expect_promises_lost();
}

TEST_F(LogLossTest, WithAnotherNodesFilePromisesAreLost) {
  const TestDirectory elsewhere;
  {
    auto other = must_open({.path = elsewhere / "log"});
    for (std::uint64_t term = 1; term < 30; ++term) must_write(*other, {.group = kQueue, .row = row_in(term)});
  }
  write_hundred_and_close();
  lose_half();
  fs::copy_file(elsewhere / "promises", promises(), fs::copy_options::overwrite_existing);
  expect_promises_lost();
}

TEST_F(LogLossTest, WithoutTheMarkPromisesAreLost) {
  write_hundred_and_close();
  fs::remove(directory_ / "durable.mark");
  expect_promises_lost();
}

TEST_F(LogLossTest, WithADamagedMarkPromisesAreLost) {
  write_hundred_and_close();
  flip_bit(directory_ / "durable.mark", 20);
  flip_bit(directory_ / "durable.mark", 4096 + 20);
  expect_promises_lost();
}

TEST_F(LogLossTest, OfAWholeDatabaseADamagedFileOfPromisesIsWrittenAgain) {
  for (const bool is_missing : {true, false}) {
    write_hundred_and_close();
    if (is_missing) {
      fs::remove(promises());
    } else {
      flip_bit(promises(), 20);
    }
    EXPECT_EQ(must_open(options_)->loss(), Loss::none);
    EXPECT_EQ(fs::file_size(promises()), kPromisesHeaderBytes + 2 * kPromiseBytes);  // none is left out
    must_write(*must_open(options_), {.group = kQueue, .drop = true});
    must_write(*must_open(options_), {.group = kAlone, .drop = true});
  }
}

TEST_F(LogLossTest, ATornEndThatWasNeverPromisedIsNoLoss) {
  write_hundred_and_close();
  {
    auto store = must_open(options_);
    must_write(*store, {.group = kQueue, .entries = entries_of(101, 101)});
    ASSERT_TRUE(store->store_mark());
    must_write(*store, {.group = kQueue, .entries = entries_of(102, 102)}, Durability::buffered);
  }
  cut_file(wal(), fs::file_size(wal()) - 5);
  const auto store = salvage();
  EXPECT_EQ(store->loss(), Loss::none);
  EXPECT_EQ(*store->row(kQueue), row_in(10));
}

TEST_F(LogLossTest, WhatCannotBeOpenedIsRefusedAllTheSame) {
  write_hundred_and_close();
  must_open(options_).reset();
  fs::remove(files_ending(options_.path, ".sst").front());
  expect_refused_although_asked_to_salvage();
}

TEST_F(LogLossTest, AMissingDatabaseIsRefusedAllTheSame) {
  write_hundred_and_close();
  fs::remove_all(options_.path);
  expect_refused_although_asked_to_salvage();
}

TEST_F(LogLossTest, AHoleBetweenTwoLogsIsRefusedAllTheSame) {
  options_.write_buffer_bytes = 1u << 20;
  {
    auto store = must_open(options_);
    for (std::uint64_t i = 1; i <= 40; ++i) must_write(*store, {.group = kQueue, .entries = entries_of(i, i, 60'000)});
    ASSERT_TRUE(store->store_mark());
  }
  const auto logs = files_ending(options_.path, ".log");
  ASSERT_GE(logs.size(), 2u);
  fs::remove(*std::ranges::min_element(logs));
  expect_refused_although_asked_to_salvage();
}

}  // namespace
}  // namespace quorate::storage

// Compaction forgets what no live set needs, keeps the rest, and gives the disk back: each test tells one such fact.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "storage/log_store.h"
#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};
constexpr GroupId kNeighbour{6};
constexpr std::size_t kMiB = 1u << 20;

std::shared_ptr<const LiveSet> live(std::uint64_t snapshot, std::vector<std::pair<LogIndex, LogIndex>> ranges) {
  return std::make_shared<const LiveSet>(LiveSet{.snapshot = LogIndex(snapshot), .live = std::move(ranges)});
}

TEST(LiveSet, NeedsItsRangesAndWhateverFollowsTheSnapshot) {
  const auto set = live(10, {{LogIndex(2), LogIndex(3)}, {LogIndex(7), LogIndex(7)}});
  std::vector<std::uint64_t> needed;
  for (std::uint64_t i = 0; i < 13; ++i) {
    if (set->contains(LogIndex(i))) needed.push_back(i);
  }
  EXPECT_EQ(needed, (std::vector<std::uint64_t>{2, 3, 7, 11, 12}));
}

class LogRetentionTest : public testing::Test {
 protected:
  void fill(GroupId group, std::uint64_t from, std::uint64_t to, std::size_t size) {
    constexpr std::uint64_t kStep = 64;
    for (; from <= to; from += kStep) {
      must_write(*store_, {.group = group, .entries = entries_of(from, std::min(to, from + kStep - 1), size)},
                 Durability::buffered);
    }
  }

  /// RocksDB unlinks files on a thread of its own, just after the compaction that freed them.
  void expect_bytes_on_disk_below(std::uint64_t bytes) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (store_->bytes_on_disk() >= bytes && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_LT(store_->bytes_on_disk(), bytes);
  }

  TestDirectory directory_;
  LogStore::Options options_{.path = directory_ / "log", .write_buffer_bytes = 8 * kMiB};
  std::unique_ptr<LogStore> store_ = must_open(options_);
};

TEST_F(LogRetentionTest, DropsTheDeadAndKeepsTheLive) {
  for (const std::size_t size : {100u, 10'000u}) {
    const GroupId group{100 + size};
    must_write(*store_, {.group = group, .entries = entries_of(1, 20, size)});
    store_->retain(group, live(18, {{LogIndex(3), LogIndex(4)}, {LogIndex(9), LogIndex(9)}}));
    ASSERT_TRUE(store_->compact_all());
    EXPECT_EQ(indexes_in(*store_, group), (std::vector<std::uint64_t>{3, 4, 9, 19, 20}));
    EXPECT_EQ(*store_->read(group, LogIndex(9)), entries_of(9, 9, size).front());
  }
}

TEST_F(LogRetentionTest, AGroupWithoutALiveSetKeepsEverything) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 20)});
  ASSERT_TRUE(store_->compact_all());
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 20));
}

TEST_F(LogRetentionTest, NothingIsForgottenWhileOpening) {
  must_write(*store_, {.group = kQueue, .entries = entries_of(1, 20)});
  store_.reset();
  store_ = must_open(options_);  // recovery flushes before it knows any group
  ASSERT_TRUE(store_->compact_all());
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 20));
}

TEST_F(LogRetentionTest, ADrainedQueueGivesItsDiskBack) {
  for (const std::size_t size : {1000u, 30'000u}) {  // in tables, in blob files
    const GroupId group{100 + size};
    const std::uint64_t count = 128 * kMiB / size;
    fill(group, 1, count, size);
    const std::uint64_t before = store_->bytes_on_disk();
    EXPECT_GT(before, 90 * kMiB);
    store_->retain(group, live(count, {}));
    ASSERT_TRUE(store_->reclaim(group, LogIndex(count + 1)));
    expect_bytes_on_disk_below(before / 10);
    EXPECT_TRUE(must_scan(*store_, group).empty());
  }
}

TEST_F(LogRetentionTest, ADrainedQueueLeavesItsNeighbourWhole) {
  for (std::uint64_t i = 0; i < 60; ++i) {  // both in the same tables and blob files
    fill(kQueue, 1 + i * 64, (i + 1) * 64, 30'000);
    fill(kNeighbour, 1 + i * 2, (i + 1) * 2, 30'000);
  }
  const std::uint64_t before = store_->bytes_on_disk();
  store_->retain(kQueue, live(60 * 64, {}));
  ASSERT_TRUE(store_->reclaim(kQueue, LogIndex(60 * 64 + 1)));
  EXPECT_EQ(must_scan(*store_, kNeighbour), entries_of(1, 120, 30'000));
  expect_bytes_on_disk_below(before / 10);
}

TEST_F(LogRetentionTest, ADroppedGroupGivesItsDiskBack) {
  fill(kQueue, 1, 4500, 30'000);
  const std::uint64_t before = store_->bytes_on_disk();
  must_write(*store_, {.group = kQueue, .drop = true});
  // What was just being written out goes when the next one asks.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (store_->bytes_on_disk() >= before / 10 && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(store_->reclaim(kQueue, kLast));
    std::this_thread::yield();
  }
  EXPECT_LT(store_->bytes_on_disk(), before / 10);
}

TEST_F(LogRetentionTest, LittleToReclaimIsLeftAlone) {
  fill(kQueue, 1, 100, 1000);
  store_->retain(kQueue, live(100, {}));
  ASSERT_TRUE(store_->reclaim(kQueue, LogIndex(101)));
  EXPECT_TRUE(files_ending(options_.path, ".sst").empty());
}

TEST_F(LogRetentionTest, WhatIsInMemoryIsNotWrittenOutToReclaimIt) {
  store_.reset();
  options_.write_buffer_bytes = 256 * kMiB;
  store_ = must_open(options_);
  fill(kQueue, 1, 3000, 30'000);
  store_->retain(kQueue, live(3000, {}));
  ASSERT_TRUE(store_->reclaim(kQueue, LogIndex(3001)));
  EXPECT_TRUE(files_ending(options_.path, ".sst").empty());
}

TEST_F(LogRetentionTest, NoWriteAheadLogOutlivesItsEntriesForARowsSake) {
  must_write(*store_, {.group = kNeighbour, .row = GroupRow{.hard_state = {.term = Term(1)}}});
  fill(kQueue, 1, 1000, 30'000);  // four times the memory of the log, a part of the limit of write-ahead logs
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto count = [&] {
    return std::ranges::count_if(std::filesystem::directory_iterator(options_.path),
                                 [](const auto& file) { return file.path().extension() == ".log"; });
  };
  while (count() > 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_LE(count(), 2);
}

}  // namespace
}  // namespace quorate::storage

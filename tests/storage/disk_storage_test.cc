// The door leads to the disk: what is written, read, saved and dropped through it is so in the stores, in order.
#include "storage/disk_storage.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};

Snapshot snapshot_at(std::uint64_t index, std::vector<std::pair<LogIndex, LogIndex>> live) {
  return {.meta = {.last = {.index = LogIndex(index), .term = Term(1)}, .configuration = row_of_one().configuration},
          .live = {.snapshot = LogIndex(index), .live = std::move(live)},
          .state = Bytes::copy_of("state")};
}

/// The stores of one node and the door to them; a new one is a restart.
class Disk {
 public:
  explicit Disk(const TestDirectory& directory)
      : log(must_open({.path = directory / "log"})),
        snapshots(std::move(*SnapshotStore::open({.path = directory / "state"}))) {}
  ~Disk() {
    writer.stop();
    reader.stop();
  }

  std::unique_ptr<LogStore> log;
  std::unique_ptr<SnapshotStore> snapshots;
  SystemClock clock;
  LogWriter writer{*log, clock};
  LogReader reader{*log};
  DiskStorage storage{*log, writer, reader, *snapshots};
};

class DiskStorageTest : public testing::Test {
 protected:
  /// What `ask` answers to the completion that it is given.
  template <class T, class Ask>
  static Result<T> wait_for(Ask ask) {
    std::promise<Result<T>> answer;
    ask([&](Result<T> result) { answer.set_value(std::move(result)); });
    return answer.get_future().get();
  }
  Result<void> submit(GroupWrite write) {
    return wait_for<void>([&](auto done) {
      std::vector<GroupWrite> writes;
      writes.push_back(std::move(write));
      disk_->storage.submit(std::move(writes), 1, Durability::synced, std::move(done));
    });
  }
  Result<std::vector<raft::Entry>> read(std::uint64_t from, std::uint64_t to, std::size_t bytes_max) {
    return wait_for<std::vector<raft::Entry>>(
        [&](auto done) { disk_->storage.read(kQueue, LogIndex(from), LogIndex(to), bytes_max, std::move(done)); });
  }
  Result<void> save(const Snapshot& snapshot) {
    return wait_for<void>([&](auto done) {
      disk_->storage.save_snapshot(kQueue, snapshot, snapshot.meta.last.index.plus(1), std::move(done));
    });
  }
  Result<std::optional<Snapshot>> fetch() {
    return wait_for<std::optional<Snapshot>>(
        [&](auto done) { disk_->storage.fetch_snapshot(kQueue, std::move(done)); });
  }
  void restart() {
    disk_.reset();
    disk_ = std::make_unique<Disk>(directory_);
  }

  TestDirectory directory_;
  std::unique_ptr<Disk> disk_ = std::make_unique<Disk>(directory_);
};

TEST_F(DiskStorageTest, WhatIsSubmittedIsFoundAtTheNextStart) {
  ASSERT_TRUE(submit({.group = kQueue, .entries = entries_of(1, 10), .row = row_of_one()}));
  ASSERT_TRUE(submit({.group = staging_of(kQueue), .row = GroupRow{}}));
  restart();
  EXPECT_EQ(disk_->storage.loss(), Loss::none);
  EXPECT_EQ(disk_->storage.groups(), (std::vector{kQueue, staging_of(kQueue)}));
  EXPECT_TRUE(is_staging(disk_->storage.groups().back()));
  EXPECT_EQ(*disk_->storage.row(kQueue), row_of_one());
  EXPECT_EQ(disk_->storage.summarize(kQueue, LogIndex(4))->last, LogIndex(10));
  EXPECT_EQ(*read(2, 4, 1u << 20), entries_of(2, 4));
  EXPECT_EQ(*disk_->storage.load_snapshot(kQueue), std::nullopt);
}

TEST_F(DiskStorageTest, ASavedSnapshotIsFetchedAndTheLogMayForgetTheRest) {
  ASSERT_TRUE(submit({.group = kQueue, .entries = entries_of(1, 10), .row = row_of_one()}));
  EXPECT_EQ(*fetch(), std::nullopt);
  const Snapshot snapshot = snapshot_at(8, {{LogIndex(3), LogIndex(4)}});
  ASSERT_TRUE(save(snapshot));
  EXPECT_EQ(*fetch(), snapshot);
  ASSERT_TRUE(disk_->log->compact_all());
  EXPECT_EQ(indexes_in(*disk_->log, kQueue), (std::vector<std::uint64_t>{3, 4, 9, 10}));
}

TEST_F(DiskStorageTest, AGroupOpenedWithItsSnapshotForgetsTheRest) {
  ASSERT_TRUE(submit({.group = kQueue, .entries = entries_of(1, 10), .row = row_of_one()}));
  ASSERT_TRUE(save(snapshot_at(8, {})));
  restart();
  EXPECT_EQ(*disk_->storage.load_snapshot(kQueue), snapshot_at(8, {}));
  ASSERT_TRUE(disk_->log->compact_all());
  EXPECT_EQ(indexes_in(*disk_->log, kQueue), (std::vector<std::uint64_t>{9, 10}));
}

// By the entry that the snapshot ends with: a cut of the log that is lost brings back what was cut off (sim --nodes
// --seed=2005631).
TEST_F(DiskStorageTest, KnowsTheLogThatASnapshotWasTakenOf) {
  const Snapshot snapshot = snapshot_at(8, {{LogIndex(3), LogIndex(4)}, {LogIndex(8), LogIndex(8)}});
  ASSERT_TRUE(submit({.group = kQueue, .entries = entries_of(1, 10), .row = row_of_one()}));
  ASSERT_TRUE(save(snapshot));
  ASSERT_TRUE(disk_->log->compact_all());
  EXPECT_TRUE(*disk_->storage.has_log_of(kQueue, snapshot));

  ASSERT_TRUE(submit({.group = kQueue, .truncate_from = LogIndex(8)}));
  EXPECT_FALSE(*disk_->storage.has_log_of(kQueue, snapshot)) << "it ends before";
  ASSERT_TRUE(submit({.group = kQueue, .entries = {entry_of(8, 2, "of another leader")}}));
  EXPECT_FALSE(*disk_->storage.has_end_of(kQueue, snapshot)) << "it went another way";
  ASSERT_TRUE(submit({.group = kQueue, .truncate_from = LogIndex(4), .entries = {entry_of(8, 1, "as it was")}}));
  EXPECT_TRUE(*disk_->storage.has_end_of(kQueue, snapshot));
  EXPECT_FALSE(*disk_->storage.has_log_of(kQueue, snapshot)) << "what is live is missing";
  ASSERT_TRUE(submit({.group = kQueue, .entries = entries_of(4, 4)}));
  EXPECT_TRUE(*disk_->storage.has_log_of(kQueue, snapshot));
}

TEST_F(DiskStorageTest, AGroupThatEndsTakesItsSnapshotAlong) {
  ASSERT_TRUE(submit({.group = kQueue, .entries = entries_of(1, 10), .row = row_of_one()}));
  ASSERT_TRUE(save(snapshot_at(8, {})));
  ASSERT_TRUE(submit({.group = kQueue, .drop = true}));
  ASSERT_TRUE(wait_for<void>([&](auto done) { disk_->storage.drop_snapshot(kQueue, std::move(done)); }));
  EXPECT_EQ(*fetch(), std::nullopt);
  restart();
  EXPECT_TRUE(disk_->storage.groups().empty());
  EXPECT_EQ(*disk_->storage.load_snapshot(kQueue), std::nullopt);
}

TEST_F(DiskStorageTest, ADamagedEntryEndsAnAnswerAndIsRefusedWhenItComesFirst) {
  ASSERT_TRUE(submit({.group = kQueue, .entries = entries_of(1, 50, 10'000), .row = row_of_one()}));
  ASSERT_TRUE(disk_->log->compact_all());
  disk_.reset();
  damage_text(only_file_ending(directory_ / "log", ".blob"), "entry 42 ");
  restart();
  EXPECT_EQ(*read(40, 50, 1u << 20), entries_of(40, 41, 10'000));
  EXPECT_EQ(*read(41, 50, 1), entries_of(41, 41, 10'000));
  EXPECT_EQ(*read(43, 50, 1u << 20), entries_of(43, 50, 10'000));
  const auto damaged = read(42, 50, 1u << 20);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::corruption);
}

}  // namespace
}  // namespace quorate::storage

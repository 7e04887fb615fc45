// A log that lost anything it once synced is refused, with its evidence kept; a torn end that nobody was promised is
// cut off. Each test damages a directory the way a disk would and tells one such fact.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "storage/log_store.h"
#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

namespace fs = std::filesystem;
constexpr GroupId kQueue{77};

class LogDamageTest : public testing::Test {
 protected:
  /// A hundred writes, each synced and covered by the mark; they all lie in one write-ahead log.
  void write_hundred_and_close() {
    auto store = must_open(options_);
    for (std::uint64_t i = 1; i <= 100; ++i) must_write(*store, {.group = kQueue, .entries = entries_of(i, i, 100)});
    ASSERT_TRUE(store->store_mark());
  }
  /// One more write that the mark does not know of: synced a moment before the power went.
  void write_unmarked_and_close() {
    auto store = must_open(options_);
    must_write(*store, {.group = kQueue, .entries = entries_of(1, 50, 100)});
    ASSERT_TRUE(store->store_mark());
    must_write(*store, {.group = kQueue, .entries = entries_of(51, 51, 100)}, Durability::buffered);
  }
  /// Several write-ahead logs; the oldest is kept for the sake of the group's hard state. Answers with its path.
  std::string write_many_logs_and_close() {
    options_.write_buffer_bytes = 1u << 20;
    auto store = must_open(options_);
    for (std::uint64_t i = 1; i <= 40; ++i) must_write(*store, {.group = kQueue, .entries = entries_of(i, i, 60'000)});
    EXPECT_TRUE(store->store_mark());
    store.reset();
    const auto logs = files_ending(options_.path, ".log");
    EXPECT_GE(logs.size(), 2u);
    return *std::ranges::min_element(logs);
  }
  /// A hundred entries in a table file, so that no write-ahead log holds it any more.
  void write_table_and_close(std::size_t size) {
    auto store = must_open(options_);
    must_write(*store, {.group = kQueue, .entries = entries_of(1, 100, size)});
    ASSERT_TRUE(store->compact_all());
    ASSERT_TRUE(store->store_mark());
  }
  std::string wal() const { return only_file_ending(options_.path, ".log"); }
  std::size_t wal_bytes() const { return fs::file_size(wal()); }

  void expect_refused(std::string_view because) {
    const auto store = LogStore::open(options_);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::corruption) << store.error().text;
    EXPECT_NE(store.error().text.find(because), std::string::npos) << store.error().text;
  }

  TestDirectory directory_;
  LogStore::Options options_{.path = directory_ / "log"};
};

TEST_F(LogDamageTest, AFlippedBitInTheMiddleIsRefused) {
  write_hundred_and_close();
  const std::string name = fs::path(wal()).filename();
  flip_bit(wal(), wal_bytes() / 2);
  expect_refused(name);
  expect_refused("every group written after write");
}

TEST_F(LogDamageTest, AnUnmarkedButIntactWriteBehindTheDamageIsRefused) {
  {
    auto store = must_open(options_);
    for (std::uint64_t i = 1; i <= 9; ++i) must_write(*store, {.group = kQueue, .entries = entries_of(i, i, 40'000)});
  }
  damage_text(wal(), "entry 3 ");
  expect_refused("intact writes follow the damage");
}

TEST_F(LogDamageTest, AFlippedBitInTheLastSyncedWriteIsRefused) {
  write_hundred_and_close();
  flip_bit(wal(), wal_bytes() - 5);
  expect_refused("synced writes can be read");
}

TEST_F(LogDamageTest, ALogCutToHalfIsRefusedAgainAndAgain) {
  write_hundred_and_close();
  cut_file(wal(), wal_bytes() / 2);
  const std::string found = file_content(wal());
  const std::string name = fs::path(wal()).filename();
  expect_refused("synced writes are left");
  expect_refused("synced writes are left");
  EXPECT_EQ(file_content(options_.path + "/evidence/" + name), found);
}

TEST_F(LogDamageTest, ADeletedLogIsRefused) {
  write_hundred_and_close();
  fs::remove(wal());
  expect_refused("synced writes are left");
}

TEST_F(LogDamageTest, AnOlderLogCutShortIsRefused) {
  const std::string oldest = write_many_logs_and_close();
  cut_file(oldest, fs::file_size(oldest) / 2);
  expect_refused(fs::path(oldest).filename().string());
}

TEST_F(LogDamageTest, AnOlderLogDeletedIsRefused) {
  const std::string oldest = write_many_logs_and_close();
  fs::remove(oldest);
  expect_refused("Missing WAL");
}

TEST_F(LogDamageTest, AZeroedEndOfSyncedWritesIsRefused) {
  write_hundred_and_close();
  std::string content = file_content(wal());
  content.replace(content.size() - 3000, 3000, 3000, '\0');
  replace_file(wal(), content);
  expect_refused("synced writes");
}

TEST_F(LogDamageTest, AMissingDatabaseIsRefused) {
  write_hundred_and_close();
  fs::remove_all(options_.path);
  expect_refused("it is gone");
}

TEST_F(LogDamageTest, AForeignDatabaseIsRefused) {
  write_hundred_and_close();
  fs::remove_all(options_.path);
  const TestDirectory elsewhere;
  {
    const auto other = must_open({.path = elsewhere / "log"});
  }
  fs::copy(elsewhere / "log", options_.path, fs::copy_options::recursive);
  expect_refused("speaks of database");
}

TEST_F(LogDamageTest, AMissingMarkIsRefused) {
  write_hundred_and_close();
  fs::remove(directory_ / "durable.mark");
  expect_refused("durability mark");
}

TEST_F(LogDamageTest, AMarkOfALaterEpochIsRefused) {
  {
    const auto store = must_open({.path = options_.path, .epoch = Epoch(5)});
  }
  options_.epoch = Epoch(4);
  expect_refused("epoch 5");
}

TEST_F(LogDamageTest, ATornEndThatWasNeverSyncedIsCutOff) {
  write_unmarked_and_close();
  cut_file(wal(), wal_bytes() - 10);
  EXPECT_EQ(must_scan(*must_open(options_), kQueue), entries_of(1, 50, 100));
  EXPECT_EQ(must_scan(*must_open(options_), kQueue), entries_of(1, 50, 100));
}

TEST_F(LogDamageTest, AGarbledEndThatWasNeverSyncedIsCutOff) {
  write_unmarked_and_close();
  flip_bit(wal(), wal_bytes() - 5);
  EXPECT_EQ(must_scan(*must_open(options_), kQueue), entries_of(1, 50, 100));
  auto store = must_open(options_);
  must_write(*store, {.group = kQueue, .entries = entries_of(51, 60, 100)});
  store.reset();
  EXPECT_EQ(must_scan(*must_open(options_), kQueue), entries_of(1, 60, 100));
}

TEST_F(LogDamageTest, AnEntryWithAFlippedBitIsRefusedByName) {
  write_table_and_close(10'000);
  damage_text(only_file_ending(options_.path, ".blob"), "entry 42 ");
  const auto store = must_open(options_);
  const auto read = store->read(kQueue, LogIndex(42));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::corruption);
  EXPECT_NE(read.error().text.find("group 77 at index 42"), std::string::npos) << read.error().text;
  EXPECT_TRUE(store->read(kQueue, LogIndex(43)));
}

TEST_F(LogDamageTest, ADamagedTableIsRefusedWithItsGroups) {
  write_table_and_close(100);
  const auto table = files_ending(options_.path, ".sst").front();
  for (const std::string& file : files_ending(options_.path, ".sst")) {
    if (fs::file_size(file) >= fs::file_size(table)) flip_bit(file, 200);
  }
  const auto store = LogStore::open(options_);
  const auto scanned = (*store)->scan(kQueue, kFirst, kLast, [](raft::Entry&&) { return true; });
  ASSERT_FALSE(scanned);
  EXPECT_EQ(scanned.error().code, ErrorCode::corruption);
  EXPECT_NE(scanned.error().text.find("that file holds groups 77 to 77"), std::string::npos) << scanned.error().text;
}

TEST_F(LogDamageTest, AMissingTableIsRefused) {
  write_table_and_close(100);
  const std::string table = files_ending(options_.path, ".sst").front();
  fs::remove(table);
  expect_refused(fs::path(table).stem().string());
}

}  // namespace
}  // namespace quorate::storage

// The log writer merges what waits, answers in order and never tries twice: each test tells one such fact.
#include "storage/log_writer.h"

#include <gtest/gtest.h>

#include <future>
#include <numeric>
#include <thread>

#include "tests/storage/directories.h"
#include "tests/storage/full_disk.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};

class LogWriterTest : public testing::Test {
 protected:
  std::vector<GroupWrite> one_write(std::uint64_t index, std::size_t size = 100) {
    std::vector<GroupWrite> writes(1);
    writes[0] = {.group = kQueue, .entries = entries_of(index, index, size)};
    if (index == 1) writes[0].row = row_of_one();
    return writes;
  }
  /// Submits a write whose completion keeps the writer busy until release() is called.
  void hold_writer() {
    writer_->submit(one_write(1), 100, Durability::synced, [this](Result<void>) {
      held_.set_value();
      released_.get_future().wait();
    });
    held_.get_future().wait();
  }
  void release() { released_.set_value(); }

  TestDirectory directory_;
  SystemClock clock_;
  std::promise<void> held_;
  std::promise<void> released_;
  std::unique_ptr<LogStore> store_ = must_open({.path = directory_ / "log"});
  std::unique_ptr<LogWriter> writer_ = std::make_unique<LogWriter>(*store_, clock_);
};

TEST_F(LogWriterTest, MergesWhatWaitsAndAnswersInOrder) {
  hold_writer();
  std::vector<int> answers;  // written by the writer thread, read after stop()
  for (int i = 0; i < 100; ++i) {
    writer_->submit(one_write(2 + i), 100, Durability::synced, [&answers, i](Result<void> written) {
      EXPECT_TRUE(written);
      answers.push_back(i);
    });
  }
  EXPECT_EQ(writer_->pending_bytes(), 101 * 100u);
  release();
  writer_->stop();
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(answers, expected);
  EXPECT_EQ(writer_->pending_bytes(), 0u);
  EXPECT_EQ(writer_->counters().batches, 2u);
  EXPECT_EQ(writer_->counters().entries, 101u);
  EXPECT_EQ(must_scan(*store_, kQueue), entries_of(1, 101, 100));
}

TEST_F(LogWriterTest, ABatchIsBounded) {
  hold_writer();
  for (std::uint64_t i = 0; i < 6; ++i) {
    writer_->submit(one_write(2 + i, 3u << 20), 3u << 20, Durability::synced, [](Result<void>) {});
  }
  release();
  writer_->stop();
  EXPECT_EQ(writer_->counters().batches, 1u + 3u);
  EXPECT_EQ(writer_->counters().batch_bytes_max, 6u << 20);
}

TEST_F(LogWriterTest, SyncsOnlyABatchThatAsksForIt) {
  hold_writer();
  writer_->submit(one_write(2), 100, Durability::buffered, [](Result<void>) {});
  release();
  writer_->stop();
  EXPECT_EQ(writer_->counters().batches, 2u);
  EXPECT_EQ(writer_->counters().syncs, 1u);
}

TEST_F(LogWriterTest, ManyShardsLoseNothing) {
  constexpr std::uint64_t kEach = 200;
  std::atomic<std::uint64_t> answered = 0;
  const auto shard = [&](std::uint64_t group) {
    for (std::uint64_t i = 1; i <= kEach; ++i) {
      std::vector<GroupWrite> writes(1);
      writes[0] = {.group = GroupId(group), .entries = entries_of(i, i)};
      if (i == 1) writes[0].row = row_of_one();
      writer_->submit(std::move(writes), 16, Durability::synced, [&](Result<void> written) {
        if (written) answered.fetch_add(1);
      });
    }
  };
  std::thread other(shard, 1);
  shard(2);
  other.join();
  writer_->stop();
  EXPECT_EQ(answered.load(), 2 * kEach);
  EXPECT_EQ(must_scan(*store_, GroupId(1)), entries_of(1, kEach));
  EXPECT_EQ(must_scan(*store_, GroupId(2)), entries_of(1, kEach));
}

TEST_F(LogWriterTest, StopLeavesAMarkThatKnowsEverything) {
  hold_writer();
  release();
  writer_->stop();
  store_.reset();
  std::filesystem::remove(only_file_ending(directory_ / "log", ".log"));
  EXPECT_FALSE(LogStore::open({.path = directory_ / "log"}));
}

TEST_F(LogWriterTest, AFailedWriteIsForEver) {
  hold_writer();
  release();
  std::vector<Error> errors;
  const auto note = [&errors](Result<void> written) { errors.push_back(written ? Error{} : written.error()); };
  {
    const FullDisk disk;
    std::promise<void> failed;
    writer_->submit(one_write(2, 1u << 20), 1u << 20, Durability::synced, [&](Result<void> written) {
      note(std::move(written));
      failed.set_value();
    });
    failed.get_future().wait();
  }
  writer_->submit(one_write(3), 100, Durability::synced, note);  // the disk is well again, and it makes no difference
  writer_->stop();
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].code, ErrorCode::io);
  EXPECT_EQ(errors[1], errors[0]);
  EXPECT_FALSE(store_->write(one_write(4), Durability::synced));
  store_.reset();
  EXPECT_EQ(must_scan(*must_open({.path = directory_ / "log"}), kQueue), entries_of(1, 1, 100));
}

}  // namespace
}  // namespace quorate::storage

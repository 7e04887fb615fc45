// The reader answers in order from its own thread, and a chore never stands in a read's way.
#include "storage/log_reader.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};
using Entries = Result<std::vector<raft::Entry>>;

class LogReaderTest : public testing::Test {
 protected:
  void SetUp() override { must_write(*store_, {.group = kQueue, .entries = entries_of(1, 100, 1000)}); }
  void TearDown() override { reader_.stop(); }

  std::vector<raft::Entry> read(std::uint64_t from, std::uint64_t to, std::size_t bytes_max) {
    std::promise<Entries> answer;
    reader_.read(kQueue, LogIndex(from), LogIndex(to), bytes_max,
                 [&](Entries entries) { answer.set_value(std::move(entries)); });
    return answer.get_future().get().value();
  }

  TestDirectory directory_;
  std::unique_ptr<LogStore> store_ = must_open({.path = directory_ / "log"});
  LogReader reader_{*store_};
};

TEST_F(LogReaderTest, ReadsARangeUpToItsBudget) {
  EXPECT_EQ(read(1, 100, 1u << 20), entries_of(1, 100, 1000));
  EXPECT_EQ(read(11, 100, 5000), entries_of(11, 15, 1000));
  EXPECT_EQ(read(11, 100, 1), entries_of(11, 11, 1000));
  EXPECT_TRUE(read(101, 200, 5000).empty());
}

TEST_F(LogReaderTest, ReadsWhatExistsOfAList) {
  std::promise<Entries> answer;
  reader_.read_each(kQueue, {LogIndex(7), LogIndex(500), LogIndex(3)},
                    [&](Entries entries) { answer.set_value(std::move(entries)); });
  const std::vector<raft::Entry> entries = answer.get_future().get().value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].index, LogIndex(7));
  EXPECT_EQ(entries[1].index, LogIndex(3));
}

TEST_F(LogReaderTest, ALongChoreDelaysNoRead) {
  std::promise<void> begun;
  std::promise<void> released;
  reader_.run([&] {
    begun.set_value();
    released.get_future().wait();
  });
  begun.get_future().wait();
  EXPECT_EQ(read(1, 1, 1), entries_of(1, 1, 1000));
  released.set_value();
}

}  // namespace
}  // namespace quorate::storage

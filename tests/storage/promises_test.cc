// A promise that was appended is found again, and a file that lacks one never looks whole: each test tells one such
// fact.
#include "storage/promises.h"

#include <gtest/gtest.h>

#include "tests/storage/directories.h"

namespace quorate::storage {
namespace {

Promise promise_in(std::uint64_t term, std::uint64_t voted_for = 0) {
  return {.self = raft::ReplicaId(1), .term = Term(term), .voted_for = raft::ReplicaId(voted_for)};
}

PromiseTable table_of_two() {
  return {.database = "a1b2", .serial = 12, .promises = {{GroupId(7), promise_in(2, 9)}, {GroupId(8), promise_in(5)}}};
}

class PromisesTest : public testing::Test {
 protected:
  Result<std::optional<PromiseTable>> load() const { return Promises::load(path_); }
  void append(GroupId group, const Promise& promise) {
    const PromiseChange change(group, promise);
    ASSERT_TRUE(promises_.append(std::span(&change, 1)));
  }

  TestDirectory directory_;
  std::string path_ = directory_ / "promises";
  Promises promises_{path_};
};

TEST_F(PromisesTest, AreAbsentUntilWritten) {
  EXPECT_EQ(*load(), std::nullopt);
  ASSERT_TRUE(promises_.replace(table_of_two()));
  EXPECT_EQ(*load(), table_of_two());
}

TEST_F(PromisesTest, TheLastOneOfAGroupCountsAndEachIsCounted) {
  ASSERT_TRUE(promises_.replace(table_of_two()));
  append(GroupId(7), promise_in(3));
  append(GroupId(7), promise_in(3, 4));
  append(GroupId(9), promise_in(1));
  EXPECT_EQ(*load(), promises_.table());
  EXPECT_EQ(promises_.table().serial, 15u);
  EXPECT_EQ(*promises_.find(GroupId(7)), promise_in(3, 4));
  EXPECT_EQ(*promises_.find(GroupId(8)), promise_in(5));
  EXPECT_EQ(promises_.find(GroupId(10)), nullptr);
}

TEST_F(PromisesTest, OneThatHasEndedIsRememberedAndHoldsNoMore) {
  ASSERT_TRUE(promises_.replace(table_of_two()));
  Promise ended = promise_in(2, 9);
  ended.has_ended = true;
  append(GroupId(7), ended);
  EXPECT_EQ(promises_.find(GroupId(7)), nullptr);
  EXPECT_EQ((*load())->promises.at(GroupId(7)), ended);
}

TEST_F(PromisesTest, TheFileIsRewrittenWhenItHasGrown) {
  ASSERT_TRUE(promises_.replace(table_of_two()));
  Promise ended = promise_in(5);
  ended.has_ended = true;
  append(GroupId(8), ended);
  std::vector<PromiseChange> changes;
  for (std::uint64_t term = 10; term < 10'010; ++term) changes.emplace_back(GroupId(7), promise_in(term));
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(promises_.append(changes));
  EXPECT_LT(std::filesystem::file_size(path_), 1'000'000u);
  EXPECT_EQ(*load(), promises_.table());
  EXPECT_EQ(promises_.table().serial, 12u + 1 + 70'000);
  EXPECT_EQ(promises_.table().promises.size(), 1u);
}

TEST_F(PromisesTest, ADamagedFileIsRefused) {
  ASSERT_TRUE(promises_.replace(table_of_two()));
  flip_bit(path_, 150);
  ASSERT_FALSE(load());
  EXPECT_EQ(load().error().code, ErrorCode::corruption);
}

TEST(PromisesFormat, CutAnywhereItIsRefusedOrKnowsOfFewerChanges) {
  auto file = encode_promises(table_of_two());
  const std::size_t as_written = file.size();
  for (std::uint64_t serial = 13; serial < 16; ++serial) {
    const auto record = encode_promise(serial, {GroupId(7), promise_in(serial)});
    file.insert(file.end(), record.begin(), record.end());
  }
  ASSERT_EQ(decode_promises(file)->serial, 15u);
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto table = decode_promises(ByteView(file).first(size));
    EXPECT_EQ(table.has_value(), size >= as_written && (size - as_written) % 37 == 0) << size;
    EXPECT_LT(table ? table->serial : 0, 15u) << size;
  }
}

TEST(PromisesFormat, DamagedInAnyByteItIsRefused) {
  const auto file = encode_promises(table_of_two());
  EXPECT_EQ(file[0], std::byte{0x51});  // the example of docs/formats/promises.md
  for (std::size_t i = 0; i < file.size(); ++i) {
    auto damaged = file;
    damaged[i] ^= std::byte{1};
    EXPECT_FALSE(decode_promises(damaged)) << i;
  }
}

TEST(PromisesFormat, AChangeInAnotherPlaceIsRefused) {
  auto file = encode_promises(table_of_two());
  const auto record = encode_promise(14, {GroupId(7), promise_in(3)});
  file.insert(file.end(), record.begin(), record.end());
  EXPECT_FALSE(decode_promises(file));
}

}  // namespace
}  // namespace quorate::storage

// A mark survives a torn store and never lies: each test tells one such fact.
#include "storage/durability_mark.h"

#include <gtest/gtest.h>

#include "tests/storage/directories.h"

namespace quorate::storage {
namespace {

Mark mark_at(std::uint64_t sequence) {
  return {.database = "a-database", .sequence = sequence, .epoch = Epoch(3), .promises = 2 * sequence};
}

class DurabilityMarkTest : public testing::Test {
 protected:
  Result<std::optional<Mark>> load() const { return DurabilityMark(path_).load(); }

  TestDirectory directory_;
  std::string path_ = directory_ / "durable.mark";
};

TEST_F(DurabilityMarkTest, IsAbsentUntilStored) {
  EXPECT_EQ(*load(), std::nullopt);
  ASSERT_TRUE(DurabilityMark(path_).store(mark_at(1)));
  EXPECT_EQ(*load(), mark_at(1));
}

TEST_F(DurabilityMarkTest, TheLatestStoreCounts) {
  DurabilityMark mark(path_);
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
    ASSERT_TRUE(mark.store(mark_at(sequence)));
    EXPECT_EQ(*load(), mark_at(sequence));
  }
}

TEST_F(DurabilityMarkTest, GoesOnWhereTheLastProcessEnded) {
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
    DurabilityMark mark(path_);
    ASSERT_TRUE(mark.load());
    ASSERT_TRUE(mark.store(mark_at(sequence)));
  }
  EXPECT_EQ(*load(), mark_at(5));
}

TEST_F(DurabilityMarkTest, ADamagedSlotLeavesTheOther) {
  DurabilityMark mark(path_);
  ASSERT_TRUE(mark.store(mark_at(1)));  // in the second slot
  ASSERT_TRUE(mark.store(mark_at(2)));  // in the first
  flip_bit(path_, 20);
  EXPECT_EQ(*load(), mark_at(1));
  flip_bit(path_, kMarkSlotBytes + 20);
  ASSERT_FALSE(load());
  EXPECT_EQ(load().error().code, ErrorCode::corruption);
}

TEST_F(DurabilityMarkTest, AFileCutInItsSecondSlotStillHasTheFirst) {
  DurabilityMark mark(path_);
  ASSERT_TRUE(mark.store(mark_at(1)));
  ASSERT_TRUE(mark.store(mark_at(2)));
  cut_file(path_, kMarkSlotBytes + 100);
  EXPECT_EQ(*load(), mark_at(2));
}

TEST(MarkSlot, RemembersThatPromisesWereLost) {
  Mark mark = mark_at(9);
  mark.is_burned = true;
  EXPECT_EQ(decode_mark_slot(encode_mark_slot(mark, 4))->mark, mark);
}

TEST(MarkSlot, IsTheExampleOfItsPage) {
  const MarkSlot slot = encode_mark_slot({.database = "a1b2", .sequence = 4711, .epoch = Epoch(3), .promises = 12}, 2);
  EXPECT_EQ(slot[0], std::byte{0xe6});
}

TEST(MarkSlot, IsRefusedWhenCutOrDamagedAnywhere) {
  const MarkSlot slot = encode_mark_slot(mark_at(9), 4);
  ASSERT_TRUE(decode_mark_slot(slot));
  EXPECT_EQ(decode_mark_slot(slot)->mark, mark_at(9));
  for (std::size_t i = 0; i < slot.size(); ++i) {
    EXPECT_FALSE(decode_mark_slot(ByteView(slot).first(i))) << i;
    MarkSlot damaged = slot;
    damaged[i] ^= std::byte{1};
    EXPECT_FALSE(decode_mark_slot(damaged)) << i;
  }
}

}  // namespace
}  // namespace quorate::storage

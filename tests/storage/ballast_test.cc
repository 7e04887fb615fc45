// Ballast against a real directory; how full the volume is follows from how much ballast is asked for.
#include "storage/ballast.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "storage/volume.h"
#include "tests/storage/directories.h"

namespace quorate::storage {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

class BallastTest : public testing::Test {
 protected:
  std::uint64_t free() const { return volume_of(directory_.path()).value().free_bytes; }
  bool is_there() const { return std::filesystem::exists(directory_ / "ballast"); }

  TestDirectory directory_;
};

TEST_F(BallastTest, IsTakenInWhereThereIsPlentyAndFoundAgain) {
  for (int start = 0; start < 2; ++start) {
    Ballast ballast(directory_.path(), kMiB);
    EXPECT_EQ(ballast.is_held(), start > 0);
    ASSERT_TRUE(ballast.settle(0));
    EXPECT_TRUE(ballast.is_held());
    EXPECT_EQ(std::filesystem::file_size(directory_ / "ballast"), kMiB);
    ballast.stop();
  }
}

TEST_F(BallastTest, IsNotTakenInWhereItWouldLeaveLittleAndItsRoomIsNotFree) {
  const std::uint64_t before = free();
  Ballast ballast(directory_.path(), before - Ballast::kLow);
  const auto left = ballast.settle(0);
  ASSERT_TRUE(left);
  EXPECT_FALSE(ballast.is_held());
  EXPECT_FALSE(is_there());
  EXPECT_LT(*left, Ballast::kLow + before / 10);  // others write to this volume, too
  ballast.stop();
}

TEST_F(BallastTest, MoreThanThereIsLeavesNothingFree) {
  Ballast ballast(directory_.path(), std::numeric_limits<std::uint64_t>::max() / 4);
  EXPECT_EQ(ballast.settle(0).value(), 0u);
  EXPECT_EQ(ballast.free_bytes().value(), 0u);
  ballast.stop();
}

TEST_F(BallastTest, IsThrownAwayForAStartThatNeedsItsRoomAndTakenInWhenNothingDoes) {
  const std::uint64_t needed = 2 * free();
  Ballast ballast(directory_.path(), kMiB);
  ASSERT_TRUE(ballast.settle(0));
  ASSERT_TRUE(ballast.is_held());
  for (int start = 0; start < 2; ++start) {
    ASSERT_TRUE(ballast.settle(needed));
    EXPECT_FALSE(is_there()) << start;
  }
  ASSERT_TRUE(ballast.settle(0));
  EXPECT_TRUE(is_there());
  ballast.stop();
}

TEST_F(BallastTest, APartOfItIsThrownAway) {
  replace_file(directory_ / "ballast", "a part");
  Ballast ballast(directory_.path(), free());
  EXPECT_FALSE(is_there());
  ballast.stop();
}

TEST(Ballast, IsASmallShareOfASmallVolume) {
  EXPECT_EQ(Ballast::bytes_for(160 * kMiB), 20 * kMiB);
  EXPECT_EQ(Ballast::bytes_for(1ull << 40), Ballast::kBytesMax);
}

TEST(Volume, AMissingFolderIsNamed) {
  const TestDirectory directory;
  const auto missing = volume_of(directory / "missing");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().text.find("/missing"), std::string::npos);
}

TEST(Volume, OpeningNeedsRoomForWhatStandsInTheWriteAheadLogs) {
  const TestDirectory directory;
  EXPECT_TRUE(check_room_to_open(directory.path()));
  std::filesystem::create_directory(directory / "log");
  replace_file(directory / "log/000007.log", "");
  cut_file(directory / "log/000007.log", 1ull << 43);  // longer than any test's disk, and a hole
  const auto refused = check_room_to_open(directory.path());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("needs 8388624 MiB"), std::string::npos) << refused.error().text;
}

}  // namespace
}  // namespace quorate::storage

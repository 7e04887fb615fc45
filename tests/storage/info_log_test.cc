#include "storage/info_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/storage/directories.h"
#include "tests/storage/full_disk.h"

namespace quorate::storage {
namespace {

TEST(InfoLog, KeepsTheFilesOfTheLastStarts) {
  const TestDirectory directory;
  for (const char* start : {"first", "second", "third", "fourth"}) {
    InfoLog log(directory.path());
    rocksdb::Log(rocksdb::InfoLogLevel::INFO_LEVEL, &log, "the %s start\n", start);
  }
  EXPECT_TRUE(file_content(directory / "LOG").ends_with(" the fourth start\n"));
  EXPECT_TRUE(file_content(directory / "LOG.old.1").ends_with(" the third start\n"));
  EXPECT_TRUE(file_content(directory / "LOG.old.2").ends_with(" the second start\n"));
  EXPECT_FALSE(std::filesystem::exists(directory / "LOG.old.3"));
}

TEST(InfoLog, BeginsAnewWhenItIsLong) {
  const TestDirectory directory;
  InfoLog log(directory.path());
  const std::string text(8000, 'x');
  for (std::size_t bytes = 0; bytes <= InfoLog::kBytesMax; bytes += text.size()) {
    rocksdb::Log(rocksdb::InfoLogLevel::INFO_LEVEL, &log, "%s", text.c_str());
  }
  rocksdb::Log(rocksdb::InfoLogLevel::INFO_LEVEL, &log, "next");
  EXPECT_TRUE(file_content(directory / "LOG").ends_with(" next\n"));
  EXPECT_GT(std::filesystem::file_size(directory / "LOG.old.1"), InfoLog::kBytesMax);
}

TEST(InfoLog, OnAFullDiskLinesAreLostAndLaterOnesAreNot) {
  const TestDirectory directory;
  InfoLog log(directory.path());
  {
    const FullDisk disk(10);
    for (int i = 0; i < 3; ++i) rocksdb::Log(rocksdb::InfoLogLevel::WARN_LEVEL, &log, "nobody reads this");
  }
  rocksdb::Log(rocksdb::InfoLogLevel::WARN_LEVEL, &log, "there is room again");
  EXPECT_TRUE(file_content(directory / "LOG").ends_with("there is room again\n"));
}

TEST(InfoLog, WithoutADirectoryItSaysNothing) {
  InfoLog log("/nowhere/at/all");
  rocksdb::Log(rocksdb::InfoLogLevel::ERROR_LEVEL, &log, "nobody reads this");
}

}  // namespace
}  // namespace quorate::storage

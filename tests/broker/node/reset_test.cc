// A data directory is emptied whole, wherever it is interrupted, and nothing else in it is touched.
#include "broker/node/reset.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cluster/formation.h"
#include "storage/snapshot_store.h"
#include "tests/storage/directories.h"

namespace quorate {
namespace {

void put(const std::string& path) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << "x";
}

TEST(Reset, RemovesWhatANodeKeepsAndNothingElse) {
  const storage::TestDirectory directory;
  for (const std::string name :
       {"log/000.sst", "state/000.sst", "durable.mark", "promises", "state.mark", "standalone", "mine"}) {
    put(directory / name);
  }
  ASSERT_TRUE(carry_out_reset(directory.path())) << "nothing was announced";
  EXPECT_TRUE(std::filesystem::exists(directory / "log/000.sst"));
  ASSERT_TRUE(announce_reset(directory.path(), std::nullopt));
  std::filesystem::remove_all(directory / "log");  // it was interrupted here
  ASSERT_TRUE(carry_out_reset(directory.path()));
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    left.push_back(entry.path().filename().string());
  }
  EXPECT_EQ(left, std::vector<std::string>{"mine"});
}

TEST(Reset, LeavesWhomToJoinInTheNewState) {
  const storage::TestDirectory directory;
  const cluster::Seed seed{.name = "rabbit@n1", .host = "10.0.0.1", .port = 7};
  ASSERT_TRUE(announce_reset(directory.path(), seed));
  ASSERT_TRUE(carry_out_reset(directory.path()));
  ASSERT_TRUE(carry_out_reset(directory.path()));
  auto facts = storage::SnapshotStore::open({.path = directory / "state"});
  ASSERT_TRUE(facts);
  EXPECT_EQ((*facts)->get(cluster::Formation::kJoinFact).value(), "rabbit@n1@10.0.0.1:7");
  EXPECT_FALSE((*facts)->get("directory").value());
}

}  // namespace
}  // namespace quorate

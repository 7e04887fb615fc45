// Which promises are kept twice, and what a group may claim after a loss: each test tells one such fact.
#include "storage/promise_rules.h"

#include <gtest/gtest.h>

#include "raft/configuration.h"
#include "tests/storage/directories.h"
#include "tests/storage/logs.h"

namespace quorate::storage {
namespace {

constexpr GroupId kQueue{5};

Promise promise_in(std::uint64_t term, std::uint64_t voted_for = 0) {
  return {.self = raft::ReplicaId(1), .term = Term(term), .voted_for = raft::ReplicaId(voted_for)};
}
Promise ended(Promise promise) {
  promise.has_ended = true;
  return promise;
}

GroupRow row_in(std::uint64_t term, std::uint64_t voted_for = 0) {
  GroupRow row = row_of_three();
  row.hard_state = {.term = Term(term), .voted_for = raft::ReplicaId(voted_for)};
  return row;
}

raft::Entry configuration_of(std::vector<raft::ReplicaId> voters, std::vector<raft::ReplicaId> learners = {}) {
  raft::Entry entry = entry_of(1, 1, "");
  entry.type = raft::EntryType::config;
  entry.payload = raft::encode_configuration({.voters = std::move(voters), .learners = std::move(learners)});
  return entry;
}

class PromiseChangesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(promises_.replace({.database = "d", .serial = 0, .promises = {}})); }
  void hold(const Promise& promise) {
    ASSERT_TRUE(promises_.replace({.database = "d", .serial = 1, .promises = {{kQueue, promise}}}));
  }
  std::vector<Promise> changes_of(const std::vector<GroupWrite>& writes) {
    const auto row_of = [&](GroupId) -> Result<std::optional<GroupRow>> { return stored_; };
    const auto changes = storage::changes_of(writes, promises_, row_of);
    EXPECT_TRUE(changes);
    std::vector<Promise> out;
    for (const auto& [group, promise] : *changes) {
      EXPECT_EQ(group, kQueue);
      out.push_back(promise);
    }
    return out;
  }

  TestDirectory directory_;
  Promises promises_{directory_ / "promises"};
  std::optional<GroupRow> stored_;
};

using List = std::vector<Promise>;
const raft::ReplicaId kSelf{1};
const raft::ReplicaId kOther{2};

TEST_F(PromiseChangesTest, AGroupOfSeveralIsKeptFromItsRowOn) {
  EXPECT_EQ(changes_of({{.group = kQueue, .row = row_in(1)}}), List{promise_in(1)});
  GroupRow learner = row_in(0);
  learner.configuration = {};
  EXPECT_EQ(changes_of({{.group = kQueue, .row = learner}}), List{promise_in(0)});
}

TEST_F(PromiseChangesTest, GroupsOfOneAndStagingGroupsAreNotKept) {
  EXPECT_EQ(changes_of({{.group = kQueue, .entries = entries_of(1, 2), .row = row_of_one()}}), List{});
  EXPECT_EQ(
      changes_of({{.group = staging_of(kQueue), .entries = {configuration_of({kSelf, kOther})}, .row = row_in(1)}}),
      List{});
  EXPECT_EQ(changes_of({{.group = kQueue, .row = GroupRow{}}}), List{});
}

TEST_F(PromiseChangesTest, OnlyAChangeOfTermVoteOrReplicaCounts) {
  hold(promise_in(4, 2));
  GroupRow row = row_in(4, 2);
  row.installing = raft::LogPosition{.index = LogIndex(9), .term = Term(4)};
  row.hard_state.recovering = true;
  EXPECT_EQ(changes_of({{.group = kQueue, .row = row}, {.group = kQueue, .entries = entries_of(1, 3)}}), List{});
  EXPECT_EQ(changes_of({{.group = kQueue, .row = row_in(5)}, {.group = kQueue, .row = row_in(5, 1)}}),
            (List{promise_in(5), promise_in(5, 1)}));
}

TEST_F(PromiseChangesTest, AGroupThatWasKeptOnceIsKeptToItsEnd) {
  hold(promise_in(4, 2));
  EXPECT_EQ(changes_of({{.group = kQueue, .row = row_of_one()}}), List{promise_in(0)});
  EXPECT_EQ(changes_of({{.group = kQueue, .drop = true}, {.group = kQueue, .row = row_of_one()}}),
            List{ended(promise_in(4, 2))});
  EXPECT_EQ(changes_of({{.group = kQueue, .drop = true, .row = row_in(1)}}), List{promise_in(1)});
}

TEST_F(PromiseChangesTest, TheEndOfAGroupThatWasNotKeptIsNoChange) {
  EXPECT_EQ(changes_of({{.group = kQueue, .drop = true}}), List{});
}

TEST_F(PromiseChangesTest, AConfigurationEntryMakesAGroupOfOneOneOfSeveral) {
  const GroupWrite grown{.group = kQueue, .entries = {configuration_of({kSelf, kOther})}};
  stored_ = row_of_one();
  stored_->hard_state = {.term = Term(3), .voted_for = kSelf};
  EXPECT_EQ(changes_of({grown}), List{promise_in(3, 1)});
  EXPECT_EQ(changes_of({{.group = kQueue, .row = row_of_one()}, grown, grown}), List{promise_in(0)});
  EXPECT_EQ(changes_of({{.group = kQueue, .entries = {configuration_of({kSelf}, {kOther})}}}), List{});
}

GroupRow recovering(GroupRow row) {
  row.hard_state.recovering = true;
  return row;
}

TEST(PromiseRules, AWholeDatabaseKnowsItsPromisesBetterThanTheFile) {
  const Rows rows{{GroupId(1), row_of_one()}, {GroupId(2), row_of_one()}, {GroupId(3), row_in(7)}};
  const std::map<GroupId, Promise> kept{{GroupId(2), promise_in(9)}, {GroupId(4), promise_in(9)}};
  EXPECT_EQ(promises_of(rows, kept),
            (std::map<GroupId, Promise>{{GroupId(2), promise_in(0)}, {GroupId(3), promise_in(7)}}));
  EXPECT_EQ(all_promises_of(rows).size(), 3u);
}

struct SalvageCase {
  std::optional<GroupRow> row;
  std::optional<Promise> promise;
  std::optional<GroupRow> left;  // nullopt: nothing is written, or the group is dropped
  bool drops = false;
};

TEST(PromiseRules, AfterALossEachGroupClaimsWhatIsProven) {
  GroupRow of_file = {.hard_state = {.term = Term(9), .voted_for = kOther, .recovering = true}, .self = kSelf};
  GroupRow another = row_in(4);
  another.self = raft::ReplicaId(8);
  const SalvageCase cases[] = {
      {.row = row_of_one(), .promise = {}, .left = recovering(row_of_one())},
      {.row = row_in(4), .promise = promise_in(9, 2), .left = recovering(row_in(9, 2))},
      {.row = row_in(9), .promise = promise_in(9, 2), .left = recovering(row_in(9, 2))},
      {.row = row_in(9, 2), .promise = promise_in(9), .left = recovering(row_in(9, 2))},
      {.row = row_in(10), .promise = promise_in(9, 2), .left = recovering(row_in(10))},
      {.row = {}, .promise = promise_in(9, 2), .left = of_file, .drops = true},
      {.row = another, .promise = promise_in(9, 2), .left = of_file, .drops = true},
      {.row = row_in(4), .promise = ended(promise_in(9)), .left = {}, .drops = true},
  };
  for (const SalvageCase& test : cases) {
    Rows rows;
    std::map<GroupId, Promise> promises;
    if (test.row) rows.emplace(kQueue, *test.row);
    if (test.promise) promises.emplace(kQueue, *test.promise);
    const Salvage salvaged = salvage(rows, promises);
    ASSERT_EQ(salvaged.writes.size(), 1u);
    EXPECT_EQ(salvaged.writes.front().row, test.left);
    EXPECT_EQ(salvaged.writes.front().drop, test.drops);
    EXPECT_EQ(salvaged.promises.contains(kQueue), test.promise && !test.promise->has_ended);
  }
}

TEST(PromiseRules, AfterALossAnEndThatNobodySawAndAStagingGroupNeedNothing) {
  const Salvage salvaged = salvage({{staging_of(kQueue), row_in(1)}}, {{kQueue, ended(promise_in(9))}});
  EXPECT_TRUE(salvaged.writes.empty());
  EXPECT_TRUE(salvaged.promises.empty());
}

}  // namespace
}  // namespace quorate::storage

// A group goes on with one replica of several: it leads by itself with all that had reached its disk, whatever was
// under way, and however often its node dies on the way there.
#include "cluster/sole_voter.h"

#include <gtest/gtest.h>

#include <future>

#include "raft/configuration.h"
#include "tests/cluster/host_world.h"

namespace quorate::cluster {
namespace {

using raft::ReplicaId;

constexpr ReplicaId kSelf{1};
constexpr WallTime kNow{std::chrono::milliseconds(1000)};
constexpr WallTime kLater{std::chrono::milliseconds(5000)};

GroupOnDisk voter_of_three() {
  return {.row = {.hard_state = {.term = Term(3), .voted_for = ReplicaId(2)},
                  .self = kSelf,
                  .configuration = {.voters = {kSelf, ReplicaId(2), ReplicaId(3)}, .machine_version = 4}},
          .log = {.last = LogIndex(7),
                  .last_ts = kLater,
                  .runs = {{.first = LogIndex(1), .term = Term(1)}, {.first = LogIndex(5), .term = Term(2)}}}};
}

/// The configuration after it.
raft::Configuration configuration_in(const std::optional<storage::GroupWrite>& write) {
  const auto found = raft::decode_configuration(write.value().entries.at(0).payload.view());
  return found.value();
}

TEST(SoleVoter, BeginsATermOfItsOwnBehindAllThatIsThere) {
  const auto write = make_sole_voter(kGroup, voter_of_three(), kNow);
  ASSERT_TRUE(write);
  EXPECT_EQ(write->group, kGroup);
  EXPECT_FALSE(write->drop || write->truncate_from);
  ASSERT_EQ(write->entries.size(), 1u);
  const raft::Entry& entry = write->entries.front();
  EXPECT_EQ(entry.index, LogIndex(8));
  EXPECT_EQ(entry.term, Term(4));
  EXPECT_EQ(entry.type, raft::EntryType::config);
  EXPECT_EQ(entry.ts, kLater) << "time does not run back";
  EXPECT_EQ(configuration_in(write), (raft::Configuration{.voters = {kSelf}, .machine_version = 4}));
  EXPECT_EQ(write->row->hard_state, (raft::HardState{.term = Term(4), .voted_for = kSelf}));
  EXPECT_EQ(write->row->configuration, voter_of_three().row.configuration) << "as before the first entry";
}

TEST(SoleVoter, BeginsBehindASnapshotWithoutALog) {
  GroupOnDisk remains = voter_of_three();
  remains.log = {.last = LogIndex(20)};
  remains.snapshot = {.last = {.index = LogIndex(20), .term = Term(9)},
                      .ts = kLater,
                      .configuration = {.voters = {kSelf, ReplicaId(5)}, .machine_version = 6}};
  const auto write = make_sole_voter(kGroup, remains, kNow);
  ASSERT_TRUE(write);
  EXPECT_EQ(write->entries.at(0).index, LogIndex(21));
  EXPECT_EQ(write->entries.at(0).term, Term(10));
  EXPECT_EQ(write->entries.at(0).ts, kLater);
  EXPECT_EQ(configuration_in(write).machine_version, 6u);
}

TEST(SoleVoter, EndsWhateverChangeOfMembersWasUnderWay) {
  struct Row {
    const char* what;
    raft::Configuration newest;
    bool is_changed = true;
  };
  const Row rows[] = {
      {"alone", {.voters = {kSelf}, .machine_version = 2}, false},
      {"joint", {.voters = {kSelf, ReplicaId(2)}, .outgoing = {ReplicaId(2), ReplicaId(3)}, .machine_version = 2}},
      {"leaving", {.voters = {ReplicaId(2)}, .outgoing = {kSelf}, .machine_version = 2}},
      {"gone", {.voters = {ReplicaId(2), ReplicaId(3)}, .machine_version = 2}},
      {"a learner", {.voters = {ReplicaId(2)}, .learners = {kSelf}, .machine_version = 2}},
      {"to become a voter", {.voters = {ReplicaId(2)}, .joining = {kSelf}, .machine_version = 2}},
      {"about to have company", {.voters = {kSelf}, .joining = {ReplicaId(2)}, .machine_version = 2}},
  };
  for (const Row& row : rows) {
    GroupOnDisk remains = voter_of_three();
    remains.log.configurations = {{LogIndex(2), {.voters = {ReplicaId(8)}}}, {LogIndex(6), row.newest}};
    ASSERT_EQ(fault_of(remains), "") << row.what;
    const auto write = make_sole_voter(kGroup, remains, kNow);
    ASSERT_EQ(write.has_value(), row.is_changed) << row.what;
    if (write) {
      EXPECT_EQ(configuration_in(write), (raft::Configuration{.voters = {kSelf}, .machine_version = 2})) << row.what;
    }
  }
}

TEST(SoleVoter, IsNobodyWhoLacksAPartOfWhatItHad) {
  GroupOnDisk lost = voter_of_three();
  lost.row.hard_state.recovering = true;
  GroupOnDisk damaged = voter_of_three();
  damaged.log.damaged = LogIndex(8);
  GroupOnDisk installing = voter_of_three();
  installing.row.installing = raft::LogPosition{.index = LogIndex(30), .term = Term(3)};
  GroupOnDisk unknown = voter_of_three();
  unknown.row.configuration = {};
  GroupOnDisk nobody = voter_of_three();
  nobody.row.self = raft::kNoReplica;
  for (const GroupOnDisk& remains : {lost, damaged, installing, unknown, nobody}) EXPECT_NE(fault_of(remains), "");
  EXPECT_EQ(fault_of(voter_of_three()), "");
}

}  // namespace

class StandAloneTest : public HostWorld {
 protected:
  void before_groups(Node& node) override {
    if (!alone_.contains(node.id)) return;
    const auto all = [&] {
      return std::pair(node.disk->summarize(kGroup, LogIndex(0)).value().last, node.disk->row(kGroup).value());
    };
    const auto before = all();
    const auto done = stand_alone(*node.disk, clock_.wall());
    ASSERT_TRUE(done) << done.error().text;
    has_changed_ = all() != before;
  }
  /// Only `survivor` is left, and starts.
  void lose_all_but(Node& survivor) {
    for (auto& node : nodes_) stop(*node);
    alone_ = {survivor.id};
    start(survivor);
  }
  Node& follower() { return leader()->id == NodeId(1) ? node(2) : node(1); }
  static bool leads(const Node& node) { return node.machine->leads; }

  std::set<NodeId> alone_;
  bool has_changed_ = false;  // by the last start
};

TEST_F(StandAloneTest, OneLeadsWithAllThatHasReachedItsDisk) {
  propose_many(120);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  Node& survivor = follower();
  const std::vector<std::string> items = survivor.machine->items;
  stop(survivor);
  propose_many(3);  // what it never hears of
  lose_all_but(survivor);
  ASSERT_TRUE(eventually([&] { return leads(survivor); }));
  EXPECT_EQ(survivor.machine->items, items);
  propose("news");
  ASSERT_TRUE(eventually([&] { return survivor.machine->items.back() == "news"; }));
  // From here on it is a group of one like any other.
  stop(survivor);
  alone_.clear();
  start(survivor);
  ASSERT_TRUE(eventually([&] { return leads(survivor) && survivor.machine->items.back() == "news"; }));
  EXPECT_EQ(survivor.machine->items.size(), items.size() + 1);
  EXPECT_TRUE(failures_.empty()) << failures_[0];
}

TEST_F(StandAloneTest, WhatNoMajorityHadIsKept) {
  propose_many(5);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  Node& survivor = *leader();
  for (auto& node : nodes_) {
    if (node.get() != &survivor) stop(*node);
  }
  propose("of one disk only");
  round();
  lose_all_but(survivor);
  EXPECT_TRUE(eventually([&] { return leads(survivor) && survivor.machine->items.back() == "of one disk only"; }));
}

TEST_F(StandAloneTest, ASecondTimeChangesNothing) {
  propose_many(60);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  Node& survivor = follower();
  lose_all_but(survivor);
  ASSERT_TRUE(eventually([&] { return leads(survivor); }));
  EXPECT_TRUE(has_changed_);
  for (int i = 0; i < 3; ++i) {
    stop(survivor);
    start(survivor);
    EXPECT_FALSE(has_changed_);
    ASSERT_TRUE(eventually([&] { return leads(survivor); }));
  }
}

// Each life of the node does it again, and ends a little later.
TEST_F(StandAloneTest, ANodeThatDiesOnTheWayGetsThere) {
  propose_many(60);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  Node& survivor = follower();
  const std::vector<std::string> items = survivor.machine->items;
  lose_all_but(survivor);
  for (int rounds = 0; rounds < 20; ++rounds) {
    for (int i = 0; i < rounds; ++i) round();
    stop(survivor);
    start(survivor);
  }
  ASSERT_TRUE(eventually([&] { return leads(survivor); }));
  EXPECT_EQ(survivor.machine->items, items);
  EXPECT_TRUE(failures_.empty()) << failures_[0];
}

TEST_F(StandAloneTest, ADiskWithoutWholeMetadataIsRefused) {
  storage::DiskStorage& disk = *node(1).disk;
  const auto why = [&] {
    const auto allowed = may_stand_alone(disk);
    return allowed ? std::string() : allowed.error().text;
  };
  const auto put = [&](const storage::GroupRow& row) {
    std::promise<void> done;
    disk.submit({{.group = kMetadataGroup, .row = row}}, 0, storage::Durability::synced,
                [&](Result<void> written) { written ? done.set_value() : std::abort(); });
    done.get_future().wait();
  };
  EXPECT_NE(why().find("there is no metadata here"), std::string::npos) << why();
  storage::GroupRow row{.self = replica(1), .configuration = first_members()};
  row.hard_state.recovering = true;
  put(row);
  EXPECT_NE(why().find("this disk has lost a part"), std::string::npos) << why();
  row.hard_state.recovering = false;
  row.configuration = {.voters = {replica(2), replica(3)}, .joining = {replica(1)}};
  put(row);
  EXPECT_NE(why().find("full member"), std::string::npos) << why();
  row.configuration = first_members();
  put(row);
  EXPECT_EQ(why(), "");
}

}  // namespace quorate::cluster

// Group hosts over real disks: what is committed reaches every replica's machine, whoever leads, whoever was away.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/cluster/host_world.h"

namespace quorate::cluster {

class GroupHostTest : public HostWorld {};

TEST_F(GroupHostTest, CommitsWhatAMajorityHolds) {
  propose_many(3);
  EXPECT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  EXPECT_EQ(leader()->machine->live, 3) << "the leader carries out, the others follow";
  EXPECT_EQ(node(2).machine->items, node(1).machine->items);
}

TEST_F(GroupHostTest, CommitsNothingWithoutAMajority) {
  propose_many(1);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  Node* before = leader();
  for (auto& node : nodes_) {
    if (node.get() != before) cut_.insert(node->id);
  }
  const LogIndex committed = before->machine->committed;
  propose("lonely");
  EXPECT_TRUE(eventually([&] { return !before->machine->leads; })) << "it notices that it is alone";
  EXPECT_EQ(before->machine->committed, committed);
}

TEST_F(GroupHostTest, AnotherLeadsWhenTheLeaderEnds) {
  propose_many(5);
  Node& first = *leader();
  stop(first);
  propose_many(5);
  start(first);
  EXPECT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
}

TEST_F(GroupHostTest, EverybodyRestartsWithWhatTheyHad) {
  propose_many(120);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  for (auto& node : nodes_) stop(*node);
  for (auto& node : nodes_) start(*node);
  EXPECT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
}

// Its disk has lost that it began anew, and the promises, which stand elsewhere, are its own (sim --nodes
// --seed=209104).
TEST_F(GroupHostTest, AReplicaDoesNotTakeForItsOwnWhatTheOneBeforeItLeft) {
  propose_many(5);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  stop(node(3));
  const raft::ReplicaId later = raft::replica_on(NodeId(3), 65);
  {
    auto log = std::move(*storage::LogStore::open({.path = node(3).directory / "log", .epoch = Epoch(50)}));
    const storage::GroupWrite write{
        .group = kGroup,
        .row = storage::GroupRow{.hard_state = {.recovering = true}, .self = later, .configuration = first_members()}};
    ASSERT_TRUE(log->write({&write, 1}, storage::Durability::synced));
  }
  node(3).epoch = 50;
  start(node(3));
  const raft::Core& core = node(3).host->replica(kGroup)->core();
  EXPECT_EQ(core.self(), later);
  EXPECT_EQ(core.log().last().index, LogIndex(0));
  EXPECT_TRUE(core.is_recovering());
  EXPECT_TRUE(node(3).machine->items.empty());
}

const std::string kLarge = std::string(70'000, 'x');

/// `text` in the large values of a database, which the last start has moved out of its write-ahead log.
void rot(const std::string& database, const std::string& text) {
  int damaged = 0;
  for (const std::string& blobs : storage::files_ending(database, ".blob")) {
    if (!storage::file_content(blobs).contains(text)) continue;
    storage::damage_text(blobs, text);
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
}

/// What a disk does to the replica of a node that is down.
class DiskLossTest : public HostWorld {
 protected:
  DiskLossTest() {
    propose(kLarge);
    propose_many(130);
    take_down();
    while (end_of_snapshot() == end_) {
      start(*loser_);
      take_down();
    }
  }
  /// A follower that has a snapshot, and whose last entry is an item.
  void take_down() {
    propose_many(1);
    EXPECT_TRUE(eventually([&] { return agrees(node(1)) && agrees(node(2)) && agrees(node(3)); }));
    loser_ = leader()->id == NodeId(3) ? &node(2) : &node(3);
    EXPECT_TRUE(eventually([&] { return loser_->host->replica(kGroup)->core().log().base().index > LogIndex(0); }));
    end_ = loser_->host->replica(kGroup)->core().log().last().index;
    stop(*loser_);
  }
  LogIndex end_of_snapshot() {
    const auto snapshots = std::move(*storage::SnapshotStore::open({.path = loser_->directory / "state"}));
    return (*snapshots->load(kGroup))->meta.last.index;
  }
  /// Of a loss that is not known as one the row says nothing.
  void lose_from(LogIndex index, bool is_known) {
    const Epoch epoch(++loser_->epoch);
    const auto log = std::move(*storage::LogStore::open({.path = loser_->directory / "log", .epoch = epoch}));
    storage::GroupWrite loss{.group = kGroup, .truncate_from = index};
    if (is_known) {
      loss.row = **log->row(kGroup);
      loss.row->hard_state.recovering = true;
    }
    ASSERT_TRUE(log->write({&loss, 1}, storage::Durability::synced));
  }
  /// What a start has moved out of the write-ahead log.
  void rot_snapshots(const Node& node) { rot(node.directory / "state", kLarge); }
  /// With who leads now: what another leader had not committed may be gone.
  bool agrees(const Node& node) {
    const Node* first = leader();
    return first != nullptr && node.machine->items == first->machine->items &&
           first->machine->committed == first->host->replica(kGroup)->core().log().last().index;
  }
  bool has_recovered() { return agrees(*loser_) && !loser_->host->replica(kGroup)->core().is_recovering(); }

  Node* loser_ = nullptr;
  LogIndex end_;
};

// What its snapshot calls live may be what another leader had put there (sim --nodes --seed=2005631).
TEST_F(DiskLossTest, AReplicaKeepsNothingOfWhichItIsNotSure) {
  for (const bool is_known : {true, false}) {
    lose_from(end_of_snapshot(), is_known);
    start(*loser_);
    EXPECT_TRUE(loser_->machine->items.empty()) << is_known;
    EXPECT_TRUE(loser_->host->replica(kGroup)->core().is_recovering()) << is_known;
    EXPECT_TRUE(eventually([&] { return has_recovered(); })) << is_known;
    stop(*loser_);
  }
  EXPECT_TRUE(failures_.empty());
}

TEST_F(DiskLossTest, WhoHearsOfItFromItsLeaderKnowsItAtTheNextStart) {
  for (int i = 0; i < 20 && failures_.empty(); ++i) {  // one that leads only since then cannot know
    lose_from(end_, false);
    start(*loser_);
    ASSERT_TRUE(eventually([&] { return !failures_.empty() || has_recovered(); }));
    if (failures_.empty()) take_down();
  }
  ASSERT_FALSE(failures_.empty());
  EXPECT_NE(failures_[0].find("has to start again to recover"), std::string::npos) << failures_[0];
  stop(*loser_);
  start(*loser_);
  EXPECT_TRUE(eventually([&] { return has_recovered(); }));
  EXPECT_EQ(failures_.size(), 1u);
}

TEST_F(DiskLossTest, ADamagedSnapshotIsMadeGoodByTheLeader) {
  ASSERT_TRUE(storage::SnapshotStore::open({.path = loser_->directory / "state"}));
  rot_snapshots(*loser_);
  start(*loser_);
  EXPECT_TRUE(loser_->host->replica(kGroup)->core().is_recovering());
  EXPECT_TRUE(eventually([&] { return has_recovered(); }));
  EXPECT_TRUE(failures_.empty());
}

TEST_F(DiskLossTest, ALeaderTakesAnotherSnapshotForOneThatItCannotRead) {
  propose_many(200);
  Node& leading = *leader();
  ASSERT_TRUE(eventually([&] { return leading.host->replica(kGroup)->core().log().base().index > end_; }));
  stop(leading);
  start(leading);
  ASSERT_TRUE(eventually([&] { return leader() != nullptr; }));
  leader()->host->transfer(kGroup, replica(leading.id.value()));
  ASSERT_TRUE(eventually([&] { return leader() == &leading; }));
  rot_snapshots(leading);
  start(*loser_);
  EXPECT_TRUE(eventually([&] { return agrees(*loser_); }));
  EXPECT_TRUE(failures_.empty());
}

/// A node that stopped when everything was staged of a snapshot and nothing had moved.
class InterruptedSwapTest : public DiskLossTest {
 protected:
  void SetUp() override {
    for (int i = 0; i < 10; ++i) propose(kLive);  // the machine needs one of them for ever
    propose_many(200);
    const auto is_sendable = [&] { return leader()->host->replica(kGroup)->core().log().base().index > end_.plus(12); };
    ASSERT_TRUE(eventually(is_sendable));
  }
  void stage() {
    const storage::Snapshot sent = **leader()->snapshots->load(kGroup);
    storage::GroupWrite staged{
        .group = storage::staging_of(kGroup),
        .row = storage::GroupRow{.self = replica(loser_->id.value()), .configuration = sent.meta.configuration}};
    ASSERT_TRUE(leader()->log->scan(kGroup, end_.plus(1), sent.meta.last.index, [&](raft::Entry&& entry) {
      if (sent.live.contains(entry.index)) staged.entries.push_back(std::move(entry));
      return true;
    }));
    const auto log = open_log();
    storage::GroupWrite begun{.group = kGroup, .truncate_from = end_.plus(1), .row = **log->row(kGroup)};
    begun.row->installing = sent.meta.last;
    begun.row->hard_state = {.term = leader()->host->replica(kGroup)->core().term()};
    const std::array writes{std::move(staged), std::move(begun)};
    ASSERT_TRUE(log->write(writes, storage::Durability::synced));
    ASSERT_TRUE(open_snapshots()->save(storage::staging_of(kGroup), sent.meta, sent.live, sent.state));
  }
  void rot_staged_entry() {
    open_log();
    rot(loser_->directory / "log", kLive);
  }
  std::unique_ptr<storage::LogStore> open_log() {
    const Epoch epoch(++loser_->epoch);
    return std::move(*storage::LogStore::open({.path = loser_->directory / "log", .epoch = epoch}));
  }
  std::unique_ptr<storage::SnapshotStore> open_snapshots() {
    return std::move(*storage::SnapshotStore::open({.path = loser_->directory / "state"}));
  }
  void expect_recovery() {
    start(*loser_);
    EXPECT_TRUE(eventually([&] { return loser_->host->replica(kGroup)->is_open() && has_recovered(); }));
    EXPECT_TRUE(failures_.empty()) << failures_[0];
  }

  const std::string kLive = std::string(70'000, 'y');
};

TEST_F(InterruptedSwapTest, IsTakenUp) {
  stage();
  expect_recovery();
}

TEST_F(InterruptedSwapTest, NeedsNothingOfTheSnapshotThatItReplaces) {
  open_snapshots();
  rot_snapshots(*loser_);
  stage();
  expect_recovery();
}

TEST_F(InterruptedSwapTest, BeginsAgainWhenAStagedEntryIsDamaged) {
  stage();
  rot_staged_entry();
  expect_recovery();
}

TEST_F(InterruptedSwapTest, BeginsAgainWhenTheStagedSnapshotIsDamaged) {
  stage();
  open_snapshots();
  rot_snapshots(*loser_);
  expect_recovery();
}

TEST_F(InterruptedSwapTest, BeginsAgainWhenTheStagedSnapshotIsGone) {
  stage();
  ASSERT_TRUE(open_snapshots()->drop(storage::staging_of(kGroup)));
  expect_recovery();
}

/// Damage on the disk of the first node, when its group began with other members than it has now.
class CompanyTest : public HostWorld {
 protected:
  explicit CompanyTest(std::size_t founders) : HostWorld(3, founders) {}

  void change_voters(std::vector<raft::ReplicaId> voters, std::vector<raft::ReplicaId> joining) {
    const auto asked = [&] {
      Node* leading = leader();
      if (leading == nullptr) return false;
      raft::Configuration target = leading->host->replica(kGroup)->core().configuration();
      target.voters = voters;
      target.joining = joining;
      return leading->host->change(kGroup, target) == raft::Refusal::none;
    };
    ASSERT_TRUE(eventually(asked));
  }
  bool is_group_of(std::size_t size) {
    if (leader() == nullptr) return false;
    const raft::Core& core = leader()->host->replica(kGroup)->core();
    const raft::Configuration& now = core.configuration();
    return now.voters.size() == size && !now.is_joint() && core.commit_index() >= core.configuration_index();
  }
  bool has_all(std::size_t i) {
    const Node* first = leader();
    return first != nullptr && node(i).machine->items == first->machine->items;
  }
  void compact() {
    propose_many(130);
    ASSERT_TRUE(eventually([&] { return node(1).host->replica(kGroup)->core().log().base().index > LogIndex(0); }));
  }
  /// As its next start will find it.
  void stop_and_rot(const char* database) {
    end_ = node(1).host->replica(kGroup)->core().log().last().index;
    stop(node(1));
    const Epoch epoch(++node(1).epoch);
    ASSERT_TRUE(storage::LogStore::open({.path = node(1).directory / "log", .epoch = epoch}));
    ASSERT_TRUE(storage::SnapshotStore::open({.path = node(1).directory / "state"}));
    rot(node(1).directory / database, kLarge);
  }
  void expect_recovery() {
    start(node(1));
    EXPECT_TRUE(node(1).host->replica(kGroup)->core().is_recovering());
    EXPECT_TRUE(eventually([&] { return !node(1).host->replica(kGroup)->core().is_recovering() && has_all(1); }));
    EXPECT_TRUE(failures_.empty());
  }
  /// Whoever puts the damaged file back has lost nothing.
  void expect_refusal() {
    expects_refusal_ = true;
    start(node(1));
    EXPECT_TRUE(*node(1).log->read(kGroup, end_)) << "nothing is thrown away";
    EXPECT_FALSE((*node(1).log->row(kGroup))->hard_state.recovering);
  }

  LogIndex end_;
};

class GrownGroupTest : public CompanyTest {
 protected:
  GrownGroupTest() : CompanyTest(1) {}
  void grow() {
    change_voters({replica(1)}, {replica(2), replica(3)});
    ASSERT_TRUE(eventually([&] { return is_group_of(3); }));
    propose_many(3);
    ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  }
};

TEST_F(GrownGroupTest, TheFounderRecoversFromDamageBeforeItsOthersCame) {
  propose(kLarge);
  propose_many(3);
  grow();
  stop_and_rot("log");
  expect_recovery();
}

// What is sent to it again begins with configurations of one.
TEST_F(GrownGroupTest, TheFounderRecoversHoweverOftenItIsInterrupted) {
  propose(kLarge);
  propose_many(20);
  grow();
  stop_and_rot("log");
  for (int rounds = 1; rounds < 40; ++rounds) {
    start(node(1));
    for (int i = 0; i < rounds; ++i) round();
    stop(node(1));
    round();
  }
  start(node(1));
  EXPECT_TRUE(eventually([&] { return !node(1).host->replica(kGroup)->core().is_recovering() && has_all(1); }));
  EXPECT_TRUE(failures_.empty());
}

TEST_F(GrownGroupTest, TheFounderRecoversFromADamagedSnapshot) {
  propose(kLarge);
  grow();
  compact();
  stop_and_rot("state");
  expect_recovery();
}

class ShrunkGroupTest : public CompanyTest {
 protected:
  ShrunkGroupTest() : CompanyTest(3) {}
  void shrink() {
    change_voters({replica(1)}, {});
    ASSERT_TRUE(eventually([&] { return leader() == &node(1) && is_group_of(1); }));
    propose_many(3);
    ASSERT_TRUE(eventually([&] { return node(1).machine->items.back() == "item " + std::to_string(next_ - 1); }));
  }
};

TEST_F(ShrunkGroupTest, WhoIsLeftAloneKeepsItsLogWhenItsSnapshotIsDamaged) {
  propose(kLarge);
  compact();
  shrink();
  stop_and_rot("state");
  expect_refusal();
}

TEST_F(ShrunkGroupTest, WhoIsLeftAloneKeepsItsLogWhenAnEntryFromBeforeIsDamaged) {
  propose(kLarge);
  propose_many(3);
  shrink();
  stop_and_rot("log");
  expect_refusal();
}

TEST_F(GroupHostTest, OneThatWasAwayTooLongGetsASnapshot) {
  propose_many(10);
  ASSERT_TRUE(eventually([&] { return leader() != nullptr && has_all(3); }));
  Node& away = leader()->id == NodeId(3) ? node(2) : node(3);
  stop(away);
  propose_many(200);
  ASSERT_TRUE(eventually([&] { return leader()->host->replica(kGroup)->core().log().base().index > LogIndex(20); }));
  start(away);
  EXPECT_TRUE(eventually([&] { return has_all(away.id.value()); }));
  EXPECT_GE(away.machine->restored, 1);
  EXPECT_TRUE(*away.disk->has_log_of(kGroup, **away.disk->load_snapshot(kGroup))) << "its last entry came along";
  propose_many(5);
  EXPECT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  EXPECT_TRUE(failures_.empty());
}

// Wherever the process ends while a snapshot replaces its log, the next start finds one of the two whole.
TEST_F(GroupHostTest, ASnapshotThatIsInterruptedAnywhereIsTakenUpOrForgotten) {
  propose_many(10);
  ASSERT_TRUE(eventually([&] { return leader() != nullptr && has_all(1) && has_all(2) && has_all(3); }));
  Node& away = leader()->id == NodeId(3) ? node(2) : node(3);
  stop(away);
  propose_many(200);
  ASSERT_TRUE(eventually([&] { return leader()->host->replica(kGroup)->core().log().base().index > LogIndex(20); }));
  for (int rounds = 1; rounds < 60; rounds += 1) {
    start(away);
    for (int i = 0; i < rounds; ++i) round();
    stop(away);
    round();
  }
  start(away);
  EXPECT_TRUE(eventually([&] { return has_all(away.id.value()); }));
  EXPECT_TRUE(failures_.empty()) << failures_[0];
}

TEST_F(GroupHostTest, SleepsWhenNothingHappensAndWakesForAProposal) {
  propose_many(2);
  const auto asleep = [&] {
    return std::ranges::all_of(nodes_, [](auto& node) { return node->host->replica(kGroup)->core().is_steady(); });
  };
  ASSERT_TRUE(eventually(asleep));
  EXPECT_FALSE(node(1).host->replica(kGroup)->next_deadline());
  propose_many(1);
  EXPECT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
}

TEST_F(GroupHostTest, AReadIsAnsweredWithWhatIsCommitted) {
  propose_many(4);
  ASSERT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3); }));
  std::optional<LogIndex> index;
  for (auto& node : nodes_) {
    index.reset();
    node->host->read_index(kGroup, [&](std::optional<LogIndex> at) { index = at; });
    EXPECT_TRUE(eventually([&] { return index.has_value(); })) << "asked at node " << node->id.value();
    EXPECT_GE(*index, leader()->machine->committed);
  }
}

TEST_F(GroupHostTest, ALeaderThatIsRemovedHandsOver) {
  ASSERT_TRUE(eventually([&] { return leader() != nullptr; }));
  Node& first = *leader();
  const raft::ReplicaId gone = replica(first.id.value());
  raft::Configuration target = first.host->replica(kGroup)->core().configuration();
  std::erase(target.voters, gone);
  ASSERT_TRUE(eventually([&] { return first.host->change(kGroup, target) == raft::Refusal::none; }));
  ASSERT_TRUE(eventually([&] { return leader() != nullptr && leader()->id != first.id; }));
  propose_many(3);
  EXPECT_TRUE(eventually([&] { return has_all(leader()->id.value()); }));
  EXPECT_FALSE(first.machine->leads);
}

/// A fourth node, whose replica is not a member yet.
class NewMemberTest : public HostWorld {
 protected:
  NewMemberTest() : HostWorld(4) {}

  const raft::Core& leading_core() { return leader()->host->replica(kGroup)->core(); }
  void add_member() {
    ASSERT_TRUE(eventually([&] { return leader() != nullptr; }));
    raft::Configuration target = leading_core().configuration();
    target.joining = {replica(4)};
    ASSERT_TRUE(eventually([&] { return leader()->host->change(kGroup, target) == raft::Refusal::none; }));
  }
  bool has_caught_up() {
    const raft::Core& core = leading_core();
    const raft::Progress* peer = core.progress(replica(4));
    return peer != nullptr && peer->state() == raft::Progress::State::replicate &&
           peer->match() == core.log().last().index && core.commit_index() == peer->match();
  }
  static constexpr raft::Core::Timing kTiming{};
};

TEST_F(NewMemberTest, VotesWithTheFirstHeartbeatAfterASnapshotHasBroughtItUpToDate) {
  clock_.advance(kTiming.promotion);
  propose_many(200);
  ASSERT_TRUE(eventually([&] { return leader() != nullptr && has_all(1) && has_all(2) && has_all(3); }));
  ASSERT_TRUE(eventually([&] { return leading_core().log().base().index > LogIndex(100); }));
  add_member();
  ASSERT_TRUE(at_once([&] { return has_caught_up(); }));
  EXPECT_TRUE(has_all(4));
  clock_.advance(kTiming.heartbeat);
  EXPECT_TRUE(at_once([&] { return leading_core().configuration().is_voter(replica(4)); }));
  EXPECT_TRUE(failures_.empty());
}

TEST_F(NewMemberTest, DoesNotVoteBeforeItsNodeHasBeenWellForAWhile) {
  clock_.advance(kTiming.promotion);
  round();  // the shards see what time it is
  stop(node(4));
  start(node(4));
  const Instant started = clock_.now();
  add_member();
  const auto votes = [&] { return leader() != nullptr && leading_core().configuration().is_voter(replica(4)); };
  ASSERT_TRUE(eventually(votes));
  EXPECT_GE(clock_.now() - started, kTiming.promotion);
}

}  // namespace quorate::cluster

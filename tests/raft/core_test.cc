// A group of one: it leads once its own vote is on disk, and commits what is on disk, never more.
#include "raft/core.h"

#include <gtest/gtest.h>

namespace quorate::raft {

class CoreTest : public testing::Test {
 protected:
  explicit CoreTest(Core::Options options = {.self = ReplicaId(1), .voters = {ReplicaId(1)}}) : core(options) {}

  Output step(Input input, int at_ms = 0) {
    Output out;
    core.step(WallTime(std::chrono::milliseconds(at_ms)), std::move(input), out);
    return out;
  }
  void lead() {
    const Output vote = step(Campaign{});
    const Output noop = step(AppendDone{vote.append->mark});
    step(AppendDone{noop.append->mark});
  }
  Core core;
};

TEST_F(CoreTest, LeadsOnlyWhenItsVoteIsDurable) {
  const Output vote = step(Campaign{});
  ASSERT_TRUE(vote.append && vote.append->hard_state);
  EXPECT_EQ(vote.append->hard_state->voted_for, ReplicaId(1));
  EXPECT_EQ(core.role(), Role::candidate);
  const Output noop = step(AppendDone{vote.append->mark});
  EXPECT_TRUE(noop.became_leader);
  ASSERT_EQ(noop.append->entries.size(), 1u);
  EXPECT_EQ(noop.append->entries[0].type, EntryType::noop);
}

TEST_F(CoreTest, RefusesProposalsBeforeItLeads) {
  EXPECT_TRUE(step(Propose{}).refused);
  step(Campaign{});
  EXPECT_TRUE(step(Propose{}).refused);
}

TEST_F(CoreTest, AppliesAtOnceButCommitsWhatIsDurable) {
  lead();
  const Output proposed = step(Propose{.payload = Bytes::copy_of("x")});
  EXPECT_EQ(core.applicable_index(), LogIndex(2));
  EXPECT_EQ(core.commit_index(), LogIndex(1));
  step(AppendDone{proposed.append->mark});
  EXPECT_EQ(core.commit_index(), LogIndex(2));
}

TEST_F(CoreTest, TimeInTheLogNeverRunsBackwards) {
  lead();
  EXPECT_EQ(step(Propose{}, 500).append->entries[0].ts, WallTime(std::chrono::milliseconds(500)));
  EXPECT_EQ(step(Propose{}, 300).append->entries[0].ts, WallTime(std::chrono::milliseconds(500)));
}

TEST_F(CoreTest, AFailedDiskEndsIt) {
  lead();
  step(AppendFailed{});
  EXPECT_TRUE(step(Propose{}).refused);
  EXPECT_TRUE(core.failed());
}

TEST_F(CoreTest, AnAppendOfAnOldTermConfirmsNothing) {
  lead();
  const LogIndex before = core.commit_index();
  step(Propose{});
  step(AppendDone{{.term = Term(0), .index = LogIndex(2)}});
  EXPECT_EQ(core.commit_index(), before);
}

TEST(CoreRestart, CommitsTheOldLogWithTheFirstEntryOfItsTerm) {
  Core core({.self = ReplicaId(1),
             .voters = {ReplicaId(1)},
             .hard_state = {.term = Term(3), .voted_for = ReplicaId(1)},
             .last = {.index = LogIndex(10), .term = Term(3)},
             .snapshot = LogIndex(4)});
  Output out;
  core.step(WallTime{}, Campaign{}, out);
  EXPECT_EQ(core.term(), Term(4));
  const LogMark vote = out.append->mark;
  out.clear();
  core.step(WallTime{}, AppendDone{vote}, out);
  EXPECT_EQ(core.commit_index(), LogIndex(4)) << "entries of term 3 do not commit by counting";
  EXPECT_EQ(core.applicable_index(), LogIndex(11));
  core.step(WallTime{}, AppendDone{out.append->mark}, out);
  EXPECT_EQ(core.commit_index(), LogIndex(11));
}

}  // namespace quorate::raft

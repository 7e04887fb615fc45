// A group of one: it leads once its own vote is on disk, and commits what is on disk, never more.
#include "raft/core.h"

#include <gtest/gtest.h>

#include "raft/print.h"

namespace quorate::raft {

Core::Options alone() {
  Core::Options options;
  options.self = ReplicaId(1);
  options.configuration.voters = {ReplicaId(1)};
  return options;
}

class CoreTest : public testing::Test {
 protected:
  explicit CoreTest(const Core::Options& options = alone()) : core(options, Instant{}) {}

  Output step(Input input, int at_ms = 0) {
    Output out;
    core.step({.now = Instant(std::chrono::milliseconds(at_ms)), .wall = WallTime(std::chrono::milliseconds(at_ms))},
              std::move(input), out);
    return out;
  }
  static AppendDone done(const Output& out) { return {.mark = out.append->mark, .hard_state = out.append->hard_state}; }
  void lead() {
    const Output vote = step(Campaign{});
    const Output noop = step(done(vote));
    step(done(noop));
  }
  Core core;
};

TEST_F(CoreTest, LeadsOnlyWhenItsVoteIsDurable) {
  const Output vote = step(Campaign{});
  ASSERT_TRUE(vote.append && vote.append->hard_state);
  EXPECT_EQ(vote.append->hard_state->voted_for, ReplicaId(1));
  EXPECT_EQ(core.role(), Role::candidate);
  const Output noop = step(done(vote));
  EXPECT_TRUE(noop.became_leader);
  ASSERT_EQ(noop.append->entries.size(), 1u);
  EXPECT_EQ(noop.append->entries[0].type, EntryType::noop);
}

TEST_F(CoreTest, StandsByItselfWhenItsTimeHasCome) {
  ASSERT_TRUE(core.next_deadline());
  const Output early = step(Deadline{});
  EXPECT_EQ(print(early), "");
  step(Deadline{}, 2000);
  EXPECT_EQ(core.role(), Role::candidate);
}

TEST_F(CoreTest, NeedsNoClockOnceItLeads) {
  lead();
  EXPECT_FALSE(core.next_deadline());
}

TEST_F(CoreTest, RefusesProposalsBeforeItLeads) {
  EXPECT_EQ(step(Propose{}).refused, Refusal::not_leader);
  step(Campaign{});
  EXPECT_EQ(step(Propose{}).refused, Refusal::not_leader);
}

TEST_F(CoreTest, AppliesAtOnceButCommitsWhatIsDurable) {
  lead();
  const Output proposed = step(Propose{.payload = Bytes::copy_of("x")});
  EXPECT_EQ(core.applicable_index(), LogIndex(2));
  EXPECT_EQ(core.commit_index(), LogIndex(1));
  step(done(proposed));
  EXPECT_EQ(core.commit_index(), LogIndex(2));
}

TEST_F(CoreTest, TimeInTheLogNeverRunsBackwards) {
  lead();
  EXPECT_EQ(step(Propose{}, 500).append->entries[0].ts, WallTime(std::chrono::milliseconds(500)));
  EXPECT_EQ(step(Propose{}, 300).append->entries[0].ts, WallTime(std::chrono::milliseconds(500)));
}

TEST_F(CoreTest, ReadsAtOnce) {
  EXPECT_EQ(step(ReadIndex{.token = 7}).refused, Refusal::not_leader);
  lead();
  const Output out = step(ReadIndex{.token = 8});
  ASSERT_EQ(out.reads.size(), 1u);
  EXPECT_EQ(out.reads[0].token, 8u);
  EXPECT_EQ(out.reads[0].index, LogIndex(1));
}

TEST_F(CoreTest, AFailedDiskEndsIt) {
  lead();
  const Output proposed = step(Propose{});
  step(AppendFailed{});
  EXPECT_TRUE(core.failed());
  EXPECT_EQ(step(Propose{}).refused, Refusal::failed);
  step(done(proposed));
  EXPECT_EQ(core.commit_index(), LogIndex(1));
  EXPECT_FALSE(core.next_deadline());
}

TEST_F(CoreTest, AnAppendOfAnOldTermConfirmsNothing) {
  lead();
  const LogIndex before = core.commit_index();
  step(Propose{});
  step(AppendDone{.mark = {.term = Term(0), .index = LogIndex(2)}, .hard_state = std::nullopt});
  EXPECT_EQ(core.commit_index(), before);
}

TEST_F(CoreTest, ForgetsEntriesThatNobodyMayAskFor) {
  lead();
  const Output proposed = step(Propose{.payload = Bytes::copy_of(std::string(10'000, 'x'))});
  EXPECT_GT(core.memory_bytes(), 10'000u);
  step(done(proposed));
  step(Applied{.index = LogIndex(2)});
  EXPECT_LT(core.memory_bytes(), 10'000u);
}

/// Entries 5 to 10 of term 3 behind a snapshot.
Core::Options found_on_disk() {
  Core::Options options = alone();
  options.hard_state = {.term = Term(3), .voted_for = ReplicaId(1)};
  options.snapshot = {.index = LogIndex(4), .term = Term(2)};
  options.runs = {{.first = LogIndex(5), .term = Term(3)}};
  options.last = LogIndex(10);
  return options;
}

class CoreRestart : public CoreTest {
 protected:
  CoreRestart() : CoreTest(found_on_disk()) {}
};

TEST_F(CoreRestart, CommitsTheOldLogWithTheFirstEntryOfItsTerm) {
  const Output vote = step(Campaign{});
  EXPECT_EQ(core.term(), Term(4));
  const Output noop = step(done(vote));
  EXPECT_EQ(core.commit_index(), LogIndex(4)) << "entries of term 3 do not commit by counting";
  EXPECT_EQ(core.applicable_index(), LogIndex(11));
  step(done(noop));
  EXPECT_EQ(core.commit_index(), LogIndex(11));
}

/// The same as one of three.
class CoreOfThree : public CoreTest {
 protected:
  static Core::Options one_of_three() {
    Core::Options options = found_on_disk();
    options.configuration.voters = {ReplicaId(1), ReplicaId(2), ReplicaId(3)};
    return options;
  }
  CoreOfThree() : CoreTest(one_of_three()) {}
};

// The sender may lead in the new term too, and takes a refusal below what it knows to be here for proof of a loss
// (sim --seed=539).
TEST_F(CoreOfThree, TellsWhoseWordsAreOldWhatItHas) {
  const Append late{.prev = {.index = LogIndex(5), .term = Term(2)}};
  const Output out = step(Receive{{.from = ReplicaId(2), .to = ReplicaId(1), .term = Term(2), .body = late}});
  ASSERT_EQ(out.messages.size(), 1u);
  const auto& reply = std::get<AppendReply>(out.messages[0].body);
  EXPECT_TRUE(reply.rejected);
  EXPECT_EQ(reply.hint, (LogPosition{.index = LogIndex(10), .term = Term(3)}));
  EXPECT_EQ(out.messages[0].term, Term(3));
}

}  // namespace quorate::raft

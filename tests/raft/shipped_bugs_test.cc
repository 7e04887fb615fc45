// Bugs that others have shipped, under the numbers of our survey of them, each as a story that must end well here.
// Those that are not the core's alone are tested where the rule lives:
//
//   B3   nothing durable speaks of what is not durable      here for the core;
//   GroupHostTest.EverybodyRestartsWithWhatTheyHad B4   gaps in a log                                      here for
//   messages; on disk LogSummaryTest.AHoleIsDamage B6   one entry too many behind a snapshot
//   MachineReplay.FromASnapshotTakenAnywhereIsTheFullReplay B8   state that depends on the order of a map MachineHash,
//   tests/determinism B9   a publication that overtakes a lost one            belongs to sessions that resend, which do
//   not exist yet B13  damage spreads, data deleted for unreadable data   LogLossTest, LogDamageTest; disk.bit_rot in
//   tests/sim B17  an applied index apart from its state              one snapshot holds both: MachineReplay, tests/sim
//   `states`
#include <gtest/gtest.h>

#include "raft/print.h"
#include "tests/raft/script.h"

namespace quorate::raft::test {
namespace {

class ShippedBugs : public testing::Test {
 protected:
  void run(std::string_view lines) { script_.run(lines); }
  const Core& core(std::uint64_t replica) { return script_.core(replica); }
  std::uint64_t commit(std::uint64_t replica) { return core(replica).commit_index().value(); }
  std::uint64_t last(std::uint64_t replica) { return core(replica).last_index().value(); }
  std::size_t writes(std::uint64_t replica) { return script_.cluster().disk(ReplicaId(replica)).under_way().size(); }
  std::size_t in_flight_from(std::uint64_t replica) {
    const auto& flight = script_.cluster().in_flight();
    return static_cast<std::size_t>(
        std::ranges::count_if(flight, [&](const Message& message) { return message.from == ReplicaId(replica); }));
  }
  std::vector<std::string> applied(std::uint64_t replica) { return script_.cluster().applied(ReplicaId(replica)); }
  /// A message as from a peer that is not to be trusted to send it.
  void receive(std::uint64_t from, std::uint64_t to, std::uint64_t term, Body body) {
    script_.cluster().step(
        ReplicaId(to),
        Receive{{.from = ReplicaId(from), .to = ReplicaId(to), .term = Term(term), .body = std::move(body)}});
  }

  Script script_;
};

using Strings = std::vector<std::string>;

/// ra #508: a follower took the leader's commit index for its own tail, which was another leader's.
TEST_F(ShippedBugs, B01_CommitsOnlyWhatAnAppendHasProved) {
  run(R"(nodes 1,2,3,4,5
         detail nothing
         campaign 1
         settle
         cut 1 3,4,5
         propose 1 x y z
         settle 1,2
         cut 1,2 3,4,5
         advance 2s
         campaign 3
         settle 3,4,5
         propose 3 a b
         settle 3,4,5
         heal
         cut 1 2,3,4,5
         unreachable 3 2
         tick 150ms
         deliver from=3 to=2 kind=append)");
  ASSERT_EQ(commit(3), 4u);
  ASSERT_EQ(last(2), 4u);
  EXPECT_EQ(core(2).leader(), ReplicaId(3)) << "it has heard the leader, and of its commit index";
  EXPECT_EQ(commit(2), 1u) << "but its own entries 2 to 4 are another's";
  const LogPosition common{.index = LogIndex(1), .term = Term(1)};
  receive(3, 2, 2, Append{.prev = common, .commit = LogIndex(4), .leader_last = LogIndex(4)});
  EXPECT_EQ(commit(2), 1u);
  EXPECT_EQ(applied(2), Strings{});
  run("settle 2,3,4,5");
  EXPECT_EQ(applied(2), (Strings{"a", "b"}));
}

/// ra 3949097, 324d9bc: what was said to be written stayed so when it was truncated, or was said of another's entry.
TEST_F(ShippedBugs, B02_WhatIsDurableFallsWithATruncationAndKnowsItsLeader) {
  run(R"(nodes 1,2,3,4,5
         detail nothing
         campaign 1
         settle
         cut 1 3,4,5
         propose 1 x y
         deliver to=2
         cut 1,2 3,4,5
         advance 2s
         campaign 3
         settle 3,4,5
         propose 3 a
         settle 3,4,5
         heal
         cut 1 2,3,4,5
         drop
         unreachable 3 2
         tick 150ms
         settle 3
         deliver from=3 to=2
         settle 3
         deliver from=3 to=2)");
  ASSERT_EQ(core(2).log().last(), (LogPosition{.index = LogIndex(3), .term = Term(2)}));
  EXPECT_EQ(core(2).durable_index(), LogIndex(1));
  run("persist 2 count=1");  // x, y of leader 1
  EXPECT_EQ(core(2).durable_index(), LogIndex(1)) << "entries 2 and 3 are others now, and still under way";
  run("persist 2\n settle 2,3,4,5");
  EXPECT_EQ(core(2).durable_index(), LogIndex(3));
  EXPECT_EQ(applied(2), Strings{"a"});
}

/// ra ffe3016: the applied index on disk was ahead of the log on disk.
TEST_F(ShippedBugs, B03_StartsWithADiskThatIsBehindWhatWasCommitted) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         propose 1 a
         settle 1,2
         deliver to=3
         settle 1,2
         deliver to=3)");
  ASSERT_EQ(core(3).durable_index(), LogIndex(1));
  run("deliver to=3\n tick 150ms\n deliver to=3");
  ASSERT_EQ(commit(3), 2u) << "committed without its own disk";
  run("restart 3");
  EXPECT_EQ(last(3), 1u);
  run("run 1s");
  EXPECT_EQ(applied(3), Strings{"a"});
}

/// ra f68c255: entries were taken although some before them were missing.
TEST_F(ShippedBugs, B04_LeavesNoGap) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle)");
  const auto entry = [](std::uint64_t index) {
    return Entry{.index = LogIndex(index), .term = Term(1), .type = EntryType::command};
  };
  const LogPosition own{.index = LogIndex(1), .term = Term(1)};
  receive(1, 2, 1, Append{.prev = {.index = LogIndex(4), .term = Term(1)}, .entries = {entry(5)}});
  EXPECT_EQ(last(2), 1u);
  receive(1, 2, 1, Append{.prev = own, .entries = {entry(3)}});
  receive(1, 2, 1, Append{.prev = own, .entries = {entry(2), entry(4)}});
  receive(1, 2, 1, Append{.prev = own, .entries = {entry(1), entry(2)}});
  EXPECT_EQ(last(2), 1u) << "entries with a hole are nobody's";
  EXPECT_EQ(writes(2), 0u);
}

/// ra de94f92: an own snapshot that was finished after a newer one had been installed took its place.
TEST_F(ShippedBugs, B05_AnOlderSnapshotDoesNotReplaceANewerOne) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         propose 1 a b
         settle
         cut 1,2 3
         propose 1 c d e
         settle
         stage 1 3
         persist 3)");
  ASSERT_EQ(core(3).log().base().index, LogIndex(6));
  script_.cluster().step(ReplicaId(3), Compacted{.position = {.index = LogIndex(3), .term = Term(1)}});
  EXPECT_EQ(core(3).log().base().index, LogIndex(6));
  EXPECT_EQ(core(3).configuration_at(LogIndex(6)).voters.size(), 3u);
}

/// rabbit #15725: a member without data came back under its old name and voted.
TEST_F(ShippedBugs, B07_ANewReplicaIsNotTheOneThatWasThereBefore) {
  const ReplicaId before = replica_on(NodeId(3), 17);
  const ReplicaId now = replica_on(NodeId(3), 99);
  Core::Options options;
  options.self = now;
  options.configuration = {.voters = {replica_on(NodeId(1), 17), replica_on(NodeId(2), 17)}, .joining = {now}};
  Core core(options, Instant{});
  Output out;
  const Vote vote{.last = {.index = LogIndex(9), .term = Term(9)}};
  core.step({}, Receive{{.from = replica_on(NodeId(1), 17), .to = before, .term = Term(9), .body = vote}}, out);
  EXPECT_EQ(print(out), "") << "that letter is for somebody who is gone";
  EXPECT_EQ(core.term(), Term(0));
  core.step({}, Campaign{}, out);
  EXPECT_EQ(print(out), "") << "whoever begins with nothing begins as a learner";
}

/// The same for one that knows that it has lost something.
TEST_F(ShippedBugs, B07_WhoeverHasLostEntriesElectsNobody) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         cut 1,3 2
         propose 1 a b
         settle
         stop 1
         restart 3 loses=2 known
         heal
         advance 3s
         campaign 2
         settle
         campaign 3
         run 5s)");
  EXPECT_NE(core(2).role(), Role::leader) << "2 and 3 are a majority, but only 1 still has what was committed";
  EXPECT_NE(core(3).role(), Role::leader);
  run("restart 1\n run 5s");
  EXPECT_EQ(applied(2), (Strings{"a", "b"}));
  EXPECT_EQ(applied(3), (Strings{"a", "b"}));
}

/// ra 3.x: the log was shortened to what was applied before the snapshot that should replace it was there. 1
/// commits 2..6 with 2; 2 leads term 2 alone; 1 leads term 3 with the vote of 3, and sends 2 a snapshot; 1 dies.
TEST_F(ShippedBugs, B10_ASnapshotOnItsWayTakesNothingAway) {
  const auto until_the_snapshot = R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         cut 1,2 3
         propose 1 a b c d e
         deliver to=2
         persist 1,2
         deliver to=1
         drop
         heal
         cut 1 2,3
         advance 3s
         campaign 2
         settle 3
         deliver to=2
         persist 2
         settle 3
         deliver to=2
         persist 2
         drop
         heal
         cut 2 1,3
         restart 1
         campaign 1
         settle 1,3
         advance 3s
         campaign 1
         settle 3
         deliver to=1
         persist 1
         settle 3
         deliver to=1
         persist 1
         stage 1 2 at=5)";
  run(until_the_snapshot);
  ASSERT_EQ(core(1).role(), Role::leader);
  ASSERT_EQ(core(1).term(), Term(3));
  ASSERT_TRUE(core(2).is_installing());
  // The swap never takes place, and 1 never comes back.
  run(R"(restart 2
         stop 1
         drop
         heal
         dead 1
         run 5s)");
  EXPECT_EQ(applied(2), (Strings{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(applied(3), (Strings{"a", "b", "c", "d", "e"}));
  // The swap takes place: what the snapshot does not cover stays.
  run(until_the_snapshot);
  run(R"(persist 2
         restart 2
         stop 1
         drop
         heal
         dead 1
         run 5s)");
  ASSERT_FALSE(applied(3).empty());
  EXPECT_EQ(applied(3).back(), "e") << "a to d came with 2's snapshot";
}

/// ra: an empty append with a lower index reset the log; it relied on links that never overtake or repeat.
TEST_F(ShippedBugs, B11_AnOvertakenAppendTakesNothingBack) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         tick 150ms
         propose 1 a
         duplicate kind=append to=2
         propose 1 b
         reverse to=2 kind=append
         deliver to=2
         deliver to=1
         deliver to=2
         persist 2)");
  ASSERT_EQ(last(2), 3u);
  ASSERT_EQ(commit(2), 1u);
  const Append older{
      .prev = {.index = LogIndex(1), .term = Term(1)}, .commit = LogIndex(1), .leader_last = LogIndex(1)};
  receive(1, 2, 1, older);
  receive(1, 2, 1, Append{});
  EXPECT_EQ(last(2), 3u);
  EXPECT_EQ(core(2).durable_index(), LogIndex(3));
  EXPECT_EQ(writes(2), 0u);
  run("settle");
  receive(1, 2, 1, older);
  EXPECT_EQ(last(2), 3u);
  EXPECT_EQ(commit(2), 3u);
}

/// NATS #7567: acknowledged before it was on any disk.
TEST_F(ShippedBugs, B12_NothingIsSaidBeforeItIsDurable) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         propose 1 a
         deliver to=2,3)");
  EXPECT_EQ(in_flight_from(2) + in_flight_from(3), 0u);
  EXPECT_EQ(commit(1), 1u);
  run("persist 2\n deliver to=1");
  EXPECT_EQ(commit(1), 1u) << "the leader's disk does not have it either";
  run("persist 1");
  EXPECT_EQ(commit(1), 2u);
  run("restart 1\n restart 2\n restart 3\n run 5s");
  EXPECT_EQ(applied(3), Strings{"a"}) << "all lose power at once, and it is still there";
}

/// NATS #7545: the size of the cluster changed when a change was committed, so majorities did not meet.
TEST_F(ShippedBugs, B14_AConfigurationCountsFromItsAppend) {
  run(R"(nodes 1
         detail nothing
         campaign 1
         settle
         node 2
         configure 1 voters=1,2
         propose 1 a
         persist 1)");
  EXPECT_EQ(commit(1), 1u) << "the second voter has neither";
  run("settle");
  EXPECT_EQ(commit(1), 3u);
}

/// NATS 69aebe8: a replay dropped the size of the cluster to one. f618bca: the removed were counted. 2f60ea8: a change
/// that was taken back left its peers.
TEST_F(ShippedBugs, B14_AConfigurationIsWhatTheLogSays) {
  run(R"(nodes 1
         detail nothing
         campaign 1
         settle
         node 2
         node 3
         configure 1 voters=1,2
         settle
         restart 1
         drop
         campaign 1
         persist 1)");
  EXPECT_EQ(core(1).role(), Role::pre_candidate) << "alone it is no majority any more";
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         node 4
         cut 1 2,3,4
         configure 1 voters=1,2,3,4
         persist 1
         advance 3s
         campaign 2
         settle 2,3
         heal
         run 1s)");
  EXPECT_EQ(core(1).configuration().voters.size(), 3u);
  EXPECT_EQ(core(2).progress(ReplicaId(4)), nullptr);
}

/// NATS c8687fc: an entry of an older term was committed by counting. Figure 8 of the Raft paper.
TEST_F(ShippedBugs, B15_AnEntryOfAnOlderTermDoesNotCommitByCounting) {
  run(R"(nodes 1,2,3,4,5 append_entries=1 window=1
         detail nothing
         campaign 1
         settle
         cut 1,2 3,4,5
         propose 1 a
         settle 1,2
         advance 3s
         campaign 5
         settle 3,4
         deliver to=5
         persist 5
         settle 3,4
         cut 5 3,4
         deliver to=5
         persist 5)");
  ASSERT_EQ(core(5).role(), Role::leader);
  run(R"(restart 1
         restart 5
         heal
         cut 5 1,2,3,4
         cut 1 4
         drop
         campaign 1
         settle 1,2,3
         advance 3s
         campaign 1
         settle 2,3
         deliver to=1
         persist 1
         settle 2,3
         deliver to=1
         persist 1
         settle 2,3
         deliver to=1
         fetch 1
         deliver to=3
         persist 3
         deliver from=3 to=1)");
  ASSERT_EQ(core(1).role(), Role::leader);
  ASSERT_EQ(core(1).progress(ReplicaId(2))->match(), LogIndex(3));
  ASSERT_EQ(core(1).progress(ReplicaId(3))->match(), LogIndex(2)) << "entry 2 of term 1 is on 1, 2 and 3";
  EXPECT_EQ(commit(1), 0u) << "and yet 5 could still replace it";
  run(R"(stop 1
         drop
         heal
         cut 5 2
         advance 3s
         campaign 5
         settle 3,4,5
         advance 3s
         campaign 5
         settle 3,4,5
         heal
         settle)");
  EXPECT_EQ(core(5).role(), Role::leader);
  EXPECT_EQ(applied(3), Strings{});
}

/// NATS bf8ebe7: voted again in the same term after a transfer.
TEST_F(ShippedBugs, B15_ATransferLeavesOneVoteATerm) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         transfer 1 2
         deliver to=2
         persist 2
         deliver kind=vote to=1
         persist 1)");
  ASSERT_EQ(core(1).hard_state().voted_for, ReplicaId(2));
  const Vote another{.last = {.index = LogIndex(9), .term = Term(1)}, .transfer = true};
  run("drop");
  receive(3, 1, 2, another);
  EXPECT_EQ(core(1).hard_state().voted_for, ReplicaId(2));
  EXPECT_EQ(print(script_.cluster().in_flight().at(0)), "1>3 t2 vote-reply denied");
  run("restart 1\n drop");
  receive(3, 1, 2, another);
  EXPECT_EQ(print(script_.cluster().in_flight().at(0)), "1>3 t2 vote-reply denied");
}

/// The same replica leads again, and an acknowledgement from its first term arrives: what it speaks of may be gone.
TEST_F(ShippedBugs, B15_AnAnswerToAnOlderTermCountsForNothing) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         transfer 1 2
         settle
         transfer 2 1
         settle
         cut 1 2,3
         propose 1 a
         persist 1)");
  ASSERT_EQ(core(1).role(), Role::leader);
  ASSERT_EQ(core(1).term(), Term(3));
  const std::uint64_t before = commit(1);
  receive(2, 1, 1, AppendReply{.index = core(1).last_index(), .ordinal = 1u << 20});
  receive(2, 1, 2, AppendReply{.index = core(1).last_index(), .ordinal = 1u << 20});
  EXPECT_EQ(commit(1), before);
}

/// NATS f871570: several catch-ups at a time took back what was committed.
TEST_F(ShippedBugs, B15_WhatIsCommittedIsNeverTakenBack) {
  run(R"(nodes 1,2,3 append_entries=1
         detail nothing
         campaign 1
         settle
         cut 1,2 3
         propose 1 a b c d
         settle
         heal
         unreachable 1 3
         tick 150ms
         duplicate
         deliver to=3
         persist 3
         unreachable 1 3
         duplicate
         reverse
         settle 1,3
         unreachable 1 3
         duplicate
         reverse
         settle)");
  EXPECT_EQ(applied(3), (Strings{"a", "b", "c", "d"}));
}

/// NATS 860e236: a node whose disk failed went on voting.
TEST_F(ShippedBugs, B16_AFailedDiskSaysNothingMore) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         propose 1 a
         deliver to=2
         fail 2
         drop
         tick 150ms
         deliver to=2
         advance 3s
         campaign 3
         deliver to=2)");
  EXPECT_EQ(in_flight_from(2), 0u);
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         fail 1
         settle)");
  EXPECT_NE(core(1).role(), Role::leader);
  EXPECT_TRUE(core(2).role() == Role::leader || core(3).role() == Role::leader) << "it hands over";
}

/// etcd-io/raft #469: a candidate with a change that is committed but not applied won by the old configuration.
TEST_F(ShippedBugs, B18_ACandidateNeedsTheMajorityOfWhatItHasAppended) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         node 4
         node 5
         configure 1 voters=1,4,5
         deliver to=2
         persist 2
         drop
         stop 1
         stop 4
         stop 5
         advance 3s
         campaign 2
         settle 2,3)");
  EXPECT_EQ(core(2).role(), Role::pre_candidate) << "2 and 3 were a majority before the change";
}

/// hashicorp #605, #609: a pre-vote changed what the receiver believed of its leader.
TEST_F(ShippedBugs, B19_APreVoteChangesNothingAtTheReceiver) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         advance 1500ms)");
  const std::string before = print(core(2));
  const auto deadline = core(2).next_deadline();
  receive(3, 2, 2, PreVote{.last = {.index = LogIndex(1), .term = Term(1)}});
  receive(3, 2, 9, PreVote{.last = {.index = LogIndex(9), .term = Term(8)}});
  receive(3, 2, 2, PreVote{.last = {.index = LogIndex(0), .term = Term(0)}});
  EXPECT_EQ(print(core(2)), before);
  EXPECT_EQ(core(2).next_deadline(), deadline);
  EXPECT_EQ(writes(2), 0u);
  receive(1, 2, 1, Append{.prev = {.index = LogIndex(1), .term = Term(1)}, .commit = LogIndex(1)});
  EXPECT_EQ(core(2).leader(), ReplicaId(1)) << "and the leader is still welcome";
  EXPECT_EQ(print(script_.cluster().in_flight().back().body).substr(0, 18), "append-reply has 1");
}

/// NuRaft's options let a majority shrink by itself.
TEST_F(ShippedBugs, B20_AMajorityDoesNotShrinkBecauseOthersAreAway) {
  run(R"(nodes 1,2,3
         detail nothing
         campaign 1
         settle
         stop 2
         stop 3
         dead 2
         dead 3
         propose 1 a
         persist 1
         tick 500ms)");
  EXPECT_EQ(commit(1), 1u);
  run("tick 3s\n persist 1");
  EXPECT_EQ(commit(1), 1u);
  EXPECT_NE(core(1).role(), Role::leader);
  run(R"(nodes 1,2
         detail nothing
         campaign 1
         settle
         cut 1 2
         propose 1 a b
         persist 1
         compact 1 1
         persist 1
         unreachable 1 2
         propose 1 c
         persist 1)");
  EXPECT_EQ(commit(1), 1u) << "whoever waits for a snapshot is a voter all the same";
}

}  // namespace
}  // namespace quorate::raft::test

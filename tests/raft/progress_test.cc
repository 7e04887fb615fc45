// One peer as its leader sees it: probing, streaming within a window, waiting for a snapshot.
#include "raft/progress.h"

#include <gtest/gtest.h>

#include "raft/print.h"

namespace quorate::raft {
namespace {

constexpr std::size_t kManyMessages = 256;
constexpr std::size_t kManyOctets = 1u << 20;

class ProgressTest : public testing::Test {
 protected:
  /// The peer has everything up to `match`.
  void stream(std::uint64_t match) { peer_.acknowledge(LogIndex(match), Instant{}, LogIndex(100)); }
  bool may_send(std::size_t messages = kManyMessages, std::size_t octets = kManyOctets) const {
    return peer_.may_send(messages, octets);
  }
  Progress peer_{ReplicaId(2), LogIndex(11)};
};

TEST_F(ProgressTest, ProbesWithOneMessageAtATime) {
  EXPECT_EQ(peer_.state(), Progress::State::probe);
  EXPECT_TRUE(may_send());
  peer_.sent(LogIndex(20), 5, true);
  EXPECT_FALSE(may_send());
  EXPECT_EQ(peer_.next(), LogIndex(11)) << "nothing is taken for granted";
  peer_.renew_probe();
  EXPECT_TRUE(may_send());
}

TEST_F(ProgressTest, StreamsOnceTheLogsMeet) {
  EXPECT_TRUE(peer_.acknowledge(LogIndex(10), Instant{}, LogIndex(15)));
  EXPECT_EQ(peer_.state(), Progress::State::replicate);
  EXPECT_EQ(peer_.next(), LogIndex(11));
  peer_.sent(LogIndex(12), 5, true);
  EXPECT_EQ(peer_.next(), LogIndex(13));
  EXPECT_TRUE(may_send());
}

TEST_F(ProgressTest, StopsAtTheWindowAndGoesOnWithTheAnswers) {
  stream(10);
  for (std::uint64_t i = 11; i <= 13; ++i) peer_.sent(LogIndex(i), 10, true);
  EXPECT_FALSE(may_send(3));
  EXPECT_TRUE(may_send(4));
  EXPECT_FALSE(may_send(kManyMessages, 30));
  EXPECT_TRUE(may_send(kManyMessages, 31));
  EXPECT_TRUE(peer_.acknowledge(LogIndex(12), Instant{}, LogIndex(20)));
  EXPECT_TRUE(may_send(2));
  EXPECT_TRUE(may_send(kManyMessages, 11));
  EXPECT_FALSE(peer_.acknowledge(LogIndex(12), Instant{}, LogIndex(20))) << "no news";
  EXPECT_FALSE(peer_.acknowledge(LogIndex(11), Instant{}, LogIndex(20))) << "late";
  EXPECT_EQ(peer_.match(), LogIndex(12));
}

TEST_F(ProgressTest, HeartbeatsTakeNoRoomInTheWindow) {
  stream(10);
  for (int i = 0; i < 10; ++i) peer_.sent(LogIndex(10), 0, false);
  EXPECT_TRUE(may_send(1));
  EXPECT_EQ(peer_.next(), LogIndex(11));
}

struct RejectRow {
  std::uint64_t rejected, hint, next;
  bool is_news;
};

TEST_F(ProgressTest, AProbeGoesBackToTheHintAndNeverForth) {
  // A probe with next = 11, so prev = 10, and nothing known.
  const RejectRow rows[] = {
      {10, 6, 6, true},    // back to the hint
      {10, 1, 1, true},    // not further than the beginning
      {10, 50, 10, true},  // at least one step
      {9, 3, 11, false},   // an answer to an older probe
      {11, 3, 11, false},  // or to none
  };
  for (const RejectRow& row : rows) {
    Progress peer(ReplicaId(2), LogIndex(11));
    peer.sent(LogIndex(10), 0, false);
    EXPECT_EQ(peer.reject(LogIndex(row.rejected), LogIndex(row.hint)), row.is_news) << row.rejected;
    EXPECT_EQ(peer.next(), LogIndex(row.next)) << row.rejected;
    EXPECT_EQ(peer.may_send(1, 1), row.is_news);
  }
}

TEST_F(ProgressTest, ARefusalWhileStreamingMeansThatSomethingGotLost) {
  stream(10);
  peer_.sent(LogIndex(15), 10, true);
  EXPECT_FALSE(peer_.reject(LogIndex(10), LogIndex(3))) << "it is behind what the peer has: an old one";
  EXPECT_EQ(peer_.state(), Progress::State::replicate);
  EXPECT_TRUE(peer_.reject(LogIndex(15), LogIndex(11)));
  EXPECT_EQ(peer_.state(), Progress::State::probe);
  EXPECT_EQ(peer_.next(), LogIndex(11));
  EXPECT_TRUE(may_send());
}

TEST_F(ProgressTest, WaitsForASnapshotAndGoesOnBehindIt) {
  stream(4);
  peer_.become_snapshot();
  EXPECT_FALSE(may_send());
  EXPECT_FALSE(peer_.reject(LogIndex(10), LogIndex(3)));
  peer_.continue_behind(LogIndex(50));
  EXPECT_EQ(peer_.state(), Progress::State::probe);
  EXPECT_EQ(peer_.next(), LogIndex(51));
  EXPECT_EQ(peer_.match(), LogIndex(4)) << "only its own answer says that it has it";
}

TEST_F(ProgressTest, ASnapshotThatFailedLeavesItWhereItWas) {
  stream(4);
  peer_.become_snapshot();
  peer_.continue_behind(peer_.match());
  EXPECT_EQ(peer_.next(), LogIndex(5));
}

TEST_F(ProgressTest, DoesNotCountWhileItsAcknowledgementsAreWorthNothing) {
  stream(4);
  EXPECT_TRUE(peer_.counts());
  peer_.lost_data = true;
  EXPECT_FALSE(peer_.counts());
  peer_.lost_data = false;
  peer_.recovering = true;
  EXPECT_FALSE(peer_.counts());
}

TEST_F(ProgressTest, KeepsUpOnceARoundOfCatchingUpIsShort) {
  constexpr Duration kLagMax = std::chrono::seconds(1);
  const auto keeps_up = [&](int ms, std::uint64_t leader_last) {
    return peer_.keeps_up(Instant(std::chrono::milliseconds(ms)), LogIndex(leader_last), kLagMax);
  };
  EXPECT_FALSE(keeps_up(0, 10)) << "still probing";
  stream(10);  // until 100, from 0 on
  EXPECT_FALSE(keeps_up(100, 110));
  stream(99);
  EXPECT_FALSE(keeps_up(200, 120));
  stream(100);
  EXPECT_TRUE(keeps_up(1000, 150));
  EXPECT_FALSE(keeps_up(1001, 150)) << "too long; until 150, from 1001 on";
  EXPECT_FALSE(keeps_up(1100, 160));
  peer_.acknowledge(LogIndex(150), Instant{}, LogIndex(160));
  EXPECT_TRUE(keeps_up(2001, 200));
  peer_.become_probe();
  EXPECT_FALSE(keeps_up(2001, 200));
}

TEST_F(ProgressTest, NeverExpectsLessThanItHas) {
  stream(30);
  EXPECT_EQ(peer_.match(), LogIndex(30));
  EXPECT_EQ(peer_.next(), LogIndex(31));
  peer_.become_probe();
  EXPECT_EQ(peer_.next(), LogIndex(31));
}

}  // namespace
}  // namespace quorate::raft

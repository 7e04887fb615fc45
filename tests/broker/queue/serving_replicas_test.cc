// Which nodes deliver by themselves, judged from a leader whose followers come and go.
#include "broker/queue/serving_replicas.h"

#include <gtest/gtest.h>

#include "tests/cluster/host_world.h"

namespace quorate::queue {

using std::chrono::milliseconds;

class Serving : public cluster::HostWorld {
 protected:
  Serving() {
    propose_many(3);
    EXPECT_TRUE(eventually([&] { return has_all(1) && has_all(2) && has_all(3) && everybody_acknowledged(); }));
    for (std::size_t i = 1; i <= 3; ++i) {
      if (&node(i) != leader()) followers_.push_back(NodeId(static_cast<std::uint32_t>(i)));
    }
  }

  const raft::Core& core() { return leader()->host->replica(cluster::kGroup)->core(); }
  bool everybody_acknowledged() {
    for (const raft::ReplicaId voter : core().configuration().voters) {
      if (voter != core().self() && core().progress(voter)->match() < core().commit_index()) return false;
    }
    return true;
  }
  std::vector<NodeId> judge(Duration later = {}) { return serving_.judge(core(), clock_.now() + later); }
  /// The others commit without it.
  void leave_behind(NodeId node) {
    cut_.insert(node);
    const LogIndex before = core().commit_index();
    propose_many(2);
    EXPECT_TRUE(eventually([&] { return core().commit_index() > before; }));
  }

  ServingReplicas serving_;
  std::vector<NodeId> followers_;
};

TEST_F(Serving, WhoeverKeepsUpServes) {
  EXPECT_FALSE(serving_.serves(followers_[0])) << "nobody does before they are judged";
  EXPECT_TRUE(judge().empty());
  EXPECT_TRUE(serving_.serves(followers_[0]));
  EXPECT_TRUE(serving_.serves(followers_[1]));
  EXPECT_TRUE(serving_.has(followers_[0], core().commit_index(), core()));
  EXPECT_FALSE(serving_.has(followers_[0], core().log().last().index.plus(1), core()));
  EXPECT_FALSE(serving_.serves(leader()->id)) << "the leader delivers anyway";
}

TEST_F(Serving, WhoeverFallsBehindIsToldOnceAndRests) {
  judge();
  leave_behind(followers_[0]);
  const Instant cut_at = clock_.now();
  judge();
  EXPECT_FALSE(serving_.has(followers_[0], core().commit_index(), core())) << "it has not got that";
  EXPECT_EQ(serving_.judge(core(), cut_at + 2 * ServingReplicas::kLagMax + milliseconds(1)),
            std::vector<NodeId>{followers_[0]});
  EXPECT_FALSE(serving_.serves(followers_[0]));
  EXPECT_TRUE(judge(milliseconds(500)).empty()) << "once is enough";
  EXPECT_TRUE(serving_.serves(followers_[1])) << "the other goes on";

  cut_.clear();
  propose_many(1);
  ASSERT_TRUE(eventually([&] { return everybody_acknowledged(); }));
  judge(milliseconds(600));
  EXPECT_FALSE(serving_.serves(followers_[0])) << "it rests";
  judge(ServingReplicas::kRest + milliseconds(1'000));
  EXPECT_TRUE(serving_.serves(followers_[0]));
}

TEST_F(Serving, AfterAQuietTimeNobodyIsBehind) {
  judge();
  EXPECT_TRUE(judge(std::chrono::hours(1)).empty());
  EXPECT_TRUE(serving_.serves(followers_[0]));
}

TEST_F(Serving, WhoeverIsRemovedServesNoMore) {
  judge();
  raft::Configuration without = core().configuration();
  std::erase_if(without.voters, [&](raft::ReplicaId voter) { return raft::node_of(voter) == followers_[0]; });
  leader()->host->change(cluster::kGroup, without);
  ASSERT_TRUE(eventually([&] { return core().configuration().voters.size() == 2 && !core().is_changing_members(); }));
  EXPECT_EQ(judge(), std::vector<NodeId>{followers_[0]});
  EXPECT_FALSE(serving_.serves(followers_[0]));
}

}  // namespace quorate::queue

// Majorities as tables: which index is committed, who has won, with one half and with two.
#include "raft/quorum.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "base/random.h"

namespace quorate::raft {
namespace {

std::vector<ReplicaId> replicas(std::initializer_list<std::uint64_t> ids) {
  std::vector<ReplicaId> list;
  for (const std::uint64_t id : ids) list.emplace_back(id);
  return list;
}

Configuration joint(std::initializer_list<std::uint64_t> voters, std::initializer_list<std::uint64_t> outgoing = {}) {
  return {.voters = replicas(voters), .outgoing = replicas(outgoing)};
}

struct IndexRow {
  Configuration configuration;
  std::map<std::uint64_t, std::uint64_t> reached;  // others: 0
  std::uint64_t committed;
};

TEST(Quorum, CommitsWhatAMajorityOfEachHalfHas) {
  const IndexRow rows[] = {
      {joint({1}), {{1, 7}}, 7},
      {joint({1}), {}, 0},
      {joint({1, 2}), {{1, 7}}, 0},
      {joint({1, 2}), {{1, 7}, {2, 5}}, 5},
      {joint({1, 2, 3}), {{1, 7}}, 0},
      {joint({1, 2, 3}), {{1, 7}, {2, 5}}, 5},
      {joint({1, 2, 3}), {{1, 7}, {2, 5}, {3, 6}}, 6},
      {joint({1, 2, 3}), {{1, 7}, {4, 9}, {5, 9}}, 0},  // strangers do not count
      {joint({1, 2, 3, 4}), {{1, 9}, {2, 8}}, 0},
      {joint({1, 2, 3, 4}), {{1, 9}, {2, 8}, {3, 2}}, 2},
      {joint({1, 2, 3, 4, 5}), {{1, 9}, {2, 8}, {3, 2}}, 2},
      {joint({1, 2, 3, 4, 5}), {{1, 9}, {2, 8}, {3, 2}, {4, 4}, {5, 3}}, 4},
      {joint({1, 2, 3}, {4, 5, 6}), {{1, 9}, {2, 9}, {3, 9}}, 0},
      {joint({1, 2, 3}, {4, 5, 6}), {{1, 9}, {2, 9}, {4, 3}, {5, 4}}, 3},
      {joint({4, 5, 6}, {1, 2, 3}), {{1, 9}, {2, 9}, {4, 3}, {5, 4}}, 3},
      {joint({1, 2, 3}, {1, 2, 4}), {{1, 9}, {2, 5}}, 5},  // whoever is in both halves counts in both
      {joint({1}, {1, 2, 3}), {{1, 9}}, 0},
      {joint({1}, {1, 2, 3}), {{1, 9}, {3, 4}}, 4},
  };
  for (const IndexRow& row : rows) {
    const auto index_of = [&](ReplicaId voter) {
      const auto at = row.reached.find(voter.value());
      return LogIndex(at == row.reached.end() ? 0 : at->second);
    };
    EXPECT_EQ(quorum_index(row.configuration, index_of), LogIndex(row.committed)) << "row " << &row - rows;
    const auto has = [&](ReplicaId voter) { return index_of(voter) != LogIndex(0); };
    EXPECT_EQ(is_quorum(row.configuration, has), row.committed != 0) << "row " << &row - rows;
  }
}

struct VoteRow {
  Configuration configuration;
  std::map<ReplicaId, bool> votes;
  Tally result;
};

TEST(Quorum, WinsWithAMajorityOfEachHalfAndLosesWithoutHope) {
  const auto yes = [](std::initializer_list<std::uint64_t> ids, std::initializer_list<std::uint64_t> no = {}) {
    std::map<ReplicaId, bool> votes;
    for (const std::uint64_t id : ids) votes[ReplicaId(id)] = true;
    for (const std::uint64_t id : no) votes[ReplicaId(id)] = false;
    return votes;
  };
  const VoteRow rows[] = {
      {joint({1}), yes({}), Tally::pending},
      {joint({1}), yes({1}), Tally::won},
      {joint({1}), yes({}, {1}), Tally::lost},
      {joint({1, 2}), yes({1}), Tally::pending},
      {joint({1, 2}), yes({1}, {2}), Tally::lost},
      {joint({1, 2, 3}), yes({1}), Tally::pending},
      {joint({1, 2, 3}), yes({1, 3}), Tally::won},
      {joint({1, 2, 3}), yes({1}, {2}), Tally::pending},
      {joint({1, 2, 3}), yes({1}, {2, 3}), Tally::lost},
      {joint({1, 2, 3}), yes({1, 4, 5}), Tally::pending},  // strangers do not count
      {joint({1, 2, 3, 4}), yes({1, 2}), Tally::pending},
      {joint({1, 2, 3, 4}), yes({1, 2}, {3}), Tally::pending},
      {joint({1, 2, 3, 4}), yes({1, 2}, {3, 4}), Tally::lost},
      {joint({1, 2, 3, 4}), yes({1, 2, 4}), Tally::won},
      {joint({1, 2, 3}, {4, 5, 6}), yes({1, 2, 3}), Tally::pending},
      {joint({1, 2, 3}, {4, 5, 6}), yes({1, 2, 4, 5}), Tally::won},
      {joint({1, 2, 3}, {4, 5, 6}), yes({1, 2, 3}, {4, 5}), Tally::lost},
      {joint({1, 2, 3}, {4, 5, 6}), yes({4, 5, 6}, {1, 2}), Tally::lost},
      {joint({1, 2, 3}, {2, 3, 4}), yes({2, 3}), Tally::won},
  };
  for (const VoteRow& row : rows) {
    EXPECT_EQ(tally(row.configuration, row.votes), row.result) << "row " << &row - rows;
  }
}

/// Two decisions of one configuration always share a voter, and so do those of neighbours on the way through a joint
/// one.
TEST(Quorum, AnyTwoMajoritiesMeet) {
  const Configuration before = joint({1, 2, 3});
  const Configuration between = joint({3, 4, 5, 6}, {1, 2, 3});
  const Configuration after = joint({3, 4, 5, 6});
  const std::pair<Configuration, Configuration> pairs[] = {
      {before, before}, {before, between}, {between, between}, {between, after}, {after, after}};
  const auto decides = [](const Configuration& configuration, unsigned set) {
    return is_quorum(configuration, [&](ReplicaId voter) { return (set >> voter.value() & 1) != 0; });
  };
  for (const auto& [a, b] : pairs) {
    for (unsigned set = 0; set < 128; set += 2) {
      const unsigned rest = ~set & 126u;
      EXPECT_FALSE(decides(a, set) && decides(b, rest)) << "set " << set;
    }
  }
}

TEST(Quorum, AgreesWithCounting) {
  Random random(5);
  for (int i = 0; i < 2000; ++i) {
    Configuration configuration;
    std::map<ReplicaId, LogIndex> reached;
    for (std::uint64_t id = 1; id <= 1 + random.below(kVotersMax - 1); ++id) {
      configuration.voters.emplace_back(id);
      reached[ReplicaId(id)] = LogIndex(random.below(6));
    }
    const auto index_of = [&](ReplicaId voter) { return reached.at(voter); };
    const LogIndex committed = quorum_index(configuration, index_of);
    const auto have = [&](LogIndex index) {
      return static_cast<std::size_t>(std::ranges::count_if(reached, [&](const auto& r) { return r.second >= index; }));
    };
    EXPECT_GT(2 * have(committed), reached.size());
    EXPECT_LE(2 * have(committed.plus(1)), reached.size());
  }
}

}  // namespace
}  // namespace quorate::raft

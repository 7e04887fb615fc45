// Configurations: their octets, which ones are refused, the way from one to another, and the stack of those in the log.
#include "raft/configuration.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "raft/config_stack.h"
#include "raft/print.h"
#include "raft/quorum.h"

namespace quorate::raft {
namespace {

std::vector<ReplicaId> replicas(std::initializer_list<std::uint64_t> ids) {
  std::vector<ReplicaId> list;
  for (const std::uint64_t id : ids) list.emplace_back(id);
  return list;
}

const Configuration kFull{.voters = replicas({1, 2, 300}),
                          .outgoing = replicas({1, 4}),
                          .learners = {ReplicaId(5), replica_on(NodeId(7), 8)},
                          .joining = replicas({6}),
                          .machine_version = 200};

TEST(Configuration, ComesBackAsItWas) {
  for (const Configuration& configuration : {kFull, Configuration{.voters = replicas({1})}}) {
    const auto decoded = decode_configuration(encode_configuration(configuration).view());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, configuration);
  }
}

TEST(Configuration, IsRefusedWhenCutAnywhereOrTooLong) {
  const Bytes whole = encode_configuration(kFull);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_configuration(whole.view().first(size))) << "the first " << size << " octets";
  }
  std::string longer(whole.text());
  longer += '\0';
  EXPECT_FALSE(decode_configuration(as_bytes(longer)));
}

TEST(Configuration, OfAnotherFormatIsRefused) {
  std::string octets(encode_configuration(kFull).text());
  octets[0] = 2;
  EXPECT_FALSE(decode_configuration(as_bytes(octets)));
}

/// Whatever the octets are, what comes out is valid, and says so again.
TEST(Configuration, DamagedOctetsGiveNothingInvalid) {
  Random random(11);
  const std::string whole(encode_configuration(kFull).text());
  for (int i = 0; i < 20'000; ++i) {
    std::string octets = whole;
    for (std::uint64_t n = 0; n <= random.below(3); ++n) {
      octets[random.below(octets.size())] = static_cast<char>(random.next());
    }
    const auto decoded = decode_configuration(as_bytes(octets));
    if (!decoded) continue;
    EXPECT_TRUE(is_valid(*decoded));
    EXPECT_EQ(decode_configuration(encode_configuration(*decoded).view()), decoded);
  }
}

TEST(Configuration, OfThatManyMembersIsRefusedBeforeMemoryIsTaken) {
  const std::string octets("\x01\x00\xff\xff\xff\xff\x0f", 7);
  EXPECT_FALSE(decode_configuration(as_bytes(octets)));
}

TEST(Configuration, ValidOnes) {
  std::vector<ReplicaId> many;
  for (std::uint64_t id = 1; id <= kVotersMax; ++id) many.emplace_back(id);
  EXPECT_TRUE(is_valid({.voters = replicas({1})}));
  EXPECT_TRUE(is_valid({.voters = many}));
  EXPECT_TRUE(is_valid(kFull));
  // Who is on the way from voter to learner still votes in the half that goes.
  EXPECT_TRUE(is_valid({.voters = replicas({1, 2}), .outgoing = replicas({1, 3}), .learners = replicas({3})}));
}

TEST(Configuration, InvalidOnes) {
  std::vector<ReplicaId> many;
  for (std::uint64_t id = 1; id <= kVotersMax + 1; ++id) many.emplace_back(id);
  const Configuration rows[] = {
      {},
      {.learners = replicas({1})},
      {.voters = replicas({0, 1})},
      {.voters = replicas({2, 1})},
      {.voters = replicas({1, 1})},
      {.voters = many},
      {.voters = replicas({1}), .outgoing = many},
      {.voters = replicas({1}), .outgoing = replicas({3, 2})},
      {.voters = replicas({1, 2}), .learners = replicas({2})},
      {.voters = replicas({1, 2}), .joining = replicas({2})},
      {.voters = replicas({1, 2}), .learners = replicas({3, 3})},
      {.voters = replicas({1, 2}), .learners = replicas({3}), .joining = replicas({3})},
  };
  for (const Configuration& row : rows) EXPECT_FALSE(is_valid(row)) << print(row);
}

TEST(Configuration, KnowsItsMembers) {
  EXPECT_EQ(kFull.members().size(), 7u);
  EXPECT_TRUE(kFull.is_voter(ReplicaId(4)));
  EXPECT_FALSE(kFull.is_voter(ReplicaId(5)));
  EXPECT_TRUE(kFull.is_member(ReplicaId(6)));
  EXPECT_FALSE(kFull.is_member(ReplicaId(9)));
  EXPECT_TRUE((Configuration{.voters = replicas({1}), .learners = replicas({2})}).is_alone(ReplicaId(1)));
  EXPECT_FALSE((Configuration{.voters = replicas({1}), .outgoing = replicas({1, 2})}).is_alone(ReplicaId(1)));
}

TEST(Configuration, GoesStraightWhenOneVoterComesOrGoes) {
  const Configuration current{.voters = replicas({1, 2, 3})};
  const Configuration targets[] = {
      {.voters = replicas({1, 2, 3, 4})},
      {.voters = replicas({1, 3})},
      {.voters = replicas({1, 2, 3}), .learners = replicas({4, 5})},
      {.voters = replicas({1, 2}), .learners = replicas({3})},
  };
  for (const Configuration& target : targets) EXPECT_EQ(next_towards(current, target), target) << print(target);
}

TEST(Configuration, GoesThroughAJointOneOtherwise) {
  const Configuration current{.voters = replicas({1, 2, 3}), .machine_version = 4};
  const Configuration targets[] = {
      {.voters = replicas({1, 2, 4}), .machine_version = 4},
      {.voters = replicas({1}), .machine_version = 4},
      {.voters = replicas({4, 5, 6}), .learners = replicas({1}), .machine_version = 4},
  };
  for (const Configuration& target : targets) {
    const Configuration next = next_towards(current, target);
    EXPECT_TRUE(next.is_joint());
    EXPECT_EQ(next.outgoing, current.voters);
    EXPECT_TRUE(is_valid(next));
    EXPECT_EQ(leave_joint(next), target);
  }
}

TEST(ConfigStack, TheNewestAppendedIsInForce) {
  const auto of = [](std::uint64_t voter) { return Configuration{.voters = replicas({voter})}; };
  ConfigStack stack(LogIndex(4), of(1));
  stack.append(LogIndex(7), of(2));
  stack.append(LogIndex(9), of(3));
  EXPECT_EQ(stack.current(), of(3));
  EXPECT_EQ(stack.current_index(), LogIndex(9));
  EXPECT_EQ(stack.at(LogIndex(4)), of(1));
  EXPECT_EQ(stack.at(LogIndex(6)), of(1));
  EXPECT_EQ(stack.at(LogIndex(7)), of(2));
  EXPECT_EQ(stack.at(LogIndex(100)), of(3));
  stack.truncate(LogIndex(10));
  EXPECT_EQ(stack.current(), of(3));
  stack.truncate(LogIndex(9));
  EXPECT_EQ(stack.current(), of(2));
  stack.compact(LogIndex(8));
  EXPECT_EQ(stack.at(LogIndex(8)), of(2));
  EXPECT_EQ(stack.current_index(), LogIndex(8));
  stack.reset(LogIndex(20), of(5));
  EXPECT_EQ(stack.current(), of(5));
}

/// Against all configurations in a map, forgetting and taking back at random.
TEST(ConfigStack, AgreesWithTheWholeLog) {
  const std::uint64_t seed = Random::from_system().next();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  const auto of = [](std::uint64_t n) { return Configuration{.voters = replicas({1 + n})}; };
  ConfigStack stack(LogIndex(0), of(0));
  std::map<std::uint64_t, std::uint64_t> log = {{0, 0}};
  std::uint64_t base = 0;
  std::uint64_t last = 0;
  for (std::uint64_t i = 1; i < 5000; ++i) {
    switch (random.below(4)) {
      case 0:
        last += random.below(5);
        break;
      case 1:
        log[++last] = i;
        stack.append(LogIndex(last), of(i));
        break;
      case 2:
        if (last == base) break;
        last = base + random.below(last - base);
        log.erase(log.upper_bound(last), log.end());
        stack.truncate(LogIndex(last + 1));
        break;
      default:
        base += random.below(last - base + 1);
        stack.compact(LogIndex(base));
    }
    const std::uint64_t probe = base + random.below(last - base + 1);
    ASSERT_EQ(stack.at(LogIndex(probe)), of(std::prev(log.upper_bound(probe))->second));
    ASSERT_EQ(stack.current(), of(log.rbegin()->second));
  }
}

}  // namespace
}  // namespace quorate::raft

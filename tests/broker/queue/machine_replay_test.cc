// Replicas of a queue: one that starts from a snapshot and replays what follows cannot be told from one that has seen
// the whole log, wherever the snapshot was taken; and a million commands lead to the state that is written down.
// QUORATE_SEED chooses other logs.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tests/broker/queue/machine_fixture.h"
#include "tests/broker/queue/random_commands.h"
#include "tests/determinism/state_hash.h"

namespace quorate::queue {
namespace {

/// An entry, and what a replica that saw everything did with it.
struct Applied {
  LogEntry entry;
  std::vector<std::byte> effects;
  Bytes state;  // afterwards
};

Bytes save_as_host(QueueMachine& machine) {
  machine.mark_snapshot();
  return machine.serialize();
}

std::vector<Applied> random_log(std::uint64_t seed, std::size_t entries) {
  RandomCommands random(seed);
  QueueMachine machine;
  std::vector<Applied> log;
  while (log.size() < entries) {
    LogEntry entry = random.next(machine);
    Effects effects;
    CHECK(machine.apply(entry.index, entry.ts, entry.payload, effects).has_value());
    machine.check_invariants();
    random.note(effects);
    log.push_back({.entry = std::move(entry), .effects = bytes_of(effects), .state = machine.serialize()});
  }
  return log;
}

class MachineReplay : public ::testing::TestWithParam<int> {
 protected:
  static constexpr std::size_t kEntries = 400;

  const std::uint64_t seed_ = from_environment("QUORATE_SEED", 20'240'604) + static_cast<std::uint64_t>(GetParam());
  const std::vector<Applied> log_ = random_log(seed_, kEntries);
  ::testing::ScopedTrace trace_{__FILE__, __LINE__,
                                "rerun: QUORATE_SEED=" + std::to_string(seed_) + " --gtest_filter=*MachineReplay.*/0"};
};

TEST_P(MachineReplay, FromASnapshotTakenAnywhereIsTheFullReplay) {
  for (std::size_t from = 0; from < log_.size(); ++from) {
    QueueMachine machine = restored(log_[from].state);
    machine.check_invariants();
    ASSERT_EQ(machine.serialize(), log_[from].state) << "restored after entry " << from;
    for (std::size_t i = from + 1; i < log_.size(); ++i) {
      Effects effects;
      ASSERT_TRUE(machine.apply(log_[i].entry.index, log_[i].entry.ts, log_[i].entry.payload, effects));
      ASSERT_EQ(bytes_of(effects), log_[i].effects) << "entry " << i << " after the snapshot at " << from;
      ASSERT_EQ(machine.serialize(), log_[i].state) << "entry " << i << " after the snapshot at " << from;
    }
    machine.check_invariants();
  }
}

TEST_P(MachineReplay, DoesNotDependOnWhenAReplicaTakesItsSnapshots) {
  for (std::size_t every = 1; every <= 20; ++every) {
    QueueMachine machine;
    for (std::size_t i = 0; i < log_.size(); ++i) {
      Effects effects;
      ASSERT_TRUE(machine.apply(log_[i].entry.index, log_[i].entry.ts, log_[i].entry.payload, effects));
      ASSERT_EQ(bytes_of(effects), log_[i].effects) << "entry " << i << " with a snapshot every " << every;
      if (i % every != 0) continue;
      const Bytes snapshot = save_as_host(machine);
      ASSERT_EQ(snapshot, log_[i].state) << "entry " << i << " with a snapshot every " << every;
      machine = restored(snapshot);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MachineReplay, ::testing::Range(0, 8));

// Else the logs above would prove less than they seem to.
TEST(RandomCommands, GoThroughEveryKindOfCommandAndEffect) {
  RandomCommands random(1);
  QueueMachine machine;
  std::array<int, std::variant_size_v<Command>> commands{};
  std::array<int, std::variant_size_v<Effect>> effects{};
  for (int i = 0; i < 10'000; ++i) {
    const LogEntry entry = random.next(machine);
    ByteReader reader(entry.payload);
    for (Command command; decode_command(reader, command);) ++commands[command.index()];
    ASSERT_TRUE(reader.done());
    Effects out;
    ASSERT_TRUE(machine.apply(entry.index, entry.ts, entry.payload, out));
    random.note(out);
    for (const Effect& effect : out) ++effects[effect.index()];
  }
  for (std::size_t i = 0; i < commands.size(); ++i) EXPECT_GT(commands[i], 10) << "command " << i;
  for (std::size_t i = 0; i < effects.size(); ++i) EXPECT_GT(effects[i], 10) << "effect " << i;
}

TEST(MachineHash, IsTheSameWithEveryCompiler) { EXPECT_EQ(hash_random_commands(), kExpectedHashes); }

}  // namespace
}  // namespace quorate::queue

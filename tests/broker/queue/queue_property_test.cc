// Random commands: the machine agrees with a naive queue at every entry, its counters with a recount, and a machine
// restored from a snapshot taken anywhere stays byte for byte the same.
// QUORATE_SEED and QUORATE_COMMANDS choose another run.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "broker/queue/queue_machine.h"
#include "tests/broker/queue/machine_fixture.h"
#include "tests/broker/queue/naive_queue.h"
#include "tests/broker/queue/random_commands.h"

namespace quorate::queue {
namespace {

/// Deaths last and sorted: when within an entry the log hears of them is nobody's business.
std::vector<std::string> in_order(std::vector<std::string> lines) {
  const auto is_life = [](const std::string& line) { return !line.starts_with("dead"); };
  const auto deaths = std::ranges::stable_partition(lines, is_life);
  std::ranges::sort(deaths);
  return lines;
}

std::vector<std::string> texts(const Effects& effects) {
  std::vector<std::string> out;
  for (const Effect& effect : effects) out.push_back(std::visit(EffectText{}, effect));
  return in_order(std::move(out));
}

class QueueProperty : public ::testing::TestWithParam<int> {};

TEST_P(QueueProperty, AgreesWithTheNaiveQueueAndWithItsOwnSnapshots) {
  const std::uint64_t seed = from_environment("QUORATE_SEED", 20'240'601) + static_cast<std::uint64_t>(GetParam());
  const std::uint64_t entries = from_environment("QUORATE_COMMANDS", 1'000'000) / 3 / 8;
  SCOPED_TRACE("rerun: QUORATE_SEED=" + std::to_string(seed - static_cast<std::uint64_t>(GetParam())) +
               " --gtest_filter=*AgreesWith*/" + std::to_string(GetParam()));
  RandomCommands random(seed);
  QueueMachine machine;
  NaiveQueue naive;
  std::optional<QueueMachine> replica;  // restored from a snapshot, and fed the same entries since
  for (std::uint64_t i = 0; i < entries; ++i) {
    const auto [index, ts, payload] = random.next(machine);
    Effects effects;
    ASSERT_TRUE(machine.apply(index, ts, payload, effects));
    random.note(effects);
    ASSERT_EQ(texts(effects), in_order(naive.apply(index, ts, payload))) << "entry " << index.value();
    machine.check_invariants();
    ASSERT_EQ(machine.ready_count(), naive.ready_count());
    ASSERT_EQ(machine.delayed_count(), naive.delayed_count());
    ASSERT_EQ(machine.unsettled_count(), naive.unsettled_count());
    ASSERT_EQ(machine.message_bytes(), naive.message_bytes());
    ASSERT_EQ(machine.consumers(), naive.consumers());
    ASSERT_EQ(machine.death_count(DeathReason::expired), naive.expired_count());
    ASSERT_EQ(machine.next_expiry(), naive.next_expiry());

    if (replica) {
      Effects again;
      ASSERT_TRUE(replica->apply(index, ts, payload, again));
      ASSERT_EQ(texts(again), texts(effects)) << "entry " << index.value() << " after a snapshot";
      ASSERT_EQ(replica->serialize(), machine.serialize()) << "entry " << index.value();
    }
    if (random.below(40) == 0) {
      const Bytes snapshot = machine.serialize();
      replica = restored(snapshot);
      replica->check_invariants();
      ASSERT_EQ(replica->serialize(), snapshot);
      ASSERT_EQ(replica->live_entries(), machine.live_entries());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, QueueProperty, ::testing::Range(0, 8));

}  // namespace
}  // namespace quorate::queue

// Random commands: the machine agrees with a naive queue at every entry, its counters with a recount, and a machine
// restored from a snapshot taken anywhere stays byte for byte the same.
// QUORATE_SEED and QUORATE_COMMANDS choose another run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/random.h"
#include "broker/queue/queue_machine.h"
#include "tests/broker/queue/naive_queue.h"

namespace quorate::queue {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}

  std::vector<std::byte> entry(const QueueMachine& machine) {
    std::vector<std::byte> payload;
    for (std::uint64_t count = 1 + random_.below(5); count > 0; --count) encode_command(command(machine), payload);
    return payload;
  }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

 private:
  SessionId session() {
    return {.node = NodeId(1 + static_cast<std::uint32_t>(below(2))), .epoch = epoch_, .serial = 1 + below(3)};
  }
  ConsumerKey consumer() { return {.session = session(), .link = 1 + static_cast<std::uint32_t>(below(3))}; }
  ConsumerKey holder() { return {.session = session(), .link = static_cast<std::uint32_t>(below(4))}; }

  /// Mostly near what was handed out lately, now and then far beyond.
  std::vector<IdRange> ids() {
    std::vector<IdRange> ranges;
    for (std::uint64_t count = 1 + below(3); count > 0; --count) {
      const std::uint64_t first = below(8) == 0 ? 0 : below(60);
      ranges.push_back({.first = first, .last = first + (below(3) == 0 ? below(100) : 0)});
    }
    return ranges;
  }
  Command command(const QueueMachine& machine) {
    const std::uint64_t backlog = machine.ready_count() + machine.unsettled_count();
    const std::uint64_t dice = below(1'000);
    if (dice < (backlog < 40 ? 480u : 200u)) {
      return Enqueue{.persistent = below(3) > 0,
                     .priority = static_cast<std::uint8_t>(below(4)),
                     .body_size = static_cast<std::uint32_t>(below(sizeof(kText))),
                     .message = as_bytes({kText, sizeof(kText)})};
    }
    if (dice < 700) return Settle{.consumer = holder(), .ids = ids()};
    if (dice < 770) return Return{.consumer = holder(), .reason = static_cast<ReturnReason>(below(2)), .ids = ids()};
    if (dice < 800) return Discard{.consumer = holder(), .ids = ids()};
    if (dice < 880) {
      return Attach{.consumer = consumer(),
                    .no_ack = below(4) == 0,
                    .exclusive = below(10) == 0,
                    .priority = static_cast<std::int32_t>(below(3)) - 1,
                    .prefetch = static_cast<std::uint32_t>(below(5)),
                    .window = below(2'000)};
    }
    if (dice < 930) return Credit{.consumer = holder(), .bytes = below(1'000)};
    if (dice < 960) return Get{.session = session(), .no_ack = below(2) == 0};
    if (dice < 980) return Cancel{.consumer = holder()};
    if (dice < 993) return Down{.session = session()};
    if (dice < 997) return Purge{.session = session()};
    if (below(4) == 0) ++epoch_;
    return NodeUp{
        .node = NodeId(1 + static_cast<std::uint32_t>(below(2))), .epoch = epoch_, .after_crash = below(3) == 0};
  }

  static constexpr char kText[50] = {};
  Random random_;
  Epoch epoch_{1};
};

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

QueueMachine restored(const Bytes& snapshot) {
  auto machine = QueueMachine::deserialize(snapshot.view());
  CHECK(machine.has_value());
  return std::move(*machine);
}

class QueueProperty : public ::testing::TestWithParam<int> {};

TEST_P(QueueProperty, AgreesWithTheNaiveQueueAndWithItsOwnSnapshots) {
  const std::uint64_t seed = from_environment("QUORATE_SEED", 20'240'601) + static_cast<std::uint64_t>(GetParam());
  const std::uint64_t entries = from_environment("QUORATE_COMMANDS", 200'000) / 3 / 8;
  SCOPED_TRACE("rerun: QUORATE_SEED=" + std::to_string(seed - static_cast<std::uint64_t>(GetParam())) +
               " --gtest_filter=*AgreesWith*/" + std::to_string(GetParam()));
  Chance chance(seed);
  QueueMachine machine;
  NaiveQueue naive;
  std::optional<QueueMachine> replica;  // restored from a snapshot, and fed the same entries since
  LogIndex index;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::vector<std::byte> payload = chance.entry(machine);
    index = index.plus(1 + chance.below(2));  // other groups' business and noops lie between
    Effects effects;
    ASSERT_TRUE(machine.apply(index, payload, effects));
    ASSERT_EQ(texts(effects), in_order(naive.apply(index, payload))) << "entry " << index.value();
    machine.check_invariants();
    ASSERT_EQ(machine.ready_count(), naive.ready_count());
    ASSERT_EQ(machine.unsettled_count(), naive.unsettled_count());
    ASSERT_EQ(machine.message_bytes(), naive.message_bytes());
    ASSERT_EQ(machine.consumers(), naive.consumers());

    if (replica) {
      Effects again;
      ASSERT_TRUE(replica->apply(index, payload, again));
      ASSERT_EQ(texts(again), texts(effects)) << "entry " << index.value() << " after a snapshot";
      ASSERT_EQ(replica->serialize(), machine.serialize()) << "entry " << index.value();
    }
    if (chance.below(40) == 0) {
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

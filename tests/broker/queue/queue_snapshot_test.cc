// Snapshots of a queue: equal states give equal bytes, and bytes that are cut or do not fit together are refused.
#include <gtest/gtest.h>

#include "tests/broker/queue/machine_fixture.h"

namespace quorate::queue {
namespace {

class QueueSnapshot : public MachineFixture {
 protected:
  /// A state with something in every place.
  void fill() {
    publish("abcdefgh");
    publish("t", false);
    publish_packed("xyz");
    attach({.priority = -7, .prefetch = 3, .window = 5'000}, 11);
    attach({.priority = 9, .prefetch = 2}, 21);
    settle(21, "d");
    give_back(11, "c");
    cancel(21);
    give_back(21, "e");
    get(3);
    send_letters(4, 1, "uv");
    send(5, 1, {Get{.session = session_of(5)}});
    publish_with_ttl('q', 500);
    publish_with_ttl('r', 400);
    apply({NodeSuspected{.node = NodeId(1), .epoch = Epoch(1)}});
    forget_events();
  }
  static bool is_refused(ByteView bytes) {
    const auto machine = QueueMachine::deserialize(bytes);
    return !machine && machine.error().code == ErrorCode::corruption;
  }
};

TEST_F(QueueSnapshot, OfAnEmptyQueueIsAFewBytes) {
  EXPECT_LE(machine_.serialize().size(), 12u);
  EXPECT_TRUE(QueueMachine::deserialize(machine_.serialize().view()));
}

TEST_F(QueueSnapshot, ReadsBackEqual) {
  fill();
  const Bytes snapshot = machine_.serialize();
  auto again = QueueMachine::deserialize(snapshot.view());
  ASSERT_TRUE(again);
  again->check_invariants();
  EXPECT_EQ(again->serialize(), snapshot);
  EXPECT_EQ(again->applied(), machine_.applied());
  EXPECT_EQ(again->ready_count(), machine_.ready_count());
  EXPECT_EQ(again->unsettled_count(), machine_.unsettled_count());
  EXPECT_EQ(again->message_bytes(), machine_.message_bytes());
  EXPECT_EQ(again->consumers(), machine_.consumers());
  EXPECT_EQ(again->live_entries(), machine_.live_entries());
}

TEST_F(QueueSnapshot, AMovedMachineGoesOn) {
  fill();
  const Bytes before = machine_.serialize();
  QueueMachine moved = std::move(machine_);
  machine_ = std::move(moved);
  EXPECT_EQ(machine_.serialize(), before);
  publish("q");
}

TEST_F(QueueSnapshot, CutAnywhereIsRefused) {
  fill();
  const Bytes whole = machine_.serialize();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_TRUE(is_refused(whole.view().first(size))) << size;
}

TEST_F(QueueSnapshot, WithAnythingBehindItIsRefused) {
  fill();
  const Bytes whole = machine_.serialize();
  std::vector<std::byte> longer(whole.view().begin(), whole.view().end());
  longer.push_back(std::byte{0});
  EXPECT_TRUE(is_refused(longer));
}

TEST_F(QueueSnapshot, OfAnotherFormatIsRefused) {
  const Bytes whole = machine_.serialize();
  std::vector<std::byte> other(whole.view().begin(), whole.view().end());
  other.front() = std::byte{0x7f};
  EXPECT_TRUE(is_refused(other));
}

// As it was written before messages could expire: one message with a consumer, one that came back, one that waits.
TEST_F(QueueSnapshot, OfTheFormatBeforeIsStillRead) {
  std::vector<std::byte> older;
  ByteWriter w(older);
  for (const std::uint8_t octet : {3, 5, 0, 0, 1}) w.write(octet);  // format, applied, no settings, one level
  const auto message = [&](std::uint64_t entry, std::uint8_t flags, std::uint8_t deliveries) {
    w.write_varint(entry << Position::kOffsetBits);
    for (const std::uint8_t octet : {std::uint8_t{1}, flags, std::uint8_t{0}, deliveries}) w.write(octet);
    if (deliveries > 0) w.write(std::uint8_t{1});  // acquired
  };
  w.write(std::uint8_t{1});
  message(3, 1, 0);
  w.write(std::uint8_t{1});
  message(2, 3, 1);
  for (const std::uint8_t octet : {1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1}) w.write(octet);  // 11, with a prefetch of 1
  w.write(std::uint64_t{1'000});
  for (const std::uint8_t octet : {2, 1, 1, 1}) w.write(octet);  // its next id, its age, and that it holds number 1
  message(1, 1, 0);
  for (int i = 0; i < 3; ++i) w.write(std::uint8_t{0});  // nobody is the active one, has a turn, or numbers commands
  auto machine = QueueMachine::deserialize(older);
  ASSERT_TRUE(machine);
  machine->check_invariants();
  EXPECT_EQ(machine->ready_count(), 2u);
  EXPECT_EQ(machine->unsettled_count(), 1u);
  EXPECT_EQ(machine->consumers(), std::vector{consumer_of(11)});
  EXPECT_EQ(machine->settings(), Configure{});
  const Bytes now = machine->serialize();
  EXPECT_EQ(restored(now).serialize(), now);
}

TEST_F(QueueSnapshot, AFlippedBitIsRefusedOrGivesASoundMachine) {
  fill();
  const Bytes whole = machine_.serialize();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::vector<std::byte> flipped(whole.view().begin(), whole.view().end());
    flipped[bit / 8] ^= std::byte(1u << (bit % 8));
    auto machine = QueueMachine::deserialize(flipped);
    if (!machine) continue;
    machine->check_invariants();
    Effects effects;
    const LogIndex next = machine->applied().plus(1);
    (void)machine->apply(next, now_ + std::chrono::seconds(1),
                         packed({Down{.session = session_of(1)}, Down{.session = session_of(2)},
                                 Down{.session = session_of(3)}, Purge{}}),
                         effects);
    machine->check_invariants();
  }
}

}  // namespace
}  // namespace quorate::queue

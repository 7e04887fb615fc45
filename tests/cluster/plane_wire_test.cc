// Messages between nodes as bytes: every kind reads back as it was written, payloads are not copied, and nothing cut or
// changed is taken for a message that breaks the receiver.
#include <gtest/gtest.h>

#include "cluster/plane/wire.h"
#include "tests/base/environment.h"
#include "tests/cluster/random_peer_messages.h"

namespace quorate::cluster {
namespace {

Bytes encoded(const PeerMessage& message) {
  std::vector<std::byte> out;
  encode(message, out);
  return Bytes::copy_of(out);
}

PeerMessage append(raft::Append append, Term term = Term(9)) {
  return {.group = GroupId(1), .body = raft::Message{.term = term, .body = std::move(append)}};
}

/// Messages by chance; QUORATE_SEED brings those of another run back.
class RandomPlaneWire : public ::testing::Test {
 protected:
  const std::uint64_t seed_ = from_environment("QUORATE_SEED", Random::from_system().next());
  const ::testing::ScopedTrace trace_{__FILE__, __LINE__, "rerun: QUORATE_SEED=" + std::to_string(seed_)};
  RandomPeerMessages messages_{seed_};
};

TEST_F(RandomPlaneWire, EveryKindReadsBackAsItWas) {
  for (int round = 0; round < 300; ++round) {
    for (std::size_t kind = 0; kind < RandomPeerMessages::kKinds; ++kind) {
      const PeerMessage message = messages_.next(kind);
      const auto again = decode_peer_message(encoded(message));
      ASSERT_TRUE(again) << kind;
      ASSERT_EQ(*again, message) << kind;
    }
  }
}

TEST_F(RandomPlaneWire, CutOrLongerItIsNoMessage) {
  for (int round = 0; round < 5; ++round) {
    for (std::size_t kind = 0; kind < RandomPeerMessages::kKinds; ++kind) {
      const Bytes whole = encoded(messages_.next(kind));
      for (std::size_t size = 0; size < whole.size(); ++size) {
        ASSERT_FALSE(decode_peer_message(whole.slice(0, size))) << kind << " cut at " << size;
      }
      ASSERT_FALSE(decode_peer_message(Bytes::copy_of(std::string(whole.text()) + '\0'))) << kind;
    }
  }
}

TEST_F(RandomPlaneWire, ChangedAnywhereItDoesNoHarm) {
  for (std::size_t kind = 0; kind < RandomPeerMessages::kKinds; ++kind) {
    const Bytes whole = encoded(messages_.next(kind));
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed(whole.text());
      changed[at] = static_cast<char>(changed[at] ^ (1 << messages_.below(8)));
      if (const auto message = decode_peer_message(Bytes::copy_of(changed))) {
        ASSERT_EQ(decode_peer_message(encoded(*message)), message) << "what is taken can be passed on";
      }
    }
  }
}

TEST(PlaneWire, KindsKeepTheirNumbers) {
  RandomPeerMessages messages(1);
  const auto kind_of = [&](std::size_t kind) { return static_cast<int>(encoded(messages.next(kind)).data()[1]); };
  for (int raft = 0; raft < 14; ++raft) EXPECT_EQ(kind_of(static_cast<std::size_t>(raft)), raft);
  for (int other = 0; other < 7; ++other) EXPECT_EQ(kind_of(static_cast<std::size_t>(14 + other)), 64 + other);
  EXPECT_EQ(RandomPeerMessages::kKinds, 21u) << "a new kind gets a row in docs/formats/plane.md";
}

TEST(PlaneWire, IsWhatThePageSays) {
  const PeerMessage message{
      .group = GroupId(300),
      .body = raft::Message{.from = raft::replica_on(NodeId(1), 20),
                            .to = raft::replica_on(NodeId(2), 20),
                            .term = Term(3),
                            .body = raft::Append{.prev = {LogIndex(10), Term(2)},
                                                 .entries = {{.index = LogIndex(11),
                                                              .term = Term(3),
                                                              .type = raft::EntryType::command,
                                                              .ts = WallTime(std::chrono::milliseconds(5)),
                                                              .payload = Bytes::copy_of("hi")}},
                                                 .commit = LogIndex(10),
                                                 .leader_last = LogIndex(11),
                                                 .round = 1,
                                                 .heard = 7}}};
  const unsigned char expected[] = {0x01, 0x04, 0xac, 0x02, 0x01, 0x14, 0x02, 0x14, 0x03, 0x0a, 0x02, 0x0a,
                                    0x0b, 0x01, 0x07, 0x00, 0x01, 0x00, 0x01, 0x01, 0x0a, 0x02, 0x68, 0x69};
  EXPECT_EQ(encoded(message), Bytes::copy_of(std::as_bytes(std::span(expected))));
}

TEST(PlaneWire, PayloadsAreSlicesOfTheFrame) {
  const Bytes frame = encoded(append({.entries = {{.index = LogIndex(1), .payload = Bytes::copy_of("payload")}}}));
  const auto message = decode_peer_message(frame);
  ASSERT_TRUE(message);
  const Bytes& payload = std::get<raft::Append>(std::get<raft::Message>(message->body).body).entries[0].payload;
  EXPECT_GE(payload.data(), frame.data());
  EXPECT_LE(payload.data() + payload.size(), frame.data() + frame.size());
}

TEST(PlaneWire, RefusesEntriesThatTheCoreCouldNotTake) {
  const auto entry = [](std::uint64_t index, std::uint64_t term) {
    return raft::Entry{.index = LogIndex(index), .term = Term(term)};
  };
  const raft::LogPosition prev{LogIndex(5), Term(2)};
  EXPECT_TRUE(decode_peer_message(encoded(append({.prev = prev, .entries = {entry(6, 2), entry(7, 9)}}))));
  EXPECT_FALSE(decode_peer_message(encoded(append({.prev = prev, .entries = {entry(6, 2), entry(8, 2)}})))) << "a gap";
  EXPECT_FALSE(decode_peer_message(encoded(append({.prev = prev, .entries = {entry(7, 2)}})))) << "a gap at the front";
  EXPECT_FALSE(decode_peer_message(encoded(append({.prev = prev, .entries = {entry(6, 10)}})))) << "of a later term";
  auto config = entry(6, 2);
  config.type = raft::EntryType::config;
  config.payload = Bytes::copy_of("nonsense");
  EXPECT_FALSE(decode_peer_message(encoded(append({.prev = prev, .entries = {config}}))));
}

TEST(PlaneWire, HeartbeatsReadBackAndAreNotCut) {
  const Heartbeat heartbeat{.epoch = Epoch(3), .sequence = 1'000'000, .shards = ~std::uint64_t{0}};
  std::vector<std::byte> out;
  encode(heartbeat, out);
  const Bytes whole = Bytes::copy_of(out);
  EXPECT_EQ(decode_heartbeat(whole), heartbeat);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode_heartbeat(whole.slice(0, size)));
}

}  // namespace
}  // namespace quorate::cluster

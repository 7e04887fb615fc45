// From shard to shard over two planes: what a turn sends shares batches, and each item reaches the shard and the
// handler it is for.
#include <gtest/gtest.h>

#include "cluster/plane/incoming.h"
#include "cluster/plane/outgoing.h"
#include "cluster/plane/wire.h"
#include "tests/cluster/plane_world.h"
#include "tests/cluster/random_peer_messages.h"

namespace quorate::cluster {
namespace {

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};
constexpr Incoming::Route kRoutes[] = {
    {ItemKind::group, on_shard_of_group}, {ItemKind::shard, on_shard_named}, {ItemKind::heartbeat, on_first_shard}};

/// Three shards, driven by hand, that write down what reaches them.
class ShardsWorld {
 public:
  ShardsWorld() {
    std::vector<Shard*> all;
    for (std::uint32_t i = 0; i < 3; ++i) {
      shards_.push_back(std::make_unique<Shard>(ShardId(i), clock_));
      all.push_back(shards_.back().get());
    }
    for (Shard* shard : all) shard->connect(all);
    incoming_ = std::make_unique<Incoming>(all, kRoutes);
    heard_.resize(all.size());
    for (Shard* shard : all) {
      for (const ItemKind kind : {ItemKind::group, ItemKind::shard, ItemKind::heartbeat}) {
        incoming_->handle(shard->id(), kind, [this, shard, kind](NodeId from, std::uint64_t key, Bytes body) {
          EXPECT_EQ(from, kOne);
          heard_[shard->id().value()].push_back({kind, key, std::move(body)});
        });
      }
    }
  }

  Shard& shard(std::size_t i) { return *shards_[i]; }
  void run() {
    for (auto& shard : shards_) {
      while (shard->run_turn()) {
      }
    }
  }

  SystemClock clock_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Incoming> incoming_;
  std::vector<std::vector<Item>> heard_;  // by shard
};

struct Batch {
  NodeId to;
  Lane lane;
  std::vector<std::byte> bytes;
};

/// One shard that sends, and what it has handed over.
class OutgoingWorld {
 public:
  OutgoingWorld() {
    shard_.connect({&shard_});
    shard_.add_hook(out_);
  }
  Outgoing& out() { return out_; }
  void turn() {
    shard_.post_from_outside([] {});
    shard_.run_turn();
  }

  bool takes_ = true;
  std::vector<Batch> batches_;
  std::vector<NodeId> dropped_;

 private:
  SystemClock clock_;
  Shard shard_{ShardId(0), clock_};
  Outgoing out_{shard_,
                [this](NodeId to, Lane lane, std::vector<std::byte>&& batch) {
                  if (takes_) batches_.push_back({to, lane, std::move(batch)});
                  return takes_;
                },
                [this](NodeId to) { dropped_.push_back(to); }};
};

PeerMessage message_to(GroupId group, raft::Body body) {
  return {.group = group, .body = raft::Message{.term = Term(1), .body = std::move(body)}};
}

TEST(Outgoing, WhatATurnSendsToOneNodeSharesABatchPerLane) {
  OutgoingWorld world;
  for (std::uint64_t group = 2; group < 52; ++group) world.out().send(kTwo, message_to(GroupId(group), raft::Append{}));
  world.out().send(kTwo, message_to(GroupId(2), raft::Vote{}));
  world.out().send(kTwo, {.group = GroupId(2), .body = SnapshotPart{}});
  world.out().send(NodeId(3), message_to(GroupId(2), raft::AppendReply{}));
  world.out().send(NodeId(3), Heartbeat{.epoch = Epoch(1)});
  EXPECT_TRUE(world.batches_.empty()) << "not before the turn ends";
  world.turn();
  std::map<std::pair<NodeId, Lane>, std::size_t> items;
  for (const Batch& batch : world.batches_) {
    items[{batch.to, batch.lane}] += split_frame(Bytes::copy_of(batch.bytes)).value().size();
  }
  const std::map<std::pair<NodeId, Lane>, std::size_t> expected = {{{kTwo, Lane::data}, 50},
                                                                   {{kTwo, Lane::control}, 1},
                                                                   {{kTwo, Lane::bulk}, 1},
                                                                   {{NodeId(3), Lane::data}, 1},
                                                                   {{NodeId(3), Lane::control}, 1}};
  EXPECT_EQ(items, expected);
  EXPECT_EQ(world.batches_.size(), items.size());
  world.turn();
  EXPECT_EQ(world.batches_.size(), items.size()) << "and not twice";
}

TEST(Outgoing, ALongTurnMakesSeveralBatchesOfWholeItems) {
  OutgoingWorld world;
  for (int i = 0; i < 10; ++i) {
    auto& out = world.out().begin(kTwo, Lane::data, ItemKind::queue_mail, 7);
    out.resize(out.size() + Plane::kFrameBytes / 2);
    world.out().end();
  }
  world.turn();
  EXPECT_GT(world.batches_.size(), 3u);
  std::size_t items = 0;
  for (const Batch& batch : world.batches_) items += split_frame(Bytes::copy_of(batch.bytes)).value().size();
  EXPECT_EQ(items, 10u);
}

TEST(Outgoing, TellsOnceATurnWhatWasDropped) {
  OutgoingWorld world;
  world.takes_ = false;
  for (const NodeId node : {kTwo, NodeId(3)}) {
    world.out().send(node, message_to(GroupId(2), raft::Append{}));
    world.out().send(node, message_to(GroupId(2), raft::Vote{}));
  }
  world.turn();
  EXPECT_EQ(world.dropped_, (std::vector{kTwo, NodeId(3)}));
  world.takes_ = true;
  world.turn();
  EXPECT_TRUE(world.batches_.empty()) << "what was dropped is gone";
  EXPECT_EQ(world.dropped_.size(), 2u);
}

TEST(Incoming, ItemsReachTheShardThatTheyAreFor) {
  ShardsWorld world;
  std::vector<std::byte> frame;
  const auto add = [&](ItemKind kind, std::uint64_t key, std::string_view body) {
    const std::size_t begin = begin_item(kind, key, frame);
    const ByteView bytes = as_bytes(body);
    frame.insert(frame.end(), bytes.begin(), bytes.end());
    end_item(begin, frame);
  };
  std::map<std::uint64_t, ShardId> place;
  for (std::uint64_t group = 1; group < 40; ++group) {
    place[group] = on_shard_of_group(group, 3);
    add(ItemKind::group, group, "a");
    add(ItemKind::group, group, "b");
  }
  EXPECT_EQ(place[kMetadataGroup.value()], ShardId(0));
  add(ItemKind::shard, 2, "audit");
  ASSERT_TRUE(world.incoming_->on_frame(kOne, Bytes::copy_of(frame)));
  world.run();
  std::size_t total = 0;
  for (std::size_t shard = 0; shard < 3; ++shard) {
    std::map<std::uint64_t, std::string> texts;
    for (const Item& item : world.heard_[shard]) {
      ++total;
      if (item.kind == ItemKind::group) texts[item.key] += item.body.text();
    }
    EXPECT_GT(texts.size(), 4u) << "spread";
    for (const auto& [group, text] : texts) {
      EXPECT_EQ(place[group], ShardId(static_cast<std::uint32_t>(shard)));
      EXPECT_EQ(text, "ab") << "in order";
    }
  }
  EXPECT_EQ(total, 39u * 2 + 1);
  EXPECT_EQ(world.heard_[2].back().body.text(), "audit");
}

TEST(Incoming, AShardThatReadsNothingIsNotFedForEver) {
  ShardsWorld world;
  std::vector<std::byte> large;
  const std::size_t begin = begin_item(ItemKind::shard, 1, large);
  large.resize(large.size() + (16u << 20));
  end_item(begin, large);
  const Bytes frame = Bytes::copy_of(large);  // one for all: what counts is what is said
  std::vector<std::byte> small;
  end_item(begin_item(ItemKind::shard, 2, small), small);
  std::size_t taken = 0;
  while (taken < 100 && world.incoming_->on_frame(kOne, frame)) ++taken;
  EXPECT_EQ(taken, Incoming::kUnreadBytesMax / (16u << 20) + 1);
  EXPECT_EQ(world.incoming_->on_frame(kOne, frame).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(world.incoming_->on_frame(kOne, Bytes::copy_of(small))) << "another shard is well";
  world.run();
  EXPECT_EQ(world.heard_[1].size(), taken);
  EXPECT_EQ(world.heard_[2].size(), 1u);
  EXPECT_TRUE(world.incoming_->on_frame(kOne, frame)) << "it has caught up";
  world.run();
}

TEST(Incoming, NothingOfAMalformedFrameIsDelivered) {
  ShardsWorld world;
  std::vector<std::byte> frame;
  end_item(begin_item(ItemKind::group, 1, frame), frame);
  const std::size_t good = frame.size();
  const std::size_t begin = begin_item(ItemKind::group, 2, frame);
  frame.resize(frame.size() + 9);
  end_item(begin, frame);
  for (std::size_t size = 1; size < frame.size(); ++size) {
    const bool is_taken = world.incoming_->on_frame(kOne, Bytes::copy_of(ByteView(frame).first(size))).has_value();
    EXPECT_EQ(is_taken, size == good) << size;
  }
  for (const unsigned kind : {0u, 4u, 31u, 32u, 255u}) {
    frame[good] = static_cast<std::byte>(kind);
    EXPECT_FALSE(world.incoming_->on_frame(kOne, Bytes::copy_of(frame))) << kind;
  }
  world.run();
  EXPECT_EQ(world.heard_[0].size(), 1u) << "the good one, once";
}

TEST(Exchange, GroupsSpeakFromShardToShardOverSockets) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  ShardsWorld receiver;
  SystemClock clock;
  Shard shard(ShardId(2), clock);
  Shard other(ShardId(0), clock);
  Shard third(ShardId(1), clock);
  shard.connect({&other, &third, &shard});
  Outgoing out(
      shard,
      [&](NodeId to, Lane lane, std::vector<std::byte>&& batch) {
        return one.plane().send(to, lane, std::move(batch));
      },
      [](NodeId) { FAIL(); });
  shard.add_hook(out);

  RandomPeerMessages messages(7);
  std::vector<PeerMessage> sent;
  for (std::size_t i = 0; i < 500; ++i) {
    sent.push_back(messages.next(i % RandomPeerMessages::kKinds));
    shard.post_from_outside([&, message = sent.back()] { out.send(kTwo, message); });
    if (i % 10 == 0) shard.run_turn();
  }
  shard.run_turn();
  std::size_t heard = 0;
  ASSERT_TRUE(two.eventually([&] {
    for (auto& frame : std::exchange(two.frames_, {}))
      EXPECT_TRUE(receiver.incoming_->on_frame(frame.from, frame.bytes));
    receiver.run();
    heard = 0;
    for (const auto& items : receiver.heard_) heard += items.size();
    return heard == sent.size();
  }));
  for (const auto& items : receiver.heard_) {
    for (const Item& item : items) {
      const auto message = decode_peer_message(item.body);
      ASSERT_TRUE(message);
      const auto found = std::ranges::find(sent, *message);
      ASSERT_NE(found, sent.end());
      sent.erase(found);
    }
  }
  EXPECT_TRUE(sent.empty());
}

}  // namespace
}  // namespace quorate::cluster

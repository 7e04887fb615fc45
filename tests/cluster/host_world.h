// HostWorld: nodes in one process, each a shard driven by hand with a group host over a real disk, and a network
// between them that a test can cut. The storage threads are real, so time passes with theirs, only faster, and a test
// waits for conditions.
#pragma once
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/cursor.h"
#include "cluster/group_host.h"
#include "cluster/shard.h"
#include "storage/disk_storage.h"
#include "tests/storage/directories.h"

namespace quorate::cluster {

inline constexpr GroupId kGroup{64};

/// A machine that remembers what it was told, and needs every `keeps`th entry for ever.
class ListMachine final : public GroupClient {
 public:
  std::string describe() const override { return "list"; }
  Result<void> restore(ByteView state) override {
    items.clear();
    ByteReader reader(state);
    for (std::string item; reader.remaining() > 0 && reader.read_sized(item);) items.push_back(item);
    ++restored;
    return {};
  }
  Result<void> apply(const raft::Entry& entry, ApplyMode mode) override {
    items.emplace_back(entry.payload.text());
    if (items.size() % 10 == 0) kept.insert(entry.index);
    live += mode == ApplyMode::live ? 1 : 0;
    reclaimable += entry.payload.size();
    return {};
  }
  void on_leader() override { leads = true; }
  void on_follower() override { leads = false; }
  void on_committed(LogIndex index) override { committed = index; }
  Bytes save() const override {
    std::vector<std::byte> out;
    ByteWriter writer(out);
    for (const std::string& item : items) writer.write_sized(as_bytes(item));
    return Bytes::copy_of(out);
  }
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const override {
    std::vector<std::pair<LogIndex, LogIndex>> ranges;
    for (const LogIndex index : kept) ranges.emplace_back(index, index);
    return ranges;
  }
  std::uint64_t reclaimable_bytes() const override { return reclaimable; }
  std::uint64_t state_bytes() const override { return 0; }
  void mark_snapshot() override { reclaimable = 0; }

  std::vector<std::string> items;
  std::set<LogIndex> kept;  // not part of the state: a test that restores looks at `items`
  std::uint64_t reclaimable = 0;
  int live = 0;
  int restored = 0;
  bool leads = false;
  LogIndex committed;
};

class HostWorld : public ::testing::Test {
 protected:
  struct Node;
  class Wire final : public Transport {
   public:
    Wire(HostWorld& world, NodeId from) : world_(world), from_(from) {}
    void send(NodeId to, PeerMessage message) override { world_.wires_.push_back({from_, to, std::move(message)}); }

   private:
    HostWorld& world_;
    NodeId from_;
  };
  struct Node {
    NodeId id;
    storage::TestDirectory directory;
    std::uint32_t epoch = 0;
    std::unique_ptr<storage::SnapshotStore> snapshots;
    std::unique_ptr<storage::LogStore> log;
    std::unique_ptr<storage::LogWriter> writer;
    std::unique_ptr<storage::LogReader> reader;
    std::unique_ptr<storage::DiskStorage> disk;
    std::unique_ptr<Shard> shard;
    std::unique_ptr<Wire> wire;
    std::unique_ptr<ListMachine> machine;
    std::unique_ptr<GroupHost> host;
    bool is_up() const { return host != nullptr; }
  };

  /// The first `founders` of `count` nodes are the group's members.
  explicit HostWorld(std::size_t count = 3, std::size_t founders = 3) {
    for (std::size_t i = 1; i <= founders; ++i) first_members_.voters.push_back(replica(i));
    for (std::size_t i = 1; i <= count; ++i) {
      nodes_.push_back(std::make_unique<Node>());
      nodes_.back()->id = NodeId(static_cast<std::uint32_t>(i));
    }
    for (auto& node : nodes_) start(*node);
  }
  ~HostWorld() override {
    for (auto& node : nodes_) stop(*node);
  }

  static raft::ReplicaId replica(std::size_t i) { return raft::replica_on(NodeId(static_cast<std::uint32_t>(i)), 64); }
  const raft::Configuration& first_members() const { return first_members_; }

  /// The node's disk is open, and no group runs yet.
  virtual void before_groups(Node&) {}

  void start(Node& node) {
    ++node.epoch;
    node.snapshots = std::move(*storage::SnapshotStore::open({.path = node.directory / "state"}));
    node.log = std::move(*storage::LogStore::open({.path = node.directory / "log", .epoch = Epoch(node.epoch)}));
    node.writer = std::make_unique<storage::LogWriter>(*node.log, clock_);
    node.reader = std::make_unique<storage::LogReader>(*node.log);
    node.disk = std::make_unique<storage::DiskStorage>(*node.log, *node.writer, *node.reader, *node.snapshots);
    before_groups(node);
    node.shard = std::make_unique<Shard>(ShardId(0), clock_);
    node.shard->connect({node.shard.get()});
    node.wire = std::make_unique<Wire>(*this, node.id);
    node.machine = std::make_unique<ListMachine>();
    HostOptions options{.node = node.id, .epoch = Epoch(node.epoch), .seed = node.id.value()};
    options.snapshot_entries_max = 50;
    options.kept_entries = 5;
    options.snapshot_part_bytes = 64;
    options.limits.append_max_entries = 8;
    options.limits.uncommitted_max_entries = 256;
    node.host = std::make_unique<GroupHost>(*node.shard, *node.disk, node.wire.get(), options,
                                            [this](const Error& error) { failures_.push_back(error.text); });
    node.shard->add_hook(*node.host);
    const Birth birth{
        .self = replica(node.id.value()), .configuration = first_members(), .campaign = node.id == NodeId(1)};
    const auto opened = node.host->open(kGroup, *node.machine, birth);
    EXPECT_EQ(opened.has_value(), !expects_refusal_) << (opened ? "it opens" : opened.error().text);
    for (auto& other : nodes_) {
      if (other->id == node.id || !other->is_up()) continue;
      other->host->on_node_live(node.id, true);
      node.host->on_node_live(other->id, true);
    }
    moved_at_ = real_clock_.now();  // what the disk took is no time of the others'
  }
  /// As a process that ends: what it has submitted is written, nothing is answered.
  void stop(Node& node) {
    if (!node.is_up()) return;
    node.writer->stop();
    node.reader->stop();
    node.shard->remove_hook(*node.host);
    node.host.reset();
    node.shard.reset();
    node.machine.reset();
    node.disk.reset();
    node.reader.reset();
    node.writer.reset();
    node.log.reset();
    node.snapshots.reset();
    for (auto& other : nodes_) {
      if (other->is_up()) other->host->on_node_live(node.id, false);
    }
  }

  /// Moves messages and time until `holds`.
  ::testing::AssertionResult eventually(const std::function<bool()>& holds) {
    const Instant end = clock_.now() + kPatience;
    while (clock_.now() < end) {
      if (holds()) return ::testing::AssertionSuccess();
      round();
    }
    return ::testing::AssertionFailure() << "it does not come about" << (failures_.empty() ? "" : ": " + failures_[0]);
  }
  /// Moves messages until `holds`, while time stands: nothing has to wait for a deadline.
  ::testing::AssertionResult at_once(const std::function<bool()>& holds) {
    haste_ = 0;
    const Instant end = real_clock_.now() + kPatience / kHaste;
    while (!holds() && real_clock_.now() < end) round();
    haste_ = kHaste;
    return holds() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "it does not come about at once";
  }
  void round() {
    const Instant now = real_clock_.now();
    clock_.advance(haste_ * (now - std::exchange(moved_at_, now)));
    for (auto& node : nodes_) {
      while (node->is_up() && node->shard->run_turn()) {
      }
    }
    std::deque<Letter> letters;
    letters.swap(wires_);
    for (Letter& letter : letters) {
      Node& to = *nodes_.at(letter.to.value() - 1);
      const bool is_cut = cut_.contains(letter.from) || cut_.contains(letter.to);
      if (to.is_up() && !is_cut) to.host->receive(letter.from, std::move(letter.message));
    }
    std::this_thread::yield();  // the storage threads have work too
  }

  Node& node(std::size_t i) { return *nodes_.at(i - 1); }
  Node* leader() {
    Node* found = nullptr;
    for (auto& node : nodes_) {
      const bool leads = node->is_up() && !cut_.contains(node->id) && node->machine->leads;
      if (leads && (found == nullptr ||
                    node->host->replica(kGroup)->core().term() > found->host->replica(kGroup)->core().term())) {
        found = node.get();
      }
    }
    return found;
  }
  void propose(const std::string& item) {
    ASSERT_TRUE(eventually([&] { return leader() != nullptr; }));
    ASSERT_TRUE(leader()->host->propose(kGroup, Bytes::copy_of(item), storage::Durability::synced));
  }
  void propose_many(int count) {
    for (int i = 0; i < count; ++i) {
      propose("item " + std::to_string(next_++));
      round();
    }
  }
  bool has_all(std::size_t i) {
    return node(i).is_up() && node(i).machine->items.size() == static_cast<std::size_t>(next_);
  }

  struct Letter {
    NodeId from;
    NodeId to;
    PeerMessage message;
  };
  static constexpr int kHaste = 10;
  static constexpr Duration kPatience = std::chrono::minutes(3);

  SystemClock real_clock_;
  Instant moved_at_ = real_clock_.now();
  int haste_ = kHaste;
  raft::Configuration first_members_;
  bool expects_refusal_ = false;  // of the next start
  ManualClock clock_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::deque<Letter> wires_;
  std::set<NodeId> cut_;
  std::vector<std::string> failures_;
  int next_ = 0;
};

}  // namespace quorate::cluster

// BenchCluster: nodes of a cluster in one process, as real as a node without sockets can be: each has a shard on a
// thread of its own, RocksDB in its own directory, a group host with its timer, and heartbeats to the other nodes. A
// message between nodes is handed over in memory, one batch per turn and receiver.
// Load keeps a number of entries under way in the groups that a node leads, and counts what commits and when.
// Concurrency: what belongs to a node is touched by its shard's thread; others use BenchNode::run().
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cluster/group_host.h"
#include "cluster/host_timer.h"
#include "cluster/node_liveness.h"
#include "cluster/shard.h"
#include "raft/fifo.h"
#include "storage/disk_storage.h"
#include "tests/storage/directories.h"

namespace quorate::cluster {

class BenchNode;

/// What the clients of one node have in common: they propose in turns, so that `window` entries are under way
/// altogether.
class Load final : public TurnHook {
 public:
  class Client;

  void bind(GroupHost& host) { host_ = &host; }
  void begin(std::size_t window, const Bytes& payload) {
    window_ = window;
    payload_ = payload;
  }
  void end() { window_ = 0; }
  /// What is counted begins again.
  void reset() {
    committed_ = refused_ = 0;
    latencies_us_.clear();
  }
  bool on_turn_end() override;

  std::uint64_t committed() const { return committed_; }
  std::uint64_t refused() const { return refused_; }
  std::size_t under_way() const { return under_way_; }
  const std::vector<float>& latencies_us() const { return latencies_us_; }
  const std::vector<Client*>& leading() const { return leading_; }

 private:
  GroupHost* host_ = nullptr;
  SystemClock clock_;
  std::size_t window_ = 0;
  Bytes payload_;
  std::vector<Client*> leading_;
  std::size_t next_ = 0;  // whose turn it is
  std::uint64_t committed_ = 0;
  std::uint64_t refused_ = 0;
  std::size_t under_way_ = 0;
  std::vector<float> latencies_us_;
};

/// A machine whose state is a count: every entry is dead once it is applied, as in a queue that is always empty.
class Load::Client final : public GroupClient {
 public:
  Client(Load& load, GroupId group) : load_(load), group_(group) {}

  std::string describe() const override { return "bench"; }
  Result<void> restore(ByteView) override { return {}; }
  Result<void> apply(const raft::Entry& entry, ApplyMode) override {
    dead_bytes_ += entry.payload.size();
    return {};
  }
  void on_leader() override { load_.leading_.push_back(this); }
  void on_follower() override {
    std::erase(load_.leading_, this);
    load_.under_way_ -= under_way_.size();
    under_way_.clear();
  }
  void on_committed(LogIndex index) override {
    if (under_way_.empty() || under_way_.front().index > index) return;
    const Instant now = load_.clock_.now();
    while (!under_way_.empty() && under_way_.front().index <= index) {
      const std::chrono::duration<float, std::micro> latency = now - under_way_.front().proposed_at;
      load_.latencies_us_.push_back(latency.count());
      under_way_.pop_front();
      --load_.under_way_;
      ++load_.committed_;
    }
  }
  Bytes save() const override { return Bytes::copy_of(std::string_view("bench")); }
  std::vector<std::pair<LogIndex, LogIndex>> live_entries() const override { return {}; }
  std::uint64_t reclaimable_bytes() const override { return dead_bytes_; }
  std::uint64_t state_bytes() const override { return 5; }
  void mark_snapshot() override { dead_bytes_ = 0; }

 private:
  friend class Load;
  struct Proposal {
    LogIndex index;
    Instant proposed_at{};
  };

  bool propose() {
    const auto place = load_.host_->propose(group_, Bytes::copy_of(load_.payload_.view()), storage::Durability::synced);
    if (!place) return false;
    under_way_.push_back({.index = place->index, .proposed_at = load_.clock_.now()});
    return true;
  }

  Load& load_;
  const GroupId group_;
  raft::Fifo<Proposal> under_way_;
  std::uint64_t dead_bytes_ = 0;
};

inline bool Load::on_turn_end() {
  while (under_way_ < window_ && !leading_.empty()) {
    next_ = (next_ + 1) % leading_.size();
    if (!leading_[next_]->propose()) {
      ++refused_;
      break;
    }
    ++under_way_;
  }
  return false;  // the host comes behind and says whether it has worked
}

/// One node's door to the others.
class BenchTransport final : public Transport, public TurnHook {
 public:
  BenchTransport(NodeId self, std::vector<std::unique_ptr<BenchNode>>& nodes) : self_(self), nodes_(nodes) {}

  void send(NodeId to, PeerMessage message) override {
    if (outgoing_.size() <= to.value()) outgoing_.resize(to.value() + 1);
    outgoing_[to.value()].push_back(std::move(message));
    ++letters_;
  }
  bool on_turn_end() override;
  std::uint64_t letters() const { return letters_; }

 private:
  const NodeId self_;
  std::vector<std::unique_ptr<BenchNode>>& nodes_;
  std::vector<std::vector<PeerMessage>> outgoing_;  // by node id
  std::uint64_t letters_ = 0;
};

class BenchNode {
 public:
  BenchNode(NodeId id, const raft::Core::Timing& timing, std::vector<std::unique_ptr<BenchNode>>& nodes)
      : id_(id), timing_(timing), nodes_(nodes), transport_(id, nodes) {
    snapshots_ = std::move(*storage::SnapshotStore::open({.path = directory_ / "state"}));
    log_ = std::move(*storage::LogStore::open({.path = directory_ / "log", .epoch = Epoch(1)}));
    writer_ = std::make_unique<storage::LogWriter>(*log_, clock_);
    reader_ = std::make_unique<storage::LogReader>(*log_);
    disk_ = std::make_unique<storage::DiskStorage>(*log_, *writer_, *reader_, *snapshots_);
  }
  ~BenchNode() { CHECK(host_ == nullptr); }

  /// After all nodes are there.
  void start() {
    shard_.connect({&shard_});
    Transport* transport = nodes_.size() > 1 ? &transport_ : nullptr;
    host_ = std::make_unique<GroupHost>(
        shard_, *disk_, transport, HostOptions{.node = id_, .epoch = Epoch(1), .seed = id_.value(), .timing = timing_},
        [](const Error& error) { fail_check("the disk works", error.text, std::source_location::current()); });
    timer_ = std::make_unique<HostTimer>(shard_, *host_);
    load_.bind(*host_);
    shard_.add_hook(load_);
    shard_.add_hook(*host_);
    shard_.add_hook(transport_);
    shard_.add_hook(*timer_);
    std::vector<NodeId> peers;
    for (const auto& node : nodes_) {
      if (node->id_ != id_) peers.push_back(node->id_);
    }
    liveness_.set_peers(peers);
    shard_.start();
    if (!peers.empty()) shard_.post_from_outside([this] { beat(); });
  }
  void halt() {
    shard_.stop();
    shard_.join();
  }
  /// After all nodes have halted.
  void close() {
    reader_->abandon_chores();
    writer_->stop();
    reader_->stop();
    timer_.reset();
    host_.reset();
  }

  /// Any other thread: runs `task` on the shard and gives what it returns.
  template <class Task>
  auto run(Task task) {
    std::packaged_task<decltype(task())()> packaged(std::move(task));
    auto result = packaged.get_future();
    shard_.post_from_outside([packaged = std::move(packaged)]() mutable { packaged(); });
    return result.get();
  }

  void open(GroupId group, const raft::Configuration& members, bool campaign) {
    auto& client = clients_[group];
    client = std::make_unique<Load::Client>(load_, group);
    const auto opened = host_->open(
        group, *client, {.self = raft::replica_on(id_, group.value()), .configuration = members, .campaign = campaign});
    CHECK(opened.has_value());
  }
  void each_replica(const std::function<void(const Replica&)>& visit) const {
    for (const auto& [group, client] : clients_) visit(*host_->replica(group));
  }

  NodeId id() const { return id_; }
  Shard& shard() { return shard_; }
  GroupHost& host() { return *host_; }
  Load& load() { return load_; }
  const BenchTransport& transport() const { return transport_; }
  storage::LogWriter::Counters writes() const { return writer_->counters(); }
  std::string directory() const { return directory_.path(); }
  std::size_t live_peers() const { return live_peers_; }
  std::uint64_t deaths() const { return deaths_; }

 private:
  void beat() {
    beat_timer_.expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(NodeLiveness::kInterval));
    beat_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) beat();
    });
    const Instant now = shard_.now();
    liveness_.on_progress(shard_.id(), now);
    liveness_.on_time(now);
    const Heartbeat heartbeat = liveness_.beat(now);
    for (const auto& node : nodes_) {
      if (node->id_ == id_) continue;
      node->shard_.post_from_outside(
          [to = node.get(), from = id_, heartbeat] { to->liveness_.receive(from, heartbeat, to->shard_.now()); });
    }
  }
  void on_liveness(NodeId node, bool live) {
    live ? ++live_peers_ : --live_peers_;
    deaths_ += live ? 0 : 1;
    host_->on_node_live(node, live);
  }

  const NodeId id_;
  const raft::Core::Timing timing_;
  std::vector<std::unique_ptr<BenchNode>>& nodes_;
  SystemClock clock_;
  storage::TestDirectory directory_;
  std::unique_ptr<storage::SnapshotStore> snapshots_;
  std::unique_ptr<storage::LogStore> log_;
  std::unique_ptr<storage::LogWriter> writer_;
  std::unique_ptr<storage::LogReader> reader_;
  std::unique_ptr<storage::DiskStorage> disk_;
  BenchTransport transport_;
  Load load_;
  std::unordered_map<GroupId, std::unique_ptr<Load::Client>> clients_;
  Shard shard_{ShardId(0), clock_};
  std::unique_ptr<GroupHost> host_;
  std::unique_ptr<HostTimer> timer_;
  NodeLiveness liveness_{Epoch(1), 1, [this](NodeId node, ShardId, bool live) { on_liveness(node, live); }};
  std::size_t live_peers_ = 0;
  std::uint64_t deaths_ = 0;  // of other nodes, as this one believes
  boost::asio::steady_timer beat_timer_{shard_.io()};
};

inline bool BenchTransport::on_turn_end() {
  for (std::size_t to = 0; to < outgoing_.size(); ++to) {
    if (outgoing_[to].empty()) continue;
    BenchNode& node = *nodes_.at(to - 1);
    node.shard().post_from_outside([&node, from = self_, batch = std::exchange(outgoing_[to], {})]() mutable {
      for (PeerMessage& message : batch) node.host().receive(from, std::move(message));
    });
  }
  return false;
}

enum class Leaders : std::uint8_t { on_first_node, spread };

/// Nodes 1 to `replicas` with groups that have a replica on each of them, all of them led.
class BenchCluster {
 public:
  explicit BenchCluster(std::size_t replicas, const raft::Core::Timing& timing = {}) {
    for (std::size_t i = 1; i <= replicas; ++i) {
      nodes_.push_back(std::make_unique<BenchNode>(NodeId(static_cast<std::uint32_t>(i)), timing, nodes_));
    }
    for (auto& node : nodes_) node->start();
    wait("the nodes know each other",
         [&] { return sum([&](BenchNode& node) { return node.live_peers(); }) == replicas * (replicas - 1); });
  }
  ~BenchCluster() {
    for (auto& node : nodes_) node->halt();
    for (auto& node : nodes_) node->close();
  }
  BenchCluster(const BenchCluster&) = delete;
  BenchCluster& operator=(const BenchCluster&) = delete;

  /// Some at a time, so that each is led before its followers' patience ends, by the node that is meant to.
  void open(std::size_t groups, Leaders leaders) {
    constexpr std::size_t kAtOnce = 250;
    for (std::size_t begin = 0; begin < groups; begin += kAtOnce) {
      const std::size_t end = std::min(groups, begin + kAtOnce);
      for (const bool campaigns : {false, true}) {
        for (std::size_t at = 0; at < nodes_.size(); ++at) {
          nodes_[at]->run([&] {
            for (std::size_t i = begin; i < end; ++i) {
              const bool is_first = at == (leaders == Leaders::spread ? i % nodes_.size() : 0);
              if (is_first == campaigns) nodes_[at]->open(GroupId(64 + i), members_of(GroupId(64 + i)), campaigns);
            }
          });
        }
      }
      wait("every group is led", [&] { return leading() == end; });
    }
  }

  std::size_t leading() {
    return sum([](BenchNode& node) { return node.load().leading().size(); });
  }
  /// On the shard of each node, one after the other.
  void each(const std::function<void(BenchNode&)>& task) {
    for (auto& node : nodes_) node->run([&] { task(*node); });
  }
  std::uint64_t sum(const std::function<std::uint64_t(BenchNode&)>& count) {
    std::uint64_t total = 0;
    each([&](BenchNode& node) { total += count(node); });
    return total;
  }
  void wait(const char* what, const std::function<bool()>& holds) {
    const Instant end = clock_.now() + std::chrono::minutes(1);
    while (!holds()) {
      if (clock_.now() > end) fail_check(what, " in a minute", std::source_location::current());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  BenchNode& node(std::size_t i) { return *nodes_.at(i - 1); }
  std::size_t size() const { return nodes_.size(); }

 private:
  raft::Configuration members_of(GroupId group) const {
    raft::Configuration members;
    for (const auto& node : nodes_) members.voters.push_back(raft::replica_on(node->id(), group.value()));
    return members;
  }

  SystemClock clock_;
  std::vector<std::unique_ptr<BenchNode>> nodes_;
};

}  // namespace quorate::cluster

#include "tests/sim/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/describe.h"

namespace quorate::sim {

using namespace std::chrono_literals;

Process::Process(Surroundings& around, NodeId id, Epoch epoch, std::uint32_t version, Disk& disk, NodeClock& clock)
    : around_(around),
      stage_(around.stage),
      id_(id),
      epoch_(epoch),
      version_(version),
      medium_(disk),
      clock_(clock),
      lifetime_(
          stage_, clock, name(), [this] { run_turn(); },
          [this](const std::string& why) { around_.on_death(id_, why); }),
      open_disk_(stage_, disk, *this),
      shard_(ShardId(0), clock),
      liveness_(epoch, 1, [this](NodeId node, ShardId, bool live) {
        stage_.tell(
            [&] { return fmt::format("node {}: node {} is {}", id_.value(), node.value(), live ? "live" : "silent"); });
        post([this, node, live] { host_->on_node_live(node, live); });
      }) {
  shard_.connect({&shard_});
  host_ =
      std::make_unique<cluster::GroupHost>(shard_, open_disk_, this, host_options(stage_.options, id, epoch, version),
                                           [this](const Error& error) { lifetime_.die(error.text); });
  shard_.add_hook(*host_);
  std::vector<NodeId> peers = around.nodes;
  std::erase(peers, id);
  liveness_.set_peers(peers);
  beat();
}

Process::~Process() {
  lifetime_.end();
  host_.reset();
}

// --- groups ---

bool Process::open(GroupId group, const cluster::Birth& birth) {
  const auto [at, added] =
      queues_.emplace(group, std::make_unique<SimQueue>(stage_, group, id_, *this, around_.audience));
  CHECK(added);
  if (const GroupImage* image = medium_.current().find(group);
      image != nullptr && image->row && image->row->installing) {
    lifetime_.note_swap(group);
    stage_.seen(Seen::restart_while_installing);
  }
  if (auto opened = host_->open(group, *at->second, birth); !opened) {
    queues_.erase(at);
    lifetime_.die(opened.error().text);
    return false;
  }
  wake();
  return true;
}

void Process::drop(GroupId group) {
  host_->drop(group);
  queues_.erase(group);
  wake();
}

SimQueue* Process::queue(GroupId group) {
  const auto at = queues_.find(group);
  return at == queues_.end() ? nullptr : at->second.get();
}

const raft::Core* Process::core(GroupId group) const {
  const cluster::Replica* replica = host_->replica(group);
  return replica == nullptr || !replica->is_open() ? nullptr : &replica->core();
}

std::vector<GroupId> Process::groups() const {
  std::vector<GroupId> ids;
  for (const auto& [id, queue] : queues_) ids.push_back(id);
  return ids;
}

// --- turns ---

void Process::post(cluster::Task task) {
  shard_.post_from_outside(std::move(task));
  wake();
}

void Process::run_turn() {
  constexpr int kRoundsMax = 10'000;
  submissions_ = 0;
  int rounds = 0;
  liveness_.on_time(clock_.now());
  while (shard_.run_turn()) {
    if (is_dying()) return;
    if (++rounds > kRoundsMax) stage_.violated(fmt::format("node {}: a turn without end", id_.value()));
  }
  flush();
  for (const auto& [group, queue] : queues_) {
    if (const cluster::Replica* replica = host_->replica(group); replica != nullptr && replica->is_open()) {
      around_.checkers.on_turn_end(id_, group, *replica);
      if (replica->core().configuration().machine_version > version_) stage_.seen(Seen::version_halted);
    }
  }
  lifetime_.wake_at(host_->next_deadline());
}

void Process::flush() {
  for (auto& [to, message] : std::exchange(outbox_, {})) {
    around_.checkers.on_send(id_, message);
    around_.network.send(id_, to, std::move(message));
  }
}

void Process::beat() {
  lifetime_.after(cluster::NodeLiveness::kInterval, [this] {
    if (!lifetime_.is_paused()) {
      const Instant now = clock_.now();
      liveness_.on_progress(ShardId(0), now);  // a shard without work takes a turn as well
      liveness_.on_time(now);
      const cluster::Heartbeat heartbeat = liveness_.beat(now);
      for (const NodeId node : around_.nodes) {
        if (node != id_) around_.network.send(id_, node, heartbeat);
      }
    }
    beat();
  });
}

void Process::receive(NodeId from, const PacketPtr& packet) {
  if (is_dying()) return;
  if (const auto* heartbeat = std::get_if<cluster::Heartbeat>(packet.get())) {
    if (!lifetime_.is_paused()) liveness_.receive(from, *heartbeat, clock_.now());
    return;
  }
  post([this, from, packet] {
    if (is_dying()) return;
    const auto& message = std::get<cluster::PeerMessage>(*packet);
    stage_.tell([&] { return fmt::format("  {} <- {}: {}", id_.value(), from.value(), describe(message)); });
    stage_.trace.digest(message.body.index() + id_.value() * 64 + from.value() * 4096);
    host_->receive(from, message);
  });
}

// --- dying ---

bool Process::survives(Step step) {
  if (is_dying()) return false;
  if (!lifetime_.is_trapped(step)) return true;
  // What was said before may still leave, or not.
  if (draw_chance(stage_.streams.nodes, 0.5)) flush();
  outbox_.clear();
  lifetime_.die(std::string(kTrapped));
  return false;
}

// --- what the host does ---

void Process::on_submit(const std::vector<storage::GroupWrite>& writes) {
  constexpr int kSubmissionsMax = 5'000;
  if (++submissions_ > kSubmissionsMax) {
    stage_.violated(fmt::format("node {}: a turn that submits without end", id_.value()));
  }
  lifetime_.note_writes(writes);
  for (const storage::GroupWrite& write : writes) {
    if (storage::is_staging(write.group)) continue;
    stage_.trace.digest(write.group.value() * 100 + write.entries.size());
    stage_.tell([&] { return fmt::format("node {}: writes {}", id_.value(), describe(write)); });
    around_.checkers.on_submit(id_, write, core(write.group));
  }
}

void Process::on_syncing(const StoredWrite& write) { around_.checkers.on_syncing(id_, write, medium_); }

void Process::on_snapshot_saved(GroupId group, const storage::Snapshot& snapshot) {
  if (!storage::is_staging(group)) around_.checkers.on_snapshot_saved(id_, group, snapshot, medium_, core(group));
}

std::optional<raft::LogPosition> Process::propose(GroupId group, Bytes payload) {
  const raft::Core* core = this->core(group);
  if (core != nullptr && core->is_steady()) stage_.seen(Seen::steady_woken_by_proposal);
  return host_->propose(group, std::move(payload), storage::Durability::synced);
}

bool Process::is_alone(GroupId group) const {
  const raft::Core* core = this->core(group);
  return core != nullptr && core->configuration().is_alone(core->self());
}

bool Process::may_be_ahead(GroupId group, LogIndex index) const {
  const raft::Core* core = this->core(group);
  if (core == nullptr) return false;
  // It was delivered ahead while the group had one member, and the body came from the disk later.
  return is_alone(group) || index < core->configuration_index();
}

void Process::read(GroupId group, LogIndex index, std::move_only_function<void(const Bytes*)> done) {
  host_->read(group, index, index, 1,
              [index, done = std::move(done)](Result<std::vector<raft::Entry>> entries) mutable {
                const bool is_there = entries && !entries->empty() && entries->front().index == index;
                done(is_there ? &entries->front().payload : nullptr);
              });
}

void Process::on_applied(const SimQueue& queue, const raft::Entry& entry) {
  around_.checkers.on_applied(id_, queue, entry, host_->replica(queue.group()));
}

void Process::on_restored(const SimQueue& queue) { around_.checkers.on_restored(id_, queue); }

void Process::send(NodeId to, cluster::PeerMessage message) {
  if (!survives(Step::send)) return;
  outbox_.emplace_back(to, std::move(message));
}

// --- the machine ---

Process& Node::start(std::uint32_t version) {
  CHECK(process_ == nullptr);
  ++epoch_;
  process_ = std::make_unique<Process>(around_, id_, epoch_, version, disk, clock);
  return *process_;
}

void Node::stop(Death death) {
  process_.reset();
  if (death == Death::power_loss) {
    disk.lose_power(around_.stage.streams.disk,
                    [this](const StoredWrite& write) { around_.checkers.on_syncing(id_, write, disk); });
  } else {
    // The operating system lives on and writes what the process gave it.
    disk.sync_log([this](const StoredWrite& write) { around_.checkers.on_syncing(id_, write, disk); });
    for (const SnapshotOp& op : disk.sync_snapshots()) {
      const bool is_own = op.snapshot && !storage::is_staging(op.group);
      if (is_own) around_.checkers.on_snapshot_saved(id_, op.group, *op.snapshot, disk, nullptr);
    }
  }
  around_.checkers.on_down(id_);
}

}  // namespace quorate::sim

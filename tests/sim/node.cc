#include "tests/sim/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/describe.h"

namespace quorate::sim {

using namespace std::chrono_literals;

namespace {

cluster::HostOptions host_options(const Options& drawn, NodeId id, Epoch epoch, std::uint32_t version) {
  const HostDraw& host = drawn.host;
  return {.node = id,
          .epoch = epoch,
          .seed = stream_seed(drawn.seed, 7777 + id.value() * 1000 + epoch.value()),
          .machine_version = version,
          .timing = host.timing,
          .limits = host.limits,
          .snapshot_reclaim_min_bytes = host.snapshot_reclaim_min_bytes,
          .snapshot_entries_max = host.snapshot_entries_max,
          .kept_entries = host.kept_entries,
          .apply_budget_bytes = host.apply_budget_bytes,
          .snapshot_part_bytes = host.snapshot_part_bytes};
}

bool is_staging(GroupId group) { return (group.value() >> 63) != 0; }

}  // namespace

Process::Process(Surroundings& around, NodeId id, Epoch epoch, std::uint32_t version, Disk& disk, NodeClock& clock)
    : around_(around),
      stage_(around.stage),
      id_(id),
      epoch_(epoch),
      version_(version),
      medium_(disk),
      clock_(clock),
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
                                           [this](const Error& error) { die(error.text); });
  shard_.add_hook(*host_);
  std::vector<NodeId> peers = around.nodes;
  std::erase(peers, id);
  liveness_.set_peers(peers);
  beat();
}

Process::~Process() {
  *alive_ = false;
  dying_ = true;
  host_.reset();
}

// --- groups ---

bool Process::open(GroupId group, const cluster::Birth& birth) {
  const auto [at, added] =
      queues_.emplace(group, std::make_unique<SimQueue>(stage_, group, id_, *this, around_.audience));
  CHECK(added);
  if (const GroupImage* image = medium_.current().find(group);
      image != nullptr && image->row && image->row->installing) {
    swaps_.insert(group);
    stage_.seen(Seen::restart_while_installing);
  }
  if (auto opened = host_->open(group, *at->second, birth); !opened) {
    queues_.erase(at);
    die(opened.error().text);
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

void Process::wake() {
  if (turn_planned_ || dying_) return;
  turn_planned_ = true;
  const WorldTime at = std::max(stage_.schedule.now() + draw_exponential(stage_.streams.nodes, 50us), paused_until_);
  stage_.schedule.at(at, [this, alive = alive_] {
    if (!*alive) return;
    turn_planned_ = false;
    if (paused_until_ > stage_.schedule.now()) return wake();
    run_turn();
  });
}

void Process::run_turn() {
  if (dying_) return;
  constexpr int kRoundsMax = 10'000;
  submissions_ = 0;
  int rounds = 0;
  liveness_.on_time(clock_.now());
  while (shard_.run_turn()) {
    if (dying_) return;
    if (++rounds > kRoundsMax) stage_.violated(fmt::format("node {}: a turn without end", id_.value()));
  }
  flush();
  for (const auto& [group, queue] : queues_) {
    if (const cluster::Replica* replica = host_->replica(group); replica != nullptr && replica->is_open()) {
      around_.checkers.on_turn_end(id_, group, *replica);
      if (replica->core().configuration().machine_version > version_) stage_.seen(Seen::version_halted);
    }
  }
  set_timer();
}

void Process::flush() {
  for (auto& [to, message] : std::exchange(outbox_, {})) {
    around_.checkers.on_send(id_, message);
    around_.network.send(id_, to, std::move(message));
  }
}

void Process::set_timer() {
  const auto due = host_->next_deadline();
  if (!due) return;
  const WorldTime at = std::max(clock_.when(*due), stage_.schedule.now() + 1us);
  if (timer_at_ <= at && timer_at_ > stage_.schedule.now()) return;
  timer_at_ = at;
  stage_.schedule.at(at, [this, alive = alive_, at] {
    if (!*alive || timer_at_ != at) return;
    timer_at_ = WorldTime::max();
    wake();
  });
}

void Process::pause(WorldTime until) {
  paused_until_ = std::max(paused_until_, until);
  stage_.tell([&] { return fmt::format("node {}: stands still", id_.value()); });
}

void Process::beat() {
  stage_.schedule.after(cluster::NodeLiveness::kInterval, [this, alive = alive_] {
    if (!*alive || dying_) return;
    if (paused_until_ <= stage_.schedule.now()) {
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
  if (dying_) return;
  if (const auto* heartbeat = std::get_if<cluster::Heartbeat>(packet.get())) {
    if (paused_until_ <= stage_.schedule.now()) liveness_.receive(from, *heartbeat, clock_.now());
    return;
  }
  post([this, from, packet] {
    if (dying_) return;
    const auto& message = std::get<cluster::PeerMessage>(*packet);
    stage_.tell([&] { return fmt::format("  {} <- {}: {}", id_.value(), from.value(), describe(message)); });
    stage_.trace.digest(message.body.index() + id_.value() * 64 + from.value() * 4096);
    host_->receive(from, message);
  });
}

// --- dying ---

void Process::die(const std::string& why) {
  if (dying_) return;
  dying_ = true;
  stage_.schedule.after(0ns, [this, alive = alive_, why] {
    if (*alive) around_.on_death(id_, why);
  });
}

bool Process::survives(Step step, bool) {
  if (dying_) return false;
  if (!trap_ || !trap_->steps.contains(step) || (trap_->only_in_swap && swaps_.empty())) return true;
  if (trap_->countdown-- > 0) return true;
  note_death_at(step);
  // What was said before may still leave, or not.
  if (draw_chance(stage_.streams.nodes, 0.5)) flush();
  outbox_.clear();
  die("crashed");
  return false;
}

void Process::note_death_at(Step step) {
  constexpr std::array kPlain = {Seen::crash_at_submit,
                                 Seen::crash_at_send,
                                 Seen::crash_at_snapshot_call,
                                 Seen::crash_before_write,
                                 Seen::crash_before_sync,
                                 Seen::crash_before_done,
                                 Seen::crash_before_snapshot_write,
                                 Seen::crash_before_snapshot_sync,
                                 Seen::crash_before_snapshot_done};
  const Seen plain = kPlain[static_cast<std::size_t>(step)];
  stage_.seen(plain);
  stage_.tell([&] { return fmt::format("node {}: {}", id_.value(), name_of(plain)); });
  if (swaps_.empty()) return;
  if (step == Step::write) stage_.seen(Seen::crash_in_swap_before_write);
  if (step == Step::sync) stage_.seen(Seen::crash_in_swap_before_sync);
  if (step == Step::done) stage_.seen(Seen::crash_in_swap_before_done);
  if (step >= Step::snapshot_write) stage_.seen(Seen::crash_in_swap_at_snapshot);
}

// --- what the host does ---

void Process::on_submit(const std::vector<storage::GroupWrite>& writes) {
  constexpr int kSubmissionsMax = 5'000;
  if (++submissions_ > kSubmissionsMax) {
    stage_.violated(fmt::format("node {}: a turn that submits without end", id_.value()));
  }
  for (const storage::GroupWrite& write : writes) {
    const bool is_last_step = write.row && !write.row->installing;
    if (is_staging(write.group) && !write.drop) swaps_.insert(GroupId(write.group.value() & ~(std::uint64_t{1} << 63)));
    if (write.row && write.row->installing) swaps_.insert(write.group);
    if (is_last_step) swaps_.erase(write.group);
    if (is_staging(write.group)) continue;
    stage_.trace.digest(write.group.value() * 100 + write.entries.size());
    stage_.tell([&] { return fmt::format("node {}: writes {}", id_.value(), describe(write)); });
    around_.checkers.on_submit(id_, write, core(write.group));
  }
}

void Process::on_syncing(const StoredWrite& write) { around_.checkers.on_syncing(id_, write, medium_); }

void Process::on_snapshot_saved(GroupId group, const storage::Snapshot& snapshot) {
  if (!is_staging(group)) around_.checkers.on_snapshot_saved(id_, group, snapshot, medium_, core(group));
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
  if (!survives(Step::send, false)) return;
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
      const bool is_own = op.snapshot && !is_staging(op.group);
      if (is_own) around_.checkers.on_snapshot_saved(id_, op.group, *op.snapshot, disk, nullptr);
    }
  }
  around_.checkers.on_down(id_);
}

}  // namespace quorate::sim

#include "tests/sim/nodes/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "raft/configuration.h"
#include "raft/print.h"

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

Site::Site(Stage& stage)
    : stage_(stage),
      mesh_(stage),
      sightings_(stage),
      around_{.stage = stage,
              .mesh = mesh_,
              .sightings = sightings_,
              .on_death = [this](NodeId id, const std::string& why) { on_death(id, why); },
              .on_dismissal = [this](const std::string& words) { last_dismissal_ = words; }} {
  make_machines();
  watch_harm();
  if (stage.has(Fault::disk_lost_suffix)) remember_disks();
}

Site::~Site() {
  for (auto& [id, machine] : machines_) machine->broker.reset();
}

void Site::make_machines() {
  Random& random = stage_.streams.nodes;
  const std::uint64_t dice = random.below(10);
  const std::uint32_t count = dice == 0 ? 1 : dice <= 2 ? 5 : 3;
  founding_.cluster_id = 1;
  for (std::uint32_t i = 1; i <= count; ++i) {
    const NodeId id(i);
    const raft::ReplicaId replica = raft::replica_on(id, kMetadataGroup.value());
    ids_.push_back(id);
    founding_.founders.push_back(replica);
    founding_.nodes.push_back({.id = id,
                               .name = fmt::format("rabbit@n{}", i),
                               .host = fmt::format("n{}", i),
                               .port = 25672,
                               .directory = fmt::format("d{}", i),
                               .replica = replica});
  }
  mesh_.know(ids_);
  for (const NodeId id : ids_) {
    const bool drifts = stage_.has(Fault::clock_drift);
    const double rate = drifts ? 0.9 + 0.2 * draw_unit(stage_.streams.clock) : 1.0;
    if (drifts) stage_.seen(Seen::clock_drifted);
    const Instant begin{draw_between(stage_.streams.clock, Duration(1s), Duration(1000s))};
    machines_.emplace(id, std::make_unique<Machine>(stage_, rate, begin));
    machine(id).shards = draw_between(random, 1, 3);
  }
}

// --- life and death ---

void Site::begin() {
  for (const NodeId id : ids_) {
    stage_.schedule.after(draw_between(stage_.streams.nodes, Duration(0), Duration(300ms)), [this, id] { start(id); });
  }
}

void Site::start(NodeId id) {
  Machine& on = machine(id);
  if (on.broker) return;
  ++on.epoch;
  stage_.tell([&] { return fmt::format("node {}: starts, epoch {}", id.value(), on.epoch); });
  if (on.epoch > 1) stage_.seen(Seen::restarted);
  Broker::Start start{.record = founding_,
                      .epoch = Epoch(on.epoch),
                      .after_crash = !std::exchange(on.ended_in_order, false),
                      .shards = on.shards};
  start.record.self = id;
  start.record.replica = raft::replica_on(id, kMetadataGroup.value());
  on.broker = std::make_unique<Broker>(around_, std::move(start), on.disk, on.clock);
  on.broker->begin();
}

void Site::stop(NodeId id, Death death) {
  Machine& on = machine(id);
  if (!on.broker) return;
  const bool loses_power = death == Death::power_loss;
  stage_.tell([&] { return fmt::format("node {}: {}", id.value(), loses_power ? "loses power" : "is killed"); });
  stage_.seen(loses_power ? Seen::lost_power : Seen::killed);
  if (loses_power) mesh_.detach(id, true);
  on.broker.reset();
  if (loses_power) return on.disk.lose_power(stage_.streams.disk, [](const StoredWrite&) {});
  // The operating system lives on and writes what the process gave it.
  on.disk.sync_log([](const StoredWrite&) {});
  on.disk.sync_snapshots();
}

void Site::stop_for(NodeId id, Death death, Duration downtime) {
  stop(id, death);
  stage_.schedule.after(downtime, [this, id] { start(id); });
}

/// A process may end by itself where a trap was set, because its disk failed or holds what cannot be read; for nothing
/// else.
void Site::on_death(NodeId id, const std::string& why) {
  stage_.tell([&] { return fmt::format("node {}: ends by itself: {}", id.value(), why); });
  const Disk& disk = machine(id).disk;
  const bool is_rotten = std::ranges::any_of(disk.current().groups, [&](const auto& group) {
    return disk.is_damaged(group.first) && why.find("start again to recover") != std::string::npos;
  });
  const bool has_reason = why == kTrapped || machine(id).broker->disk().has_failed() || is_rotten;
  if (!has_reason) stage_.violated(fmt::format("node {} fails: {}", id.value(), why));
  Random& random = stage_.streams.nodes;
  stop_for(id, draw_chance(random, 0.5) ? Death::kill : Death::power_loss, draw_exponential(random, 1s));
}

void Site::restart(NodeId id, Duration downtime) {
  Broker* ending = broker(id);
  if (ending == nullptr || !ending->is_serving()) return;
  stage_.tell([&] { return fmt::format("node {}: is asked to end", id.value()); });
  stage_.seen(Seen::ended_in_order);
  ending->refuse_clients();
  const Duration grace = draw_between(stage_.streams.operators, Duration(10ms), Duration(2s));
  stage_.schedule.after(grace, [this, id, epoch = ending->epoch(), downtime] { end_in_order(id, epoch, downtime); });
}

/// When everything it has submitted is written.
void Site::end_in_order(NodeId id, Epoch epoch, Duration downtime) {
  Broker* ending = broker(id);
  if (ending == nullptr || ending->epoch() != epoch) return;
  if (ending->disk().pending_bytes() > 0) {
    stage_.schedule.after(1ms, [this, id, epoch, downtime] { end_in_order(id, epoch, downtime); });
    return;
  }
  stop_for(id, Death::kill, downtime);
  machine(id).ended_in_order = true;
}

void Site::calm() {
  mesh_.become_perfect();
  for (const NodeId id : ids_) {
    if (Broker* running = broker(id)) {
      running->lifetime().take_trap_away();
      running->disk().mend();
    }
    start(id);
  }
}

// --- who is there ---

Broker* Site::broker(NodeId id) {
  Broker* found = machine(id).broker.get();
  return found != nullptr && !found->is_dying() ? found : nullptr;
}

Broker* Site::draw_serving(Random& random) {
  Broker* found = broker(draw_one(random, ids_));
  return found != nullptr && found->is_serving() ? found : nullptr;
}

ConnectionPtr Site::connect(ClientEnd& client, std::string& where) {
  Broker* broker = draw_serving(stage_.streams.workload);
  if (broker == nullptr) return nullptr;
  where = fmt::format("node {} epoch {}", broker->id().value(), broker->epoch().value());
  return broker->accept(client, ++last_connection_);
}

std::vector<GroupId> Site::groups_on_disks() const {
  std::set<GroupId> found;
  for (const auto& [id, machine] : machines_) {
    for (const auto& [group, image] : machine->disk.current().groups) {
      if (image.row && !storage::is_staging(group)) found.insert(group);
    }
  }
  return {found.begin(), found.end()};
}

// --- harm ---

std::map<GroupId, raft::ReplicaId> Site::replicas_on(NodeId node, std::optional<GroupId> only) {
  std::map<GroupId, raft::ReplicaId> found;
  for (const auto& [group, image] : disk(node).current().groups) {
    const bool is_meant = image.row && !storage::is_staging(group) && (!only || group == *only);
    if (is_meant) found.emplace(group, image.row->self);
  }
  return found;
}

/// What was asked for; who is no member yet has nothing to lose.
std::vector<raft::Configuration> Site::configurations_to_come(GroupId group) {
  for (const NodeId id : ids_) {
    if (Broker* broker = this->broker(id)) placements_.learn(*broker->metadata().topology());
  }
  std::vector<raft::Configuration> found;
  placements_.for_each(group, [&](const std::vector<NodeId>& nodes) {
    raft::Configuration& configuration = found.emplace_back();
    for (const NodeId node : nodes) {
      const auto replicas = replicas_on(node, group);
      configuration.voters.push_back(replicas.empty() ? raft::replica_on(node, 0) : replicas.begin()->second);
    }
  });
  return found;
}

/// All that may be in force somewhere, or soon.
std::vector<raft::Configuration> Site::configurations_of(GroupId group) {
  std::vector<raft::Configuration> found = configurations_to_come(group);
  for (const NodeId id : ids_) {
    for (const Image* image : {&disk(id).current(), &disk(id).synced()}) {
      if (const storage::Snapshot* snapshot = image->snapshot(group)) found.push_back(snapshot->meta.configuration);
      const GroupImage* log = image->find(group);
      if (log == nullptr) continue;
      if (log->row) found.push_back(log->row->configuration);
      for (const auto& [index, stored] : log->entries) {
        const auto entry = decode_stored(group, index, stored);
        if (!entry || entry->type != raft::EntryType::config) continue;
        if (auto configuration = raft::decode_configuration(entry->payload.view())) found.push_back(*configuration);
      }
    }
    Broker* broker = this->broker(id);
    if (broker == nullptr) continue;
    const cluster::Queue* queue = broker->metadata().topology()->find_queue(group);
    if (queue != nullptr && !queue->target.empty()) found.push_back({.voters = queue->target});
    const cluster::Replica* replica = broker->replica(group);
    if (replica != nullptr && replica->is_open()) found.push_back(replica->core().configuration());
  }
  return found;
}

bool Site::may_harm(NodeId node, std::optional<GroupId> only) {
  const auto replicas = replicas_on(node, only);
  if (replicas.empty()) return false;
  for (const auto& [group, replica] : replicas) {
    for (const raft::Configuration& configuration : configurations_of(group)) {
      if (!harm_.is_survivable(group, configuration, replica)) return false;
    }
  }
  return true;
}

void Site::note_harm(NodeId node, std::optional<GroupId> only) {
  for (const auto& [group, replica] : replicas_on(node, only)) harm_.add(group, replica);
}

bool Site::may_become(GroupId group, const std::vector<raft::ReplicaId>& voters) const {
  return harm_.is_survivable(group, {.voters = voters}, raft::kNoReplica);
}

void Site::replace(NodeId, bool) {}

void Site::watch_harm() {
  stage_.schedule.after(100ms, [this] {
    for (const auto& [group, replica] : std::set(harm_.all())) {
      const NodeId id = raft::node_of(replica);
      const Broker* broker = this->broker(id);
      const cluster::Replica* here = broker == nullptr ? nullptr : broker->replica(group);
      const bool is_open = here != nullptr && here->is_open();
      if (!Harm::is_whole(group, disk(id), is_open ? &here->core() : nullptr)) continue;
      harm_.heal(group, replica);
      if (disk(id).has_ever_rotted(group)) stage_.seen(Seen::rot_repaired);
      if (disk(id).has_snapshot_ever_rotted(group)) stage_.seen(Seen::snapshot_rot_repaired);
      stage_.tell([&] { return fmt::format("g{}: {} is whole again", group.value(), raft::print(replica)); });
    }
    watch_harm();
  });
}

void Site::remember_disks() {
  stage_.schedule.after(3s, [this] {
    for (auto& [id, machine] : machines_) machine->disk.remember();
    remember_disks();
  });
}

}  // namespace quorate::sim::nodes

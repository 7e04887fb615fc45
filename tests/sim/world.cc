#include "tests/sim/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "raft/configuration.h"
#include "raft/print.h"

namespace quorate::sim {

using namespace std::chrono_literals;

namespace {

std::vector<NodeId> number_nodes(unsigned count) {
  std::vector<NodeId> ids;
  for (unsigned i = 1; i <= count; ++i) ids.emplace_back(i);
  return ids;
}

}  // namespace

World::World(Stage& stage)
    : stage_(stage),
      network_(stage,
               [this](NodeId from, NodeId to, const PacketPtr& packet) {
                 if (Process* receiver = process(to)) receiver->receive(from, packet);
               }),
      checkers_(stage, harm_,
                [this](NodeId id) -> const Disk* {
                  const auto at = nodes_.find(id);
                  return at == nodes_.end() ? nullptr : &at->second->disk;
                }),
      node_ids_(number_nodes(stage.options.nodes)),
      workload_(stage, checkers_, node_ids_, [this](NodeId id) { return process(id); }),
      around_{.stage = stage,
              .network = network_,
              .checkers = checkers_,
              .audience = workload_,
              .on_death = [this](NodeId id, const std::string& why) { on_death(id, why); },
              .nodes = node_ids_} {
  make_nodes();
  make_groups();
  for (const NodeId id : node_ids_) start(id);
  for (const GroupId group : group_ids_) workload_.begin(group);
  watch_harm();
  if (stage.has(Fault::disk_lost_suffix) || stage.has(Fault::disk_rolled_back)) remember_disks();
}

World::~World() { nodes_.clear(); }

void World::make_nodes() {
  for (const NodeId id : node_ids_) {
    const bool drifts = stage_.has(Fault::clock_drift);
    const double rate = drifts ? 0.9 + 0.2 * draw_unit(stage_.streams.clock) : 1.0;
    if (drifts) stage_.seen(Seen::clock_drifted);
    const Instant start{draw_between(stage_.streams.clock, Duration(1s), Duration(1000s))};
    nodes_.emplace(id, std::make_unique<Node>(around_, id, rate, start));
    versions_[id] = stage_.has(Fault::versions) ? static_cast<std::uint32_t>(stage_.streams.nodes.below(2)) : 1;
  }
}

void World::make_groups() {
  for (unsigned i = 0; i < stage_.options.groups; ++i) {
    const GroupId group(65 + i);
    group_ids_.push_back(group);
    std::vector<NodeId> hosts = node_ids_;
    while (hosts.size() > stage_.options.replicas) {
      hosts.erase(hosts.begin() + static_cast<std::ptrdiff_t>(stage_.streams.nodes.below(hosts.size())));
    }
    raft::Configuration& first = first_[group];
    for (const NodeId host : hosts) {
      const raft::ReplicaId replica = new_replica(host);
      first.voters.push_back(replica);
      placements_[{host, group}] = replica;
    }
    std::ranges::sort(first.voters);
    campaigners_[group] = draw_one(stage_.streams.nodes, first.voters);
    checkers_.add_group(group, first);
  }
}

// --- life and death ---

void World::start(NodeId id) {
  Node& node = *nodes_.at(id);
  if (node.is_up() || kept_down_.contains(id)) return;
  stage_.seen(Seen::restarted);
  stage_.tell([&] { return fmt::format("node {}: starts", id.value()); });
  node.start(versions_.at(id));
  open_all(id);
}

void World::open_all(NodeId id) {
  Process* process = this->process(id);
  for (const GroupId group : group_ids_) {
    const auto replica = replica_at(id, group);
    if (!replica || process == nullptr || process->is_dying()) continue;
    // A replica that was displaced may be back after a loss of power, and another one has its place.
    Disk& disk = nodes_.at(id)->disk;
    const GroupImage* image = disk.current().find(group);
    const bool is_left_over = image == nullptr || !image->row || image->row->self != *replica;
    if (is_left_over) disk.forget(group);
    const bool begins = stage_.schedule.now() == WorldTime{} && campaigners_.at(group) == *replica;
    process->open(group, {.self = *replica, .configuration = first_.at(group), .campaign = begins});
  }
}

void World::stop(NodeId id, Death death) {
  Node& node = *nodes_.at(id);
  if (!node.is_up()) return;
  stage_.seen(death == Death::kill ? Seen::killed : Seen::lost_power);
  stage_.tell([&] { return fmt::format("node {}: {}", id.value(), death == Death::kill ? "killed" : "loses power"); });
  node.stop(death);
  network_.note_restart(id);
}

void World::stop_for(NodeId id, Death death, Duration downtime) {
  stop(id, death);
  stage_.schedule.after(downtime, [this, id] { start(id); });
}

void World::upgrade(NodeId id) {
  stage_.seen(Seen::node_upgraded);
  versions_[id] = std::min<std::uint32_t>(versions_[id] + 1, 2);
  stop_for(id, Death::kill, draw_exponential(stage_.streams.nodes, 300ms));
}

void World::on_death(NodeId id, const std::string& why) {
  stage_.tell([&] { return fmt::format("node {}: dies: {}", id.value(), why); });
  Random& random = stage_.streams.nodes;
  stop_for(id, draw_chance(random, 0.5) ? Death::kill : Death::power_loss, draw_exponential(random, 1s));
}

Process* World::leader_of(GroupId group) {
  Process* leader = nullptr;
  for (const NodeId id : node_ids_) {
    Process* process = this->process(id);
    const raft::Core* core = process == nullptr ? nullptr : process->core(group);
    if (core == nullptr || core->role() != raft::Role::leader) continue;
    if (leader == nullptr || leader->core(group)->term() < core->term()) leader = process;
  }
  return leader;
}

// --- who lives where ---

std::optional<raft::ReplicaId> World::replica_at(NodeId node, GroupId group) const {
  const auto at = placements_.find({node, group});
  if (at == placements_.end()) return std::nullopt;
  return at->second;
}

void World::place(GroupId group, raft::ReplicaId replica) {
  const NodeId id = raft::node_of(replica);
  CHECK(!replica_at(id, group));
  placements_[{id, group}] = replica;
  if (Process* process = this->process(id)) process->open(group, {.self = replica, .configuration = first_.at(group)});
}

void World::displace(GroupId group, raft::ReplicaId replica) {
  const NodeId id = raft::node_of(replica);
  placements_.erase({id, group});
  stage_.seen(Seen::replica_dropped);
  if (Process* process = this->process(id)) process->drop(group);
  checkers_.on_closed(id, group);
}

void World::sweep(NodeId id, GroupId group) {
  Process* process = this->process(id);
  if (process == nullptr || is_swept(id, group)) return;
  process->host().drop(group);
  process->wake();
}

void World::replace(NodeId id, bool has_old_image) {
  if (has_old_image) start_refused(id);
  burn(id);
}

/// The disk does not know any more what was promised: a process that starts on it must refuse its replicas.
void World::start_refused(NodeId id) {
  Node& node = *nodes_.at(id);
  Process& process = node.start(versions_.at(id));
  for (const GroupId group : group_ids_) {
    const auto replica = replica_at(id, group);
    if (!replica) continue;
    if (process.open(group, {.self = *replica, .configuration = first_.at(group)})) {
      stage_.violated(fmt::format("node {}: {} of group {} acts again on a disk that has forgotten its promises",
                                  id.value(), raft::print(*replica), group.value()));
    }
    break;  // the process is dying
  }
  node.stop(Death::kill);
}

/// Nothing that lives on this node may act again.
void World::burn(NodeId id) {
  CHECK(!nodes_.at(id)->is_up());
  for (const GroupId group : group_ids_) {
    const auto replica = replica_at(id, group);
    if (!replica) continue;
    stage_.tell([&] { return fmt::format("g{}: {} is burned", group.value(), raft::print(*replica)); });
    harm_.add(group, *replica);
    burned_.insert({group, *replica});
    placements_.erase({id, group});
  }
  nodes_.at(id)->disk.wipe();
  checkers_.on_wiped(id);
}

// --- the network ---

void World::reset(NodeId from, NodeId to) {
  network_.reset(from, to);
  network_.reset(to, from);
  for (const auto& [here, there] : {std::pair(from, to), std::pair(to, from)}) {
    if (Process* process = this->process(here)) {
      process->post([process, there] { process->host().on_node_unreachable(there); });
    }
  }
}

// --- harm ---

/// The committed one and all that some log has behind it.
std::vector<raft::Configuration> World::configurations_of(GroupId group) {
  const Ghost& ghost = checkers_.ghost(group);
  std::vector<raft::Configuration> found = {ghost.configuration()};
  for (const auto& [id, node] : nodes_) {
    if (const Process* process = node->process(); process != nullptr && process->core(group) != nullptr) {
      found.push_back(process->core(group)->configuration());
    }
    const GroupImage* image = node->disk.current().find(group);
    if (image == nullptr) continue;
    for (auto at = image->entries.upper_bound(ghost.configuration_index()); at != image->entries.end(); ++at) {
      const auto entry = decode_stored(group, at->first, at->second);
      if (!entry || entry->type != raft::EntryType::config) continue;
      if (auto configuration = raft::decode_configuration(entry->payload.view())) found.push_back(*configuration);
    }
  }
  return found;
}

bool World::may_harm(NodeId node, std::optional<GroupId> only) {
  if (only && !replica_at(node, *only)) return false;
  for (const GroupId group : group_ids_) {
    const auto replica = replica_at(node, group);
    if (!replica || (only && group != *only)) continue;
    for (const raft::Configuration& configuration : configurations_of(group)) {
      if (!harm_.is_survivable(group, configuration, *replica)) return false;
    }
  }
  return true;
}

void World::note_harm(NodeId node, std::optional<GroupId> only) {
  for (const GroupId group : group_ids_) {
    const auto replica = replica_at(node, group);
    if (replica && (!only || group == *only)) harm_.add(group, *replica);
  }
}

void World::watch_harm() {
  stage_.schedule.after(100ms, [this] {
    for (const auto& [place, replica] : placements_) {
      const auto& [id, group] = place;
      if (!harm_.is_harmed(group, replica)) continue;
      const Disk& disk = nodes_.at(id)->disk;
      const Process* process = this->process(id);
      const raft::Core* core = process == nullptr ? nullptr : process->core(group);
      if (!Harm::is_whole(group, disk, core)) continue;
      harm_.heal(group, replica);
      if (disk.has_ever_rotted(group)) stage_.seen(Seen::rot_repaired);
      if (disk.has_snapshot_ever_rotted(group)) stage_.seen(Seen::snapshot_rot_repaired);
      stage_.tell([&] { return fmt::format("g{}: {} is whole again", group.value(), raft::print(replica)); });
    }
    watch_harm();
  });
}

void World::remember_disks() {
  stage_.schedule.after(3s, [this] {
    for (auto& [id, node] : nodes_) node->disk.remember();
    remember_disks();
  });
}

}  // namespace quorate::sim

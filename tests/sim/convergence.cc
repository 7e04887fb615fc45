#include "tests/sim/convergence.h"

#include <fmt/format.h>

#include <algorithm>

#include "raft/print.h"
#include "raft/quorum.h"

namespace quorate::sim {

using namespace std::chrono_literals;

namespace {

/// Without any progress this long nothing will come any more.
constexpr Duration kStandstillMax = 60s;
constexpr Duration kTotalMax = 3000s;

}  // namespace

void Convergence::run() {
  mend();
  wait_until_converged();
  // A leader dies while everybody sleeps: somebody must notice.
  const GroupId group = draw_one(random_, world_.groups());
  Process* leader = world_.leader_of(group);
  if (leader == nullptr || !world_.kept_down().empty()) return;
  const NodeId node = raft::node_of(leader->core(group)->self());
  if (!is_quorum_without(node)) return;
  stage_.seen(Seen::steady_woken_by_node_death);
  world_.keep_down({node});
  world_.stop(node, Death::kill);
  wait_until_converged();
  if (draw_chance(random_, 0.5)) return;
  stage_.seen(Seen::steady_woken_by_node_return);
  world_.keep_down({});
  world_.start(node);
  wait_until_converged();
}

void Convergence::mend() {
  world_.network().become_perfect();
  world_.workload().stop();
  operators_.repair_only();
  world_.keep_down(draw_core());
  stage_.tell([&] { return fmt::format("the faults are over; {} nodes stay down", world_.kept_down().size()); });
  for (const NodeId id : world_.nodes()) {
    const bool is_old = stage_.has(Fault::versions) && world_.version(id) < 2;
    // Traps, full disks and pauses end with the process.
    world_.stop(id, Death::kill);
    if (is_old) {
      world_.upgrade(id);
      world_.upgrade(id);
    }
    if (!world_.kept_down().contains(id)) world_.start(id);
  }
}

/// Half of the time one node stays away, if every group has a quorum without it.
std::set<NodeId> Convergence::draw_core() {
  const NodeId node = draw_one(random_, world_.nodes());
  if (draw_chance(random_, 0.5) || !is_quorum_without(node)) return {};
  return {node};
}

bool Convergence::is_quorum_without(NodeId node) {
  for (const GroupId group : world_.groups()) {
    for (const raft::Configuration& configuration : world_.configurations_of(group)) {
      const bool is_enough = raft::is_quorum(configuration, [&](raft::ReplicaId voter) {
        return raft::node_of(voter) != node && !world_.harm().is_harmed(group, voter);
      });
      if (!is_enough) return false;
    }
  }
  return true;
}

void Convergence::wait_until_converged() {
  world_.workload().forget_probes();
  const WorldTime begin = stage_.schedule.now();
  WorldTime last_progress = begin;
  std::uint64_t before = 0;
  for (;;) {
    const WorldTime next = stage_.schedule.now() + 250ms;
    stage_.run_until(next);
    std::string missing;
    for (const GroupId group : world_.groups()) {
      const std::string lacks = lacking(group);
      if (!lacks.empty()) missing += fmt::format("{}group {}: {}", missing.empty() ? "" : "; ", group.value(), lacks);
    }
    if (missing.empty()) return;
    if (const std::uint64_t now = progress(); now != before) {
      before = now;
      last_progress = stage_.schedule.now();
    }
    const bool is_over = next - last_progress > kStandstillMax || next - begin > kTotalMax;
    if (is_over) stage_.violated(fmt::format("no convergence: {}", missing));
  }
}

/// Changes whenever some replica has come further.
std::uint64_t Convergence::progress() {
  std::uint64_t sum = 0;
  for (const GroupId group : world_.groups()) {
    sum += world_.checkers().ghost(group).configuration_index().value();
    for (const NodeId node : world_.nodes()) {
      const Process* process = world_.process(node);
      const raft::Core* core = process == nullptr ? nullptr : process->core(group);
      if (core != nullptr)
        sum += core->durable_index().value() + process->replica(group)->applied().value() +
               core->log().base().index.value();
    }
  }
  return sum;
}

std::string Convergence::lacking(GroupId group) {
  Process* process = world_.leader_of(group);
  if (process == nullptr) return "nobody leads";
  world_.workload().probe(group);
  const raft::Core& leader = *process->core(group);
  if (!world_.workload().is_probe_confirmed(group)) return "a publication is not confirmed";
  const raft::Configuration& configuration = leader.configuration();
  if (configuration.is_joint()) return "its configuration is joint";
  if (!operators_.is_done(group)) return "a replica was not added";
  for (const raft::ReplicaId member : configuration.members()) {
    if (world_.is_burned(group, member)) return "a burned replica is still a member";
    Process* there = world_.process(raft::node_of(member));
    if (there == nullptr) continue;
    const std::string lacks = lacking_replica(group, leader, *there);
    if (!lacks.empty()) return fmt::format("{} {}", raft::print(member), lacks);
  }
  return {};
}

std::string Convergence::lacking_replica(GroupId group, const raft::Core& leader, Process& process) {
  const raft::Core* core = process.core(group);
  if (core == nullptr) return "is not open";
  const cluster::Replica& replica = *process.replica(group);
  if (core->is_recovering()) return "is recovering";
  if (core->term() != leader.term()) return "is in another term";
  if (std::ranges::binary_search(leader.configuration().joining, core->self())) return "is still joining";
  if (replica.applied() != leader.last_index()) {
    return fmt::format("has applied {} of {}", replica.applied().value(), leader.last_index().value());
  }
  const SimQueue* queue = process.queue(group);
  const Ghost& ghost = world_.checkers().ghost(group);
  const LogIndex applied = queue->machine().applied();
  const bool is_ahead = applied > ghost.commit();  // a group of one that nobody waits for
  if (!is_ahead && queue->state_checksum() != ghost.state_at(applied)) return "is in another state";
  if (replica.next_deadline()) return "does not sleep";
  return {};
}

}  // namespace quorate::sim

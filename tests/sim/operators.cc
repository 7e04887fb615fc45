#include "tests/sim/operators.h"

#include <fmt/format.h>

#include <algorithm>

#include "raft/print.h"

namespace quorate::sim {

using namespace std::chrono_literals;
using raft::Configuration;
using raft::ReplicaId;

namespace {

void add(std::vector<ReplicaId>& list, ReplicaId replica) {
  list.insert(std::ranges::lower_bound(list, replica), replica);
}
void remove(std::vector<ReplicaId>& list, ReplicaId replica) { std::erase(list, replica); }

/// What a change may name: no joint part, it finds that way itself.
Configuration plain(Configuration configuration) {
  configuration.outgoing.clear();
  return configuration;
}

}  // namespace

void Operators::begin() {
  tend_for_ever();
  if (stage_.has(Fault::membership)) change_for_ever();
  if (stage_.has(Fault::transfer)) move_for_ever();
  if (stage_.has(Fault::versions)) upgrade_for_ever();
}

// --- upkeep ---

void Operators::tend_for_ever() {
  stage_.schedule.after(400ms, [this] {
    for (const GroupId group : world_.groups()) tend(group);
    tend_for_ever();
  });
}

void Operators::tend(GroupId group) {
  note_members(group);
  clear_away(group);
  Process* leader = world_.leader_of(group);
  if (leader == nullptr || leader->core(group)->configuration().is_joint()) return;
  if (!repair(group, *leader)) finish_wanted(group, *leader);
}

void Operators::note_members(GroupId group) {
  for (const ReplicaId member : world_.checkers().ghost(group).configuration().members()) {
    were_members_[group].insert(member);
    wanted_.erase({group, member});
  }
}

/// A replica that a committed configuration does not name any more is never asked again.
void Operators::clear_away(GroupId group) {
  const Configuration& committed = world_.checkers().ghost(group).configuration();
  for (const NodeId node : world_.nodes()) {
    const auto replica = world_.replica_at(node, group);
    if (!replica) world_.sweep(node, group);
    if (!replica || world_.process(node) == nullptr) continue;
    const bool was_removed = were_members_[group].contains(*replica) && !committed.is_member(*replica);
    if (was_removed && draw_chance(random_, 0.3)) world_.displace(group, *replica);
  }
}

/// Burned replicas go, each for a new one on the same node or elsewhere.
bool Operators::repair(GroupId group, Process& leader) {
  const Configuration& now = leader.core(group)->configuration();
  for (const ReplicaId member : now.members()) {
    if (!world_.is_burned(group, member)) continue;
    Configuration target = plain(now);
    for (auto* list : {&target.voters, &target.learners, &target.joining}) remove(*list, member);
    if (target.voters.empty()) continue;
    const NodeId node = raft::node_of(member);
    ReplicaId successor = raft::kNoReplica;
    if (!world_.replica_at(node, group) && world_.is_swept(node, group) && now.is_voter(member)) {
      successor = world_.new_replica(node);
      add(target.joining, successor);
    }
    if (ask(group, leader, std::move(target), successor)) stage_.seen(Seen::replica_replaced);
    return true;
  }
  return false;
}

/// An addition that a change of leaders has swallowed is asked for again.
bool Operators::finish_wanted(GroupId group, Process& leader) {
  const Configuration& now = leader.core(group)->configuration();
  for (const auto& [of, replica] : wanted_) {
    if (of != group || now.is_member(replica)) continue;
    Configuration target = plain(now);
    add(target.joining, replica);
    leader.host().change(group, target);
    leader.wake();
    return true;
  }
  return false;
}

bool Operators::is_done(GroupId group) const {
  return std::ranges::none_of(wanted_, [&](const auto& entry) { return entry.first == group; });
}

bool Operators::ask(GroupId group, Process& leader, Configuration target, ReplicaId added) {
  stage_.seen(Seen::change_asked);
  if (!world_.harm().is_survivable(group, target, raft::kNoReplica)) return false;
  const raft::Refusal refusal = leader.host().change(group, target);
  leader.wake();
  stage_.tell(
      [&] { return fmt::format("g{}: change to {}: {}", group.value(), raft::print(target), raft::print(refusal)); });
  if (refusal != raft::Refusal::none) {
    stage_.seen(Seen::change_refused);
    return false;
  }
  if (added == raft::kNoReplica) return true;
  wanted_.insert({group, added});
  world_.place(group, added);
  return true;
}

// --- moods ---

std::optional<NodeId> Operators::free_node(GroupId group) {
  const NodeId node = draw_one(random_, world_.nodes());
  if (world_.replica_at(node, group) || !world_.is_swept(node, group)) return std::nullopt;
  return node;
}

void Operators::change_for_ever() {
  stage_.schedule.after(draw_exponential(random_, stage_.options.fault_gap * 3), [this] {
    if (repairs_only_) return;
    const GroupId group = draw_one(random_, world_.groups());
    Process* leader = world_.leader_of(group);
    if (leader != nullptr && !leader->core(group)->configuration().is_joint()) draw_change(group, *leader);
    change_for_ever();
  });
}

void Operators::draw_change(GroupId group, Process& leader) {
  const Configuration& now = leader.core(group)->configuration();
  Configuration target = plain(now);
  ReplicaId added = raft::kNoReplica;
  const auto node = free_node(group);
  const ReplicaId voter = draw_one(random_, now.voters);
  switch (random_.below(6)) {
    case 0:  // a learner comes
      if (!node) return;
      add(target.learners, added = world_.new_replica(*node));
      break;
    case 1:  // a voter to be
      if (!node) return;
      add(target.joining, added = world_.new_replica(*node));
      break;
    case 2:  // a voter goes
      if (now.voters.size() < 2) return;
      remove(target.voters, voter);
      break;
    case 3:  // at once: a voter goes, those who are joining become voters
      if (now.joining.empty() || now.voters.size() < 2) return;
      remove(target.voters, voter);
      for (const ReplicaId joining : now.joining) add(target.voters, joining);
      target.joining.clear();
      break;
    case 4:  // a learner is to become a voter
      if (now.learners.empty()) return;
      add(target.joining, now.learners.front());
      target.learners.erase(target.learners.begin());
      break;
    default:  // learners go
      if (now.learners.empty()) return;
      target.learners.clear();
  }
  ask(group, leader, std::move(target), added);
}

void Operators::move_for_ever() {
  stage_.schedule.after(draw_exponential(random_, stage_.options.fault_gap * 4), [this] {
    if (repairs_only_) return;
    const GroupId group = draw_one(random_, world_.groups());
    if (Process* leader = world_.leader_of(group)) draw_transfer(group, *leader);
    move_for_ever();
  });
}

void Operators::draw_transfer(GroupId group, Process& leader) {
  stage_.seen(Seen::transfer_asked);
  leader.host().transfer(group, draw_one(random_, leader.core(group)->configuration().voters));
  leader.wake();
}

void Operators::upgrade_for_ever() {
  stage_.schedule.after(draw_exponential(random_, 10s), [this] {
    if (repairs_only_) return;
    const NodeId node = draw_one(random_, world_.nodes());
    if (world_.process(node) != nullptr) world_.upgrade(node);
    upgrade_for_ever();
  });
}

}  // namespace quorate::sim

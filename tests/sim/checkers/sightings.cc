#include "tests/sim/checkers/sightings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/overloaded.h"
#include "raft/print.h"

namespace quorate::sim {

void Sightings::on_submit(const storage::GroupWrite& write) {
  if (write.truncate_from) stage_.seen(Seen::log_truncated);
}

void Sightings::on_send(const cluster::PeerMessage& message) {
  const auto see = [this](bool condition, Seen what) {
    if (condition) stage_.seen(what);
  };
  std::visit(Overloaded{
                 [&](const raft::Message& m) {
                   std::visit(Overloaded{
                                  [&](const raft::PreVoteReply& b) { see(!b.granted, Seen::pre_vote_refused); },
                                  [&](const raft::VoteReply& b) { see(!b.granted, Seen::vote_refused); },
                                  [&](const raft::AppendReply& b) { see(b.rejected, Seen::append_rejected); },
                                  [&](const raft::Append& b) { see(b.recover, Seen::loss_proved_by_leader); },
                                  [&](const raft::Unsteady&) { stage_.seen(Seen::steady_unsteady_sent); },
                                  [&](const raft::Wake&) { stage_.seen(Seen::steady_wake_sent); },
                                  [&](const raft::TimeoutNow&) { stage_.seen(Seen::transfer_done); },
                                  [](const auto&) {},
                              },
                              m.body);
                 },
                 [&](const cluster::SnapshotOffer&) { stage_.seen(Seen::snapshot_offered); },
                 [&](const cluster::SnapshotPart&) { stage_.seen(Seen::snapshot_part_sent); },
                 [&](const cluster::SnapshotResult& m) {
                   stage_.seen(m.accepted ? Seen::snapshot_installed : Seen::snapshot_refused);
                 },
                 [&](const cluster::RepairRequest&) { stage_.seen(Seen::repair_asked); },
                 [&](const cluster::RepairReply&) { stage_.seen(Seen::repair_answered); },
                 [&](const cluster::SteadyAudit& m) {
                   const bool is_hash = m.kind == cluster::SteadyAudit::Kind::hash;
                   stage_.seen(is_hash ? Seen::steady_audit_sent : Seen::steady_audit_list_sent);
                 },
                 [](const cluster::SnapshotWant&) {},
             },
             message.body);
}

void Sightings::on_turn_end(NodeId node, GroupId group, const cluster::Replica& replica) {
  const raft::Core& core = replica.core();
  Past& past = past_[{node, group}];
  const bool leads = core.role() == raft::Role::leader;
  if (leads != past.leads) {
    stage_.seen(leads ? Seen::became_leader : Seen::stepped_down);
    stage_.tell([&] {
      return fmt::format("g{} {} {} in term {}", group.value(), raft::print(core.self()),
                         leads ? "leads" : "leads no more", core.term().value());
    });
  }
  if (core.is_steady() && !past.steady) stage_.seen(Seen::steady_slept);
  if (!core.is_steady() && past.steady) stage_.seen(Seen::steady_woken_by_message);
  if (core.is_recovering() != past.recovering) {
    stage_.seen(core.is_recovering() ? Seen::recovery_begun : Seen::recovery_ended);
  }
  if (core.log().base().index > past.base && past.base.value() > 0) stage_.seen(Seen::log_compacted);
  if (leads && core.configuration() != past.configuration) note_configuration(core, past);
  past = {.leads = leads,
          .steady = core.is_steady(),
          .recovering = core.is_recovering(),
          .joint = core.configuration().is_joint(),
          .base = core.log().base().index,
          .configuration = core.configuration()};
}

void Sightings::note_configuration(const raft::Core& core, Past& past) {
  const raft::Configuration& now = core.configuration();
  stage_.tell([&] { return fmt::format("{} has configuration {}", raft::print(core.self()), raft::print(now)); });
  if (past.configuration.voters.empty()) return;
  if (now.is_joint() && !past.joint) stage_.seen(Seen::joint_entered);
  if (!now.is_joint() && past.joint) stage_.seen(Seen::joint_left);
  for (const raft::ReplicaId voter : now.voters) {
    if (std::ranges::binary_search(past.configuration.joining, voter)) stage_.seen(Seen::learner_promoted);
  }
  for (const raft::ReplicaId voter : past.configuration.voters) {
    if (now.is_voter(voter)) continue;
    stage_.seen(voter == core.self() ? Seen::leader_removed : Seen::voter_removed);
  }
  for (const raft::ReplicaId member : now.members()) {
    if (!past.configuration.is_member(member)) stage_.seen(Seen::learner_added);
  }
}

void Sightings::on_down(NodeId node) {
  std::erase_if(past_, [&](const auto& entry) { return entry.first.first == node; });
}

}  // namespace quorate::sim

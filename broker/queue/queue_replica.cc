// A queue as a replica of its group: who leads, who the members are, and what is known of the nodes whose sessions it
// serves.
#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "broker/queue/arguments.h"
#include "broker/queue/queue.h"

namespace quorate::queue {
namespace {
/// Nothing else says that what stood in the way of a change of members has gone.
constexpr Duration kPursueAgain = std::chrono::milliseconds(500);
}  // namespace

/// The members of a new queue agree on who they are; one that was added later hears it from the leader.
Result<void> Queue::open_group(bool is_new) {
  if (definition_->members.empty()) return surroundings_.groups.open(definition_->id, *this);
  const auto is_here = [this](raft::ReplicaId replica) { return raft::node_of(replica) == surroundings_.node; };
  const auto founder = std::ranges::find_if(definition_->members, is_here);
  if (founder == definition_->members.end()) {
    const auto added = std::ranges::find_if(definition_->target, is_here);
    CHECK(added != definition_->target.end());
    return surroundings_.groups.open(definition_->id, *this,
                                     {.self = *added, .configuration = {.voters = definition_->members}});
  }
  const bool begins = is_new && definition_->node == surroundings_.node;
  return surroundings_.groups.open(
      definition_->id, *this,
      {.self = *founder, .configuration = {.voters = definition_->members}, .campaign = begins});
}

void Queue::on_leader() {
  stop_relaying();
  committed_ = std::max(committed_, machine_.applied());  // history was read from the disk
  outbox_.begin(committed_);
  last_proposed_ = machine_.applied();
  ready_ = true;
  told_placed_ = false;
  asked_.reset();
  note_use();
  if (may_have_run_ahead()) {
    packer_.append(Command(NodeUp{.node = surroundings_.node,
                                  .epoch = surroundings_.epoch,
                                  .after_crash = surroundings_.after_crash,
                                  .keeps_transient = is_quorum()}));
  }
  configure();
  judge_sessions();
  for (QueueMail& mail : std::exchange(early_, {})) take(mail);
  if (early_parcels_.has_dropped()) surroundings_.announce(leadership(), true);  // consumers say again what they have
  for (Parcel& parcel : early_parcels_.take()) on_mail(std::move(parcel));
  watch_time();
  surroundings_.mark_dirty(definition_->id);
}

/// In the life before it may have been classic, whatever it is now: then it delivered before its log had the entry.
bool Queue::may_have_run_ahead() const {
  if (!is_quorum()) return true;
  const cluster::Replica* replica = surroundings_.groups.replica(definition_->id);
  return declared_type(*definition_) == cluster::QueueType::classic && replica != nullptr &&
         replica->core().configuration().is_alone(replica->core().self());
}

/// Whoever waits for something sends it again, to the next leader.
void Queue::on_follower() {
  ready_ = false;
  packer_.clear();
  judge_again_at_.reset();
  early_parcels_.take();
  if (switchover_) switchover_->forget_parcels();
  questions_.clear();
  deleters_.clear();
  deleting_ = false;
  promised_.clear();
  outbox_.clear();
  serving_.clear();
  // From when the queue had one member. It may have been kept or not.
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    waiting.taken.refused = true;
    send_untracked(waiting.session, waiting.taken);
  }
}

void Queue::on_leadership(raft::ReplicaId leader, Term term) {
  if (term != term_) stop_relaying();
  leader_ = leader;
  term_ = term;
  const bool is_here = leader != raft::kNoReplica && raft::node_of(leader) == surroundings_.node;
  surroundings_.announce(leadership(), is_here);
  if (leader == raft::kNoReplica) return;
  const std::optional<NodeId> before = std::exchange(led_by_, raft::node_of(leader));
  if (is_here && before != led_by_) surroundings_.on_taken_over(*definition_, before);
}

void Queue::on_moved(cluster::QueuePtr definition) {
  told_placed_ = false;
  const bool was_numbered = is_tracked(*definition_, surroundings_.node);
  definition_ = std::move(definition);
  const bool is_numbered_now = is_tracked(*definition_, surroundings_.node);
  if (!was_numbered && is_numbered_now && !switchover_) switchover_.emplace(surroundings_.switchboard.shard_count());
  surroundings_.mark_dirty(definition_->id);
}

/// One step towards the members that the metadata wants: new ones learn the log before any old one goes.
void Queue::pursue_target() {
  const cluster::Replica* replica = surroundings_.groups.replica(definition_->id);
  if (!ready_ || definition_->target.empty() || replica == nullptr || switchover_) return;
  if (replica->core().is_changing_members()) return;
  const raft::Configuration& now = replica->core().configuration();
  raft::Configuration next{.voters = now.voters, .machine_version = now.machine_version};
  for (const raft::ReplicaId wanted : definition_->target) {
    if (!now.is_voter(wanted)) next.joining.push_back(wanted);
  }
  if (next.joining == now.joining) {
    if (!now.joining.empty()) return;  // the leader promotes whoever has caught up
    if (now.voters == definition_->target) {
      if (!std::exchange(told_placed_, true)) surroundings_.report_placed(definition_->id, now.voters);
      return;
    }
    next.voters = definition_->target;
  }
  const bool is_refused = surroundings_.groups.change(definition_->id, next) != raft::Refusal::none;
  if (is_refused) wake_by(surroundings_.shard->now() + kPursueAgain);
}

void Queue::on_nodes_changed() {
  if (!ready_) return;
  judge_those_to_come();
  judge_sessions();
}

/// Sessions whose first words are under way: they are judged when these have come.
void Queue::judge_those_to_come() {
  packer_.seal();
  judge_again_at_ = last_proposed_;
}

void Queue::judge_sessions() {
  const cluster::Topology& topology = surroundings_.topology();
  if (topology.nodes.empty()) return;
  std::map<NodeId, Epoch> oldest;
  for (const SessionId& session : machine_.sessions()) {
    const auto [at, added] = oldest.try_emplace(session.node, session.epoch);
    if (!added) at->second = std::min(at->second, session.epoch);
  }
  for (const auto& [node, epoch] : oldest) {
    const cluster::ClusterNode* now = topology.find_node(node);
    const Epoch below = now != nullptr ? now->epoch : Epoch(UINT32_MAX);
    if (epoch < below) packer_.append(Command(SessionsGone{.node = node, .below = below}));
    judge_node(node);
  }
  surroundings_.mark_dirty(definition_->id);
}

void Queue::on_node_health(NodeId node) {
  if (!ready_) return;
  judge_those_to_come();
  const auto is_of_node = [&](const SessionId& session) { return session.node == node; };
  if (std::ranges::none_of(machine_.sessions(), is_of_node)) return;
  judge_node(node);
  surroundings_.mark_dirty(definition_->id);
}

/// The node's consumers get nothing new while it is silent, and lose what they hold when it was for too long. A leader
/// says what it knows anew: the one before may have said something else, or nothing.
void Queue::judge_node(NodeId node) {
  const cluster::ClusterNode* row = surroundings_.topology().find_node(node);
  if (row == nullptr) return;
  switch (surroundings_.health_of(node)) {
    case NodeHealth::live:
      if (machine_.has_consumers(node, true)) packer_.append(Command(NodeTrusted{.node = node, .epoch = row->epoch}));
      return;
    case NodeHealth::silent:
      if (machine_.has_consumers(node, false))
        packer_.append(Command(NodeSuspected{.node = node, .epoch = row->epoch}));
      return;
    case NodeHealth::given_up:
      return packer_.append(Command(SessionsGone{.node = node, .below = row->epoch.plus(1), .expired = true}));
  }
}

void Queue::on_node_unreachable(NodeId node) {
  RemotePost* remote = surroundings_.switchboard.remote();
  const auto is_there = [node](const SessionId& session) { return session.node == node; };
  if (ready_ && remote != nullptr && std::ranges::any_of(machine_.sessions(), is_there)) {
    remote->send(node, leadership());
  }
}

void Queue::on_committed(LogIndex index) {
  committed_ = std::max(index, committed_);
  while (!waiting_.empty() && waiting_.front().entry <= committed_) {
    send_untracked(waiting_.front().session, waiting_.front().taken);
    waiting_.pop_front();
  }
  while (!promised_.empty() && promised_.front().entry <= committed_) {
    post(std::move(promised_.front().mail));
    promised_.pop_front();
  }
  const cluster::Replica* replica = surroundings_.groups.replica(definition_->id);
  if (ready_ && replica != nullptr) judge_replicas(replica->core());
  if (ready_ && judge_again_at_ && *judge_again_at_ <= committed_) {
    judge_again_at_.reset();
    configure();
    judge_sessions();
  }
  const bool has_steps = switchover_ || !definition_->target.empty();  // one more may be due
  if (has_steps) surroundings_.mark_dirty(definition_->id);
  const LogIndex durable = replica != nullptr ? std::min(committed_, replica->core().durable_index()) : committed_;
  outbox_.on_committed(committed_, durable);
}

Leadership Queue::leadership() const {
  Leadership known{.queue = definition_->id, .term = term_};
  if (leader_ != raft::kNoReplica) known.leader = raft::node_of(leader_);
  return known;
}

}  // namespace quorate::queue

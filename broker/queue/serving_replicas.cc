#include "broker/queue/serving_replicas.h"

#include <algorithm>
#include <utility>

namespace quorate::queue {

std::vector<NodeId> ServingReplicas::judge(const raft::Core& core, Instant now) {
  std::vector<NodeId> ended;
  const raft::Configuration& configuration = core.configuration();
  std::erase_if(members_, [&](const Member& member) {
    const bool is_gone = !configuration.is_voter(member.replica);
    if (is_gone && member.serves) ended.push_back(raft::node_of(member.replica));
    return is_gone;
  });
  for (const raft::ReplicaId voter : configuration.voters) {
    if (voter == core.self()) continue;
    auto at = std::ranges::find(members_, voter, &Member::replica);
    if (at == members_.end()) at = members_.insert(at, Member{.replica = voter, .since = now});
    const bool served = at->serves;
    judge(*at, core.progress(voter), core.commit_index(), now);
    if (served && !at->serves) ended.push_back(raft::node_of(voter));
  }
  return ended;
}

void ServingReplicas::judge(Member& member, const raft::Progress* peer, LogIndex committed, Instant now) {
  const bool is_replicating =
      peer != nullptr && peer->live && peer->counts() && peer->state() == raft::Progress::State::replicate;
  if (is_replicating && peer->match() >= member.target) {
    member.target = committed;
    member.since = now;
  }
  const bool keeps_up = is_replicating && now - member.since <= kLagMax;
  if (std::exchange(member.serves, keeps_up && now >= member.rests_until) && !keeps_up) {
    member.rests_until = now + kRest;
  }
}

const ServingReplicas::Member* ServingReplicas::find(NodeId node) const {
  const auto at = std::ranges::find_if(members_, [node](const Member& m) { return raft::node_of(m.replica) == node; });
  return at == members_.end() ? nullptr : &*at;
}

bool ServingReplicas::serves(NodeId node) const {
  const Member* member = find(node);
  return member != nullptr && member->serves;
}

bool ServingReplicas::has(NodeId node, LogIndex index, const raft::Core& core) const {
  const Member* member = find(node);
  if (member == nullptr || !member->serves) return false;
  const raft::Progress* peer = core.progress(member->replica);
  return peer != nullptr && peer->counts() && index <= peer->match();
}

}  // namespace quorate::queue

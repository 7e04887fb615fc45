// Who takes part. A configuration is in force from the moment it is appended (Ongaro 2014, §4.1): whoever counts,
// counts by the newest one in the log, and one change at a time is under way.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/configuration.h"
#include "raft/core.h"
#include "raft/quorum.h"

namespace quorate::raft {
namespace {

/// Nobody is let go before a majority of those who are left acknowledges what this term began with. Without that the
/// removal could not commit, and if the leader went meanwhile and one of them recovers, nobody could ever lead again.
/// Newcomers have caught up before they are named here.
bool may_let_go(const Core& core, const Configuration& target) {
  const Configuration& now = core.configuration();
  if (std::ranges::includes(target.voters, now.voters)) return true;
  const auto is_fit = [&](ReplicaId voter) {
    const Progress* peer = core.progress(voter);
    const bool follows = peer != nullptr && peer->counts() && peer->match() >= core.term_start();
    return follows || voter == core.self() || !now.is_voter(voter);
  };
  return is_quorum({.voters = target.voters}, is_fit);
}

}  // namespace

/// The one in force is committed, and so is an entry of this term: without the latter, two leaders' changes could give
/// majorities that do not meet (Ongaro's correction of 2015).
bool Core::may_change() const {
  return commit_ >= term_start_ && configs_.current_index() <= commit_ && !configuration().is_joint();
}

void Core::on(ProposeConfiguration& input, Output& out) {
  const Configuration& target = input.target;
  if (role_ != Role::leader) {
    out.refused = Refusal::not_leader;
  } else if (leadership_->transferee != kNoReplica) {
    out.refused = Refusal::transferring;
  } else if (!is_valid(target) || target.is_joint() || target.machine_version != configuration().machine_version) {
    out.refused = Refusal::invalid;
  } else if (!may_change() || !may_let_go(*this, target)) {
    out.refused = Refusal::change_pending;
  } else {
    append_configuration(next_towards(configuration(), target), out);
  }
}

void Core::append_configuration(const Configuration& next, Output& out) {
  CHECK(is_valid(next));
  if (!configuration().is_replicated()) alone_until_ = log_.last().index.plus(1);
  configs_.append(log_.last().index.plus(1), next);
  append_own(EntryType::config, encode_configuration(next), out);
  adopt_configuration();
}

/// Peers that stay keep their progress; others come and go.
void Core::adopt_configuration() {
  std::vector<Progress> peers;
  for (const ReplicaId member : configuration().members()) {
    if (member == self_) continue;
    if (Progress* known = find_peer(member)) {
      peers.push_back(std::move(*known));
      continue;
    }
    Progress& peer = peers.emplace_back(member, log_.last().index.plus(1));
    peer.live = is_live(member);
    peer.heard_at = times_.now;
  }
  leadership_->peers = std::move(peers);
}

/// A joining learner that keeps up becomes a voter, unless its node may be one that comes and goes (raft.md §2.8); one
/// at a time.
void Core::consider_promotion(Output& out) {
  if (!may_change() || leadership_->transferee != kNoReplica) return;
  for (const ReplicaId joining : configuration().joining) {
    Progress& peer = *find_peer(joining);
    const std::optional<Instant> since = live_since(joining);
    const bool is_fit = since && times_.now - *since >= timing_.promotion && peer.counts() &&
                        peer.keeps_up(times_.now, log_.last().index, timing_.election_min);
    if (!is_fit) continue;
    Configuration target = configuration();
    std::erase(target.joining, joining);
    target.voters.insert(std::ranges::lower_bound(target.voters, joining), joining);
    if (!is_valid(target)) return;
    append_configuration(next_towards(configuration(), target), out);
    return;
  }
}

/// The machine's version rises when everybody can apply the next one (raft.md §2.12); then all switch at one index.
void Core::consider_machine_version(Output& out) {
  if (machine_version_ <= configuration().machine_version || !may_change()) return;
  std::uint32_t version = machine_version_;
  for (const Progress& peer : leadership_->peers) {
    version = std::min(version, peer.is_version_known ? peer.machine_version : 0);
  }
  if (version <= configuration().machine_version) return;
  Configuration target = configuration();
  target.machine_version = version;
  append_configuration(target, out);
}

}  // namespace quorate::raft

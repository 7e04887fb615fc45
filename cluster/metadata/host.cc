#include "cluster/metadata/host.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/metadata/transient.h"

namespace quorate::cluster {
namespace {

/// An entry that has not come back by then was lost on the way; sending it twice does no harm.
constexpr Duration kSendAgain = std::chrono::seconds(1);
/// An entry with so many bytes of arguments holds no more commands.
constexpr std::size_t kPackBytes = 64u << 10;
/// Of a command: what may be large in it.
std::size_t arguments_size(const MetadataCommand& command) {
  if (const auto* declare = std::get_if<DeclareQueue>(&command)) return declare->queue.arguments.size();
  if (const auto* declare = std::get_if<DeclareExchange>(&command)) return declare->exchange.arguments.size();
  if (const auto* bind = std::get_if<Bind>(&command)) return bind->binding.key.arguments.size();
  if (const auto* unbind = std::get_if<Unbind>(&command)) return unbind->binding.key.arguments.size();
  return 0;
}
/// A fence that hears nothing of the leader asks again after this.
constexpr Duration kFenceAskAgain = std::chrono::milliseconds(50);

}  // namespace

MetadataHost::MetadataHost(Shard& shard, GroupHost& groups, Options options)
    : shard_(shard),
      groups_(groups),
      options_(std::move(options)),
      machine_(options_.make_index),
      published_(machine_.topology()) {}

Result<void> MetadataHost::start(const Birth& birth) { return groups_.open(kMetadataGroup, *this, birth); }

// --- commands become entries ---

void MetadataHost::submit(MetadataCommand command, Done done, Patience patience) {
  gathered_.push_back({.command = std::move(command), .done = std::move(done), .patience = patience});
}

void MetadataHost::propose_once(MetadataCommand command) {
  MetadataEntry entry;
  entry.commands.push_back(std::move(command));
  if (leading_) groups_.propose(kMetadataGroup, encode_entry(entry), storage::Durability::synced);
}

void MetadataHost::fence(Fenced done) { gathered_fences_.push_back(std::move(done)); }

bool MetadataHost::on_turn_end() {
  pursue_nodes();
  pack_gathered();
  give_up_asked();
  const bool sent = send_unsent();
  return raise_fences() || sent;
}

void MetadataHost::pack_gathered() {
  std::vector<Gathered> gathered = std::exchange(gathered_, {});
  for (std::size_t i = 0; i < gathered.size();) {
    Asked asked{.number = ++last_number_};
    const Patience patience = gathered[i].patience;
    if (patience == Patience::limited) asked.give_up_at = shard_.now() + options_.patience;
    // What is under way may change what these commands are about.
    asked.transient = std::ranges::all_of(asked_, &Asked::transient);
    std::vector<MetadataCommand> commands;
    const auto has_room = [&](std::size_t bytes) {
      return commands.size() < kMetadataCommandsMax && bytes < kPackBytes && gathered[i].patience == patience;
    };
    for (std::size_t bytes = 0; i < gathered.size() && has_room(bytes); ++i) {
      bytes += arguments_size(gathered[i].command);
      asked.transient = asked.transient && is_transient(*machine_.topology(), gathered[i].command);
      commands.push_back(std::move(gathered[i].command));
      asked.done.push_back(std::move(gathered[i].done));
    }
    asked.entry = encode_asked(asked.number, std::move(commands));
    asked_.push_back(std::move(asked));
  }
}

Bytes MetadataHost::encode_asked(std::uint64_t number, std::vector<MetadataCommand> commands) const {
  return encode_entry({.commands = std::move(commands),
                       .origin = Origin{.node = options_.node, .epoch = options_.epoch, .number = number}});
}

/// The number stays, and stands for nothing, unless what stood under it is in a log already.
void MetadataHost::give_up_asked() {
  std::vector<Done> given_up;
  for (Asked& asked : asked_) {
    if (!asked.give_up_at || shard_.now() < *asked.give_up_at) continue;
    asked.give_up_at.reset();
    asked.entry = encode_asked(asked.number, {});
    for (Done& done : std::exchange(asked.done, {})) given_up.push_back(std::move(done));
  }
  for (Done& done : given_up) done(Outcome::unknown, nullptr);
}

/// In order: an entry that overtakes another is refused by the machine.
bool MetadataHost::send_unsent() {
  if (asked_.empty()) return false;
  const bool is_lost = asked_.front().sent && shard_.now() - asked_.front().sent_at >= kSendAgain;
  if (is_lost) send_again();
  bool any = false;
  for (Asked& asked : asked_) {
    if (asked.sent) continue;
    if (!send(asked)) break;
    any = true;
  }
  return any;
}

/// True when questions went out.
bool MetadataHost::raise_fences() {
  const Instant now = shard_.now();
  if (!gathered_fences_.empty()) {
    fences_.emplace(
        ++last_fence_,
        Fence{.done = std::exchange(gathered_fences_, {}), .ask_at = now, .give_up_at = now + options_.patience});
  }
  if (fences_.empty()) return false;
  std::vector<std::uint64_t> due;
  for (const auto& [number, fence] : fences_) {
    if (fence.ask_at && *fence.ask_at <= now) due.push_back(number);
  }
  for (const std::uint64_t number : due) ask_for_target(number);
  pass_fences();
  return !due.empty();
}

void MetadataHost::ask_for_target(std::uint64_t number) {
  fences_.at(number).ask_at.reset();
  groups_.read_index(kMetadataGroup, [this, number](std::optional<LogIndex> committed) {
    const auto at = fences_.find(number);
    if (at == fences_.end()) return;
    Fence& fence = at->second;
    if (committed) fence.target = committed;
    if (!fence.target) fence.ask_at = shard_.now() + kFenceAskAgain;
  });
}

/// What was asked may be lost with the leader it was meant for. Two answers do no harm: both were asked late enough.
void MetadataHost::ask_again() {
  for (auto& [number, fence] : fences_) {
    if (!fence.target) fence.ask_at = shard_.now();
  }
}

void MetadataHost::pass_fences() {
  const Instant now = shard_.now();
  for (auto at = fences_.begin(); at != fences_.end();) {
    const bool is_there = at->second.target && *at->second.target <= told_;
    if (!is_there && now < at->second.give_up_at) {
      ++at;
      continue;
    }
    std::vector<Fenced> done = std::move(at->second.done);
    at = fences_.erase(at);
    for (Fenced& each : done) each(is_there ? published_ : nullptr);
  }
}

bool MetadataHost::send(Asked& asked) {
  if (leader_ == raft::kNoReplica) return false;
  if (raft::node_of(leader_) != options_.node) {
    options_.forward(raft::node_of(leader_), asked.entry);
  } else if (!leading_ || !groups_.propose(kMetadataGroup, asked.entry, durability_of(asked))) {
    return false;
  }
  asked.sent = true;
  asked.sent_at = shard_.now();
  return true;
}

/// A replica that others count on must not forget; one that is alone may lose with the power what its restart ends.
storage::Durability MetadataHost::durability_of(const Asked& asked) const {
  const Replica* replica = groups_.replica(kMetadataGroup);
  const bool may_be_lost = asked.transient && replica != nullptr && !replica->core().configuration().is_replicated();
  return may_be_lost ? storage::Durability::buffered : storage::Durability::synced;
}

void MetadataHost::send_again() {
  for (Asked& asked : asked_) asked.sent = false;
}

void MetadataHost::on_forwarded(const Bytes& entry) {
  // A node that speaks another language must not get what the others could not apply into the log.
  if (leading_ && decode_entry(entry.view())) {
    groups_.propose(kMetadataGroup, entry, storage::Durability::synced);
  }
}

void MetadataHost::on_node_unreachable(NodeId node) {
  if (raft::node_of(leader_) != node) return;
  send_again();
  ask_again();
}

void MetadataHost::on_leader() {
  leading_ = true;
  send_again();
}

void MetadataHost::on_follower() { leading_ = false; }

void MetadataHost::on_leadership(raft::ReplicaId leader, Term) {
  leader_ = leader;
  send_again();
  ask_again();
}

// --- every node has a replica ---

/// One step towards the group that the nodes are to form: a forgotten one goes first, for it may be what a majority
/// lacks; then new ones learn the log, and the leader promotes whoever has caught up.
void MetadataHost::pursue_nodes() {
  const TopologyPtr& topology = machine_.topology();
  if (!leading_ || topology->nodes.empty()) return;
  const Replica* replica = groups_.replica(kMetadataGroup);
  if (replica == nullptr) return;
  const raft::Core& core = replica->core();
  const bool has_settled = settled_nodes_ && settled_nodes_->is_same(topology->nodes) &&
                           settled_configuration_ == core.configuration_index();
  if (has_settled) return;
  if (core.is_changing_members() || !applied_.empty()) return;  // what the nodes are is not certain yet

  std::vector<raft::ReplicaId> wanted;
  topology->nodes.for_each([&](std::uint64_t, const ClusterNode& node) { wanted.push_back(node.replica); });
  std::ranges::sort(wanted);
  if (!std::ranges::binary_search(wanted, core.self())) return;  // whoever leads next sees to it
  const auto is_gone = [&](raft::ReplicaId member) { return !std::ranges::binary_search(wanted, member); };
  const raft::Configuration& now = core.configuration();
  raft::Configuration next = now;
  std::erase_if(next.joining, is_gone);
  const auto leaving = std::ranges::find_if(next.voters, is_gone);
  if (leaving != next.voters.end()) {
    next.voters.erase(leaving);
  } else {
    for (const raft::ReplicaId member : wanted) {
      if (!next.is_member(member)) next.joining.push_back(member);
    }
    std::ranges::sort(next.joining);
  }
  if (next != now) {
    groups_.change(kMetadataGroup, next);
  } else {
    settled_nodes_ = topology->nodes;
    settled_configuration_ = core.configuration_index();
  }
}

// --- entries become versions ---

Result<void> MetadataHost::apply(const raft::Entry& entry, ApplyMode) {
  MetadataEffects effects;
  auto applied = machine_.apply(entry.index, entry.payload.view(), effects);
  reclaimable_bytes_ += entry.payload.size();
  if (!applied) return applied;
  Applied version{.index = entry.index,
                  .topology = machine_.topology(),
                  .queues = std::move(effects.queues),
                  .outcomes = std::move(effects.outcomes)};
  const bool is_mine = effects.origin && effects.origin->node == options_.node &&
                       effects.origin->epoch == options_.epoch && !effects.is_repeated;
  if (is_mine) version.done = take_asked(effects.origin->number);
  applied_.push_back(std::move(version));
  return {};
}

std::vector<MetadataHost::Done> MetadataHost::take_asked(std::uint64_t number) {
  CHECK(!asked_.empty());
  CHECK_EQ(asked_.front().number, number);
  std::vector<Done> done = std::move(asked_.front().done);
  asked_.pop_front();
  return done;
}

/// A leader's snapshot replaces what this replica has missed. What became of commands of this node among that nobody
/// can say any more, only that they were carried out; to ask again could undo what others have done since.
Result<void> MetadataHost::restore(ByteView state) {
  const TopologyPtr before = machine_.topology();
  if (auto restored = machine_.restore(state); !restored) return restored;
  const TopologyPtr& now = machine_.topology();
  if (now->version == before->version) return {};
  Applied version{.index = LogIndex(now->version), .topology = now, .queues = changes_between(*before, *now)};
  const Origin* own = now->origins.find(std::uint64_t{options_.node.value()});
  const bool has_own = own != nullptr && own->epoch == options_.epoch;
  while (has_own && !asked_.empty() && asked_.front().number <= own->number) {
    for (Done& done : take_asked(asked_.front().number)) {
      version.outcomes.push_back(Outcome::unknown);
      version.done.push_back(std::move(done));
    }
  }
  applied_.push_back(std::move(version));
  return {};
}

void MetadataHost::on_committed(LogIndex index) {
  while (!applied_.empty() && applied_.front().index <= index) {
    Applied applied = std::move(applied_.front());
    applied_.pop_front();
    published_ = applied.topology;
    if (publish_) publish_(applied.topology, applied.queues);
    CHECK(applied.done.empty() || applied.done.size() == applied.outcomes.size());
    for (std::size_t i = 0; i < applied.done.size(); ++i) applied.done[i](applied.outcomes[i], applied.topology);
  }
  told_ = std::max(told_, index);
  pass_fences();
}

}  // namespace quorate::cluster

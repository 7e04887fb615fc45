#include "cluster/group_host.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace quorate::cluster {
namespace {

/// A group that nobody has opened here by then is none of this node's.
constexpr Duration kEarlyMax = std::chrono::seconds(2);
/// How often nodes compare which groups they believe asleep (raft.md §2.6).
constexpr Duration kAuditInterval = std::chrono::seconds(10);
/// A process opens a group again only when its replica was replaced; the epoch leaves this much room to tell them
/// apart.
constexpr unsigned kReopeningBits = 8;

/// Of a group that has left this replica behind all members are others.
bool has_others(const raft::Core& core) {
  return std::ranges::any_of(core.configuration().members(), [&](auto member) { return member != core.self(); });
}

}  // namespace

GroupHost::GroupHost(Shard& shard, storage::GroupStorage& storage, Transport* transport, HostOptions options,
                     OnFailure on_failure)
    : shard_(shard),
      storage_(storage),
      transport_(transport),
      options_(std::move(options)),
      on_failure_(std::move(on_failure)) {
  if (transport_ != nullptr) audit_at_ = shard_.now() + kAuditInterval;
}

GroupHost::~GroupHost() { *alive_ = false; }

Result<void> GroupHost::open(GroupId group, GroupClient& client) {
  const raft::ReplicaId self = raft::replica_on(options_.node, group.value());
  return open(group, client, {.self = self, .configuration = {.voters = {self}}});
}

Result<void> GroupHost::open(GroupId group, GroupClient& client, const Birth& birth) {
  CHECK(find(group) == nullptr);
  auto replica = std::make_unique<Replica>(group, ++incarnations_, client, *this);
  Replica& opened = *replicas_.emplace(group, std::move(replica)).first->second;
  auto result = opened.open(birth);
  if (result && opened.is_open()) receive_early(group);
  if (result) return result;
  replicas_.erase(group);
  return std::unexpected(explain(client, result.error()));
}

Epoch GroupHost::life_of(GroupId group) const {
  const auto reopened = reopened_.find(group);
  const std::uint32_t times = reopened == reopened_.end() ? 0 : reopened->second;
  return Epoch((options_.epoch.value() << kReopeningBits) | (times & ((1u << kReopeningBits) - 1)));
}

/// The replica may be on the stack, so it stays until the turn is over.
void GroupHost::close(GroupId group) {
  const auto at = replicas_.find(group);
  if (at == replicas_.end()) return;
  at->second->close();
  ++reopened_[group];
  if (at->second->armed_for) timers_.erase({*at->second->armed_for, group});
  closed_.push_back(std::move(at->second));
  replicas_.erase(at);
}

void GroupHost::drop(GroupId group) {
  const Replica* replica = find(group);
  const bool has_others = replica != nullptr && replica->is_open() && replica->core().configuration().is_replicated();
  if (has_others) {
    writes_.push_back({.group = storage::staging_of(group), .drop = true});
    storage_.drop_snapshot(storage::staging_of(group), [](Result<void>) {});
  }
  close(group);
  std::erase_if(writes_, [&](const storage::GroupWrite& write) { return write.group == group; });
  std::erase_if(marks_, [&](const Mark& mark) { return mark.group == group; });
  writes_.push_back({.group = group, .drop = true});
  storage_.drop_snapshot(group, [](Result<void>) {});  // one that outlives its log is dropped at the next start
}

void GroupHost::forget(GroupId group) {
  drop(group);
  reopened_.erase(group);
}

// --- what clients and peers ask ---

std::optional<raft::LogPosition> GroupHost::propose(GroupId group, Bytes payload, storage::Durability durability) {
  if (failed_) return std::nullopt;
  Replica* replica = find(group);
  CHECK(replica != nullptr);
  if (!replica->is_open()) return std::nullopt;
  if (replica->step(raft::Propose{.payload = std::move(payload)}) != raft::Refusal::none) return std::nullopt;
  if (durability == storage::Durability::synced) write_durability_ = durability;
  return replica->core().log().last();
}

raft::Refusal GroupHost::change(GroupId group, const raft::Configuration& target) {
  Replica* replica = find(group);
  if (failed_ || replica == nullptr || !replica->is_open()) return raft::Refusal::not_leader;
  return replica->step(raft::ProposeConfiguration{.target = target});
}

raft::Refusal GroupHost::transfer(GroupId group, raft::ReplicaId to) {
  Replica* replica = find(group);
  if (failed_ || replica == nullptr || !replica->is_open()) return raft::Refusal::not_leader;
  return replica->step(raft::TransferTo{.replica = to});
}

void GroupHost::read_index(GroupId group, std::move_only_function<void(std::optional<LogIndex>)> done) {
  Replica* replica = find(group);
  if (failed_ || replica == nullptr || !replica->is_open()) return done(std::nullopt);
  replica->read_index(std::move(done));
}

void GroupHost::read(GroupId group, LogIndex from, LogIndex to, std::size_t bytes_max, ReadDone done) {
  const auto on_read = [this, group, from, to, bytes_max](ReadDone done, Result<std::vector<raft::Entry>> result) {
    Replica* replica = find(group);
    const bool others_have_it = !result && result.error().code == ErrorCode::corruption && replica != nullptr &&
                                replica->is_open() && has_others(replica->core());
    if (!others_have_it) return done(std::move(result));
    const auto live = replica->next_live(from);
    if (!live || *live > to) return done(std::vector<raft::Entry>());
    if (*live > from) return read(group, *live, to, bytes_max, std::move(done));  // nobody needs what is damaged
    replica->repair(from, [this, group, from, to, bytes_max, done = std::move(done)]() mutable {
      read(group, from, to, bytes_max, std::move(done));
    });
  };
  storage_.read(
      group, from, to, bytes_max,
      [this, alive = alive_, on_read, done = std::move(done)](Result<std::vector<raft::Entry>> result) mutable {
        shard_.post_from_outside([alive, on_read, done = std::move(done), result = std::move(result)]() mutable {
          if (*alive) on_read(std::move(done), std::move(result));
        });
      });
}

void GroupHost::receive(NodeId from, PeerMessage message) {
  if (failed_) return;
  if (auto* audit = std::get_if<SteadyAudit>(&message.body)) return receive(from, std::move(*audit));
  Replica* replica = find(message.group);
  if (replica == nullptr || !replica->is_open()) return keep_early(from, std::move(message));
  if (auto* raft_message = std::get_if<raft::Message>(&message.body)) {
    replica->step(raft::Receive{.message = std::move(*raft_message)});
    return;
  }
  std::visit(
      [&](auto& body) {
        if constexpr (requires { replica->receive(std::move(body)); }) replica->receive(std::move(body));
      },
      message.body);
  mark_dirty(message.group);
}

/// Of a group that begins, one member may campaign before the others have opened it.
void GroupHost::keep_early(NodeId from, PeerMessage message) {
  const Instant now = shard_.now();
  while (!early_.empty() && (early_.size() >= limits::kEarlyMessagesMax || now - early_.front().at > kEarlyMax)) {
    early_.pop_front();
  }
  // What carries entries is sent again anyway, and is too large to be kept in any number.
  const auto* raft_message = std::get_if<raft::Message>(&message.body);
  const auto* append = raft_message != nullptr ? std::get_if<raft::Append>(&raft_message->body) : nullptr;
  if (raft_message == nullptr || (append != nullptr && !append->entries.empty())) return;
  const GroupId group = message.group;
  early_.push_back({.group = group, .from = from, .message = std::move(message), .at = now});
}

void GroupHost::receive_early(GroupId group) {
  std::vector<Early> waiting;
  std::erase_if(early_, [&](Early& early) {
    if (early.group != group) return false;
    if (shard_.now() - early.at <= kEarlyMax) waiting.push_back(std::move(early));
    return true;
  });
  for (Early& early : waiting) receive(early.from, std::move(early.message));
}

void GroupHost::on_node_live(NodeId node, bool live) {
  const bool is_news = live ? live_nodes_.try_emplace(node, shard_.now()).second : live_nodes_.erase(node) > 0;
  if (!is_news || failed_) return;
  for (auto& [group, replica] : replicas_) replica->on_node_live(node, live_since(node));
}

std::optional<Instant> GroupHost::live_since(NodeId node) const {
  const auto at = live_nodes_.find(node);
  return at == live_nodes_.end() ? std::nullopt : std::optional(at->second);
}

void GroupHost::on_node_unreachable(NodeId node) {
  if (failed_) return;
  for (auto& [group, replica] : replicas_) replica->on_node_unreachable(node);
}

void GroupHost::send(raft::ReplicaId to, PeerMessage message) {
  const NodeId node = raft::node_of(to);
  if (transport_ != nullptr && node != options_.node) transport_->send(node, std::move(message));
}

bool GroupHost::is_congested() const { return storage_.pending_bytes() > limits::kLogWriterQueueMaxBytes; }

Replica* GroupHost::find(GroupId group) {
  const auto at = replicas_.find(group);
  return at == replicas_.end() ? nullptr : at->second.get();
}

const Replica* GroupHost::replica(GroupId group) const {
  const auto at = replicas_.find(group);
  return at == replicas_.end() ? nullptr : at->second.get();
}

bool GroupHost::is_here(GroupId group, std::uint64_t incarnation) const {
  const Replica* here = replica(group);
  return !failed_ && here != nullptr && here->incarnation() == incarnation;
}

// --- who sleeps, and who believes so (raft.md §2.6, group-level gray failure) ---

std::uint64_t GroupHost::steady_hash(NodeId node, bool leads, std::vector<std::pair<GroupId, Term>>* list) const {
  std::uint64_t hash = 0;
  for (const auto& [group, replica] : replicas_) {
    if (!replica->is_open() || !replica->core().is_steady()) continue;
    const raft::Core& core = replica->core();
    const bool is_leader = core.role() == raft::Role::leader;
    if (is_leader != leads) continue;
    const auto members = core.configuration().members();
    const bool concerns = leads ? std::ranges::any_of(members, [&](auto id) { return raft::node_of(id) == node; })
                                : raft::node_of(core.leader()) == node;
    if (!concerns) continue;
    Random mixed(group.value() * 0x9e3779b97f4a7c15 + core.term().value());
    hash ^= mixed.next();  // a set: order does not matter
    if (list != nullptr) list->emplace_back(group, core.term());
  }
  return hash;
}

/// A node asks each other one that leads groups in whose peace it trusts.
void GroupHost::audit_steady_groups() {
  audit_at_ = shard_.now() + kAuditInterval;
  for (const auto& [node, since] : live_nodes_) {
    const std::uint64_t hash = steady_hash(node, false, nullptr);
    if (transport_ != nullptr && hash != 0) transport_->send(node, {.body = SteadyAudit{.hash = hash}});
  }
}

void GroupHost::receive(NodeId from, SteadyAudit audit) {
  if (transport_ == nullptr) return;
  using Kind = SteadyAudit::Kind;
  SteadyAudit answer;
  switch (audit.kind) {
    case Kind::hash:
      if (audit.hash == steady_hash(from, true, nullptr)) return;
      answer.kind = Kind::wants_list;
      break;
    case Kind::wants_list:
      answer.kind = Kind::list;
      steady_hash(from, false, &answer.groups);
      break;
    case Kind::list:
      answer.kind = Kind::not_led;
      for (const auto& [group, term] : audit.groups) {
        const Replica* here = replica(group);
        const bool leads = here != nullptr && here->is_open() && here->core().role() == raft::Role::leader &&
                           here->core().term() == term;
        if (!leads) answer.groups.emplace_back(group, term);
      }
      break;
    case Kind::not_led:
      for (const auto& [group, term] : audit.groups) {
        Replica* sleeper = find(group);
        if (sleeper != nullptr && sleeper->is_open()) sleeper->doubt_leader(from, term);
      }
      return;
  }
  transport_->send(from, {.body = std::move(answer)});
}

}  // namespace quorate::cluster

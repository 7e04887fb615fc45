#include "broker/queue/queue_directory.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "cluster/metadata/machine.h"

namespace quorate::queue {

namespace {

/// Of those that a queue has or is to have.
std::optional<raft::ReplicaId> replica_on(NodeId node, const cluster::Queue& queue) {
  for (const auto* replicas : {&queue.members, &queue.target}) {
    const auto at = std::ranges::find(*replicas, node, raft::node_of);
    if (at != replicas->end()) return *at;
  }
  return std::nullopt;
}

}  // namespace

QueueDirectory::QueueDirectory(cluster::Shard& shard, QueueSurroundings surroundings)
    : shard_(shard), surroundings_(std::move(surroundings)) {
  surroundings_.mark_dirty = [this](GroupId id) { mark_dirty(id); };
  surroundings_.wake_at = [this](GroupId id, std::optional<Instant> before, Instant at) {
    if (before) wakes_.erase({*before, id});
    wakes_.emplace(at, id);
  };
  surroundings_.shard = &shard_;
}

Result<void> QueueDirectory::recover(const cluster::TopologyPtr& topology) {
  topology_ = topology;
  std::vector<cluster::QueuePtr> mine;
  topology->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (is_mine(*queue)) mine.push_back(queue);
  });
  for (const cluster::QueuePtr& definition : mine) {
    auto queue = std::make_unique<Queue>(definition, surroundings_);
    auto started = queue->start(false);
    if (!started) return started;
    queues_.emplace(definition->id, std::move(queue));
  }
  deliver_early();
  return {};
}

/// Whether a replicated one is ready does not depend on this node alone.
bool QueueDirectory::is_recovered() const {
  return std::ranges::all_of(queues_, [](const auto& entry) {
    return entry.second->is_ready() || entry.second->definition().type == cluster::QueueType::quorum;
  });
}

void QueueDirectory::on_topology(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes) {
  CHECK_GT(topology->version, topology_->version);
  const bool has_other_nodes = !topology->nodes.is_same(topology_->nodes);
  const bool has_other_policies = !topology->policies.is_same(topology_->policies);
  topology_ = topology;
  for (const cluster::QueuePtr& definition : changes.created) {
    if (is_mine(*definition)) create(definition);
  }
  for (const cluster::QueuePtr& definition : changes.moved) move(definition);
  for (const cluster::QueuePtr& definition : changes.deleted) {
    if (!queues_.contains(definition->id)) continue;
    dying_.push_back(definition->id);
    mark_dirty(definition->id);
  }
  deliver_early();
  for (const Numbering& numbering : std::exchange(early_numberings_, {})) on_mail(numbering);
  if (!has_other_nodes && !has_other_policies) return;
  for (auto& [id, queue] : queues_) {
    if (has_other_nodes) queue->on_nodes_changed();
    if (has_other_policies) queue->on_policies_changed();
  }
}

/// A parcel that finds no room comes again.
void QueueDirectory::keep_early(Parcel parcel) {
  const std::size_t bytes = weight(parcel);
  const bool is_recovering = topology_->version == 0;
  if (is_recovering || early_bytes_ + bytes > limits::kEarlyParcelsMaxBytes) return;
  early_bytes_ += bytes;
  early_[parcel.queue].emplace_back(std::move(parcel));
}

void QueueDirectory::deliver_early() {
  while (!early_.empty() && cluster::declared_at(early_.begin()->first) <= topology_->version) {
    auto mail = early_.extract(early_.begin());
    for (auto& letter : mail.mapped()) {
      if (const auto* parcel = std::get_if<Parcel>(&letter)) early_bytes_ -= weight(*parcel);
      std::visit([this](auto& m) { on_mail(std::move(m)); }, letter);
    }
  }
}

void QueueDirectory::create(const cluster::QueuePtr& definition) {
  const auto [at, added] = queues_.emplace(definition->id, std::make_unique<Queue>(definition, surroundings_));
  CHECK(added);
  if (auto started = at->second->start(true); !started) surroundings_.on_failure(started.error());
}

/// A replica of this node's stays, comes, or is not wanted any more; or it went and came while nobody looked, and what
/// runs here is the one that went.
void QueueDirectory::move(const cluster::QueuePtr& definition) {
  if (const auto at = queues_.find(definition->id); at != queues_.end()) {
    const NodeId here = surroundings_.node;
    const bool stays =
        is_mine(*definition) && replica_on(here, at->second->definition()) == replica_on(here, *definition);
    at->second->on_moved(definition);
    if (stays) return;
    surroundings_.groups.drop(definition->id);
    queues_.erase(at);
  }
  if (is_mine(*definition)) create(definition);
}

void QueueDirectory::on_node_health(NodeId node) {
  for (auto& [id, queue] : queues_) queue->on_node_health(node);
}

void QueueDirectory::on_node_unreachable(NodeId node) {
  for (auto& [id, queue] : queues_) queue->on_node_unreachable(node);
}

std::optional<Leadership> QueueDirectory::leadership(GroupId id) const {
  const Queue* queue = find(id);
  if (queue == nullptr) return std::nullopt;
  const Leadership known = queue->leadership();
  return known.leader ? std::optional(known) : std::nullopt;
}

void QueueDirectory::on_mail(QueueMail mail) {
  const auto at = queues_.find(mail.queue);
  if (at != queues_.end()) {
    if (dirty_.empty() || dirty_.back() != mail.queue) mark_dirty(mail.queue);
    at->second->on_mail(std::move(mail));
    return;
  }
  if (cluster::declared_at(mail.queue) > topology_->version) {
    early_[mail.queue].emplace_back(std::move(mail));
    return;
  }
  refuse_mail(mail, surroundings_.switchboard);
}

void QueueDirectory::on_mail(Parcel parcel) {
  if (const auto at = queues_.find(parcel.queue); at != queues_.end()) {
    mark_dirty(parcel.queue);
    at->second->on_mail(std::move(parcel));
  } else if (cluster::declared_at(parcel.queue) > topology_->version) {
    keep_early(std::move(parcel));
  }
  // Otherwise the queue is gone, or lives elsewhere now: the sender hears of it as this node did.
}

void QueueDirectory::on_mail(const Numbering& numbering) {
  if (numbering.version > topology_->version) return early_numberings_.push_back(numbering);
  if (const auto at = queues_.find(numbering.queue); at != queues_.end()) at->second->on_mail(numbering);
}

/// Without a replica only what is complete goes on; the courier asks for what it misses.
void QueueDirectory::on_mail(Relayed relayed) {
  if (const auto at = queues_.find(relayed.mail.queue); at != queues_.end()) {
    at->second->on_mail(std::move(relayed));
  } else {
    surroundings_.switchboard.send(std::move(relayed.mail));
  }
}

const Queue* QueueDirectory::find(GroupId id) const {
  const auto at = queues_.find(id);
  return at == queues_.end() ? nullptr : at->second.get();
}

/// True when there was one.
bool QueueDirectory::wake_due() {
  std::vector<GroupId> due;
  for (; !wakes_.empty() && wakes_.begin()->first <= shard_.now(); wakes_.erase(wakes_.begin())) {
    due.push_back(wakes_.begin()->second);
  }
  for (const GroupId id : due) {
    if (const auto at = queues_.find(id); at != queues_.end()) at->second->on_time();
  }
  return !due.empty();
}

bool QueueDirectory::on_turn_end() {
  bool more = wake_due();
  for (const GroupId id : std::exchange(dirty_, {})) {
    const auto at = queues_.find(id);
    if (at == queues_.end() || !at->second->flush()) continue;
    more = true;
    mark_dirty(id);
  }
  if (more) return true;
  for (const GroupId id : std::exchange(dying_, {})) {
    const auto at = queues_.find(id);
    if (at == queues_.end()) continue;
    at->second->on_deleted(topology_);
    queues_.erase(at);
    more = true;
  }
  return more;
}

void QueueDirectory::on_delete_timed_out(GroupId id) {
  const auto at = queues_.find(id);
  if (at != queues_.end() && std::ranges::find(dying_, id) == dying_.end()) at->second->on_delete_timed_out();
}

}  // namespace quorate::queue

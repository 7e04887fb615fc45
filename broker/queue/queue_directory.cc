#include "broker/queue/queue_directory.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/metadata/machine.h"

namespace quorate::queue {

QueueDirectory::QueueDirectory(cluster::Shard& shard, QueueSurroundings surroundings)
    : shard_(shard), surroundings_(std::move(surroundings)) {
  surroundings_.mark_dirty = [this](GroupId id) { mark_dirty(id); };
}

Result<void> QueueDirectory::recover(const cluster::TopologyPtr& topology) {
  topology_ = topology;
  Result<void> result;
  std::vector<cluster::QueuePtr> mine;
  topology->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (is_mine(*queue)) mine.push_back(queue);
  });
  for (const cluster::QueuePtr& definition : mine) {
    auto queue = std::make_unique<Queue>(definition, surroundings_);
    auto started = queue->start();
    if (!started) return started;
    queues_.emplace(definition->id, std::move(queue));
  }
  return result;
}

bool QueueDirectory::is_recovered() const {
  return std::ranges::all_of(queues_, [](const auto& entry) { return entry.second->is_ready(); });
}

void QueueDirectory::on_topology(const cluster::TopologyPtr& topology, const std::vector<cluster::QueuePtr>& created,
                                 const std::vector<cluster::QueuePtr>& deleted) {
  CHECK_GT(topology->version, topology_->version);
  topology_ = topology;
  for (const cluster::QueuePtr& definition : created) {
    if (is_mine(*definition)) create(definition);
  }
  for (const cluster::QueuePtr& definition : deleted) {
    if (!queues_.contains(definition->id)) continue;
    dying_.push_back(definition->id);
    mark_dirty(definition->id);
  }
  while (!early_.empty() && cluster::declared_at(early_.begin()->first) <= topology_->version) {
    auto mail = early_.extract(early_.begin());
    for (QueueMail& letter : mail.mapped()) on_mail(std::move(letter));
  }
}

void QueueDirectory::create(const cluster::QueuePtr& definition) {
  const auto [at, added] = queues_.emplace(definition->id, std::make_unique<Queue>(definition, surroundings_));
  CHECK(added);
  if (auto started = at->second->start(); !started) surroundings_.on_failure(started.error());
}

void QueueDirectory::on_mail(QueueMail mail) {
  const auto at = queues_.find(mail.queue);
  if (at != queues_.end()) {
    if (dirty_.empty() || dirty_.back() != mail.queue) mark_dirty(mail.queue);
    at->second->on_mail(std::move(mail));
    return;
  }
  if (cluster::declared_at(mail.queue) > topology_->version) {
    early_[mail.queue].push_back(std::move(mail));
    return;
  }
  refuse_mail(mail, surroundings_.switchboard);
}

const Queue* QueueDirectory::find(GroupId id) const {
  const auto at = queues_.find(id);
  return at == queues_.end() ? nullptr : at->second.get();
}

bool QueueDirectory::on_turn_end() {
  bool more = false;
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

}  // namespace quorate::queue

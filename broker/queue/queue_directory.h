// The queues that live on one shard. It creates and ends them as the metadata says, brings them their mail, and packs
// what they gathered at the end of each turn.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/queue/queue.h"

namespace quorate::queue {

class QueueDirectory final : public cluster::TurnHook {
 public:
  QueueDirectory(cluster::Shard& shard, QueueSurroundings surroundings);

  /// At the start of the node: the queues of this shard in `topology`, which holds every queue there is.
  Result<void> recover(const cluster::TopologyPtr& topology);
  /// Every recovered queue has its history and takes mail at once.
  bool is_recovered() const;

  /// The metadata has moved on to `topology`, in which `created` and `deleted` came and went.
  void on_topology(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes);
  /// The health of a node has changed.
  void on_node_health(NodeId node);

  /// See Queue::on_node_unreachable().
  void on_node_unreachable(NodeId node);

  /// See Queue::on_delete_timed_out().
  void on_delete_timed_out(GroupId id);

  void on_mail(QueueMail mail);
  void on_mail(Parcel parcel);
  void on_mail(const Numbering& numbering);
  void on_mail(Relayed relayed);
  /// Who leads a queue, if a replica here knows.
  std::optional<Leadership> leadership(GroupId id) const;
  const Queue* find(GroupId id) const;
  std::size_t size() const { return queues_.size(); }
  void for_each(const std::function<void(const Queue&)>& what) const {
    for (const auto& [id, queue] : queues_) what(*queue);
  }

  /// When a turn is needed even if nobody has news.
  std::optional<Instant> next_deadline() const {
    return wakes_.empty() ? std::nullopt : std::optional(wakes_.begin()->first);
  }
  bool on_turn_end() override;

 private:
  bool is_mine(const cluster::Queue& queue) const {
    const NodeId here = surroundings_.node;
    const bool is_here = queue.members.empty() ? queue.node == here : queue.has_member_on(here);
    return is_here && shard_of(queue.id, shard_.shard_count()) == shard_.id();
  }
  void create(const cluster::QueuePtr& definition);
  void move(const cluster::QueuePtr& definition);
  void deliver_early();
  void keep_early(Parcel parcel);
  void mark_dirty(GroupId id) { dirty_.push_back(id); }
  bool wake_due();

  cluster::Shard& shard_;
  QueueSurroundings surroundings_;
  // The newest this directory has followed; before recover() an empty one, so that all mail comes too early.
  cluster::TopologyPtr topology_ = std::make_shared<const cluster::Topology>();
  std::unordered_map<GroupId, std::unique_ptr<Queue>> queues_;
  std::vector<GroupId> dirty_;                   // may name a queue twice
  std::set<std::pair<Instant, GroupId>> wakes_;  // each queue once; may name one that is gone
  std::vector<GroupId> dying_;                   // deleted, but this turn's commands are still to be answered
  // Mail for queues that the sender's shard heard of before this one did.
  std::map<GroupId, std::vector<std::variant<QueueMail, Parcel>>> early_;
  std::size_t early_bytes_ = 0;              // of parcels among it
  std::vector<Numbering> early_numberings_;  // of versions that this shard has yet to see
};

}  // namespace quorate::queue

#include "broker/node/queue_rows.h"

#include "broker/node/queue_state.h"

namespace quorate {

std::string QueueRows::name_of(NodeId node) const {
  const auto at = members_.find(node);
  return at != members_.end() ? at->second.name : link_.name_of(node);
}

bool QueueRows::is_live(NodeId node) const {
  const auto at = members_.find(node);
  return at != members_.end() && at->second.live;
}

http::QueueRow QueueRows::row(const cluster::QueuePtr& definition, std::optional<NodeId> leader,
                              const LedQueue* counts) const {
  http::QueueRow row{.definition = definition};
  const bool is_quorum = definition->type == cluster::QueueType::quorum;
  if (leader && (counts != nullptr || is_live(*leader))) {
    row.node = name_of(*leader);
  } else if (!is_quorum) {
    row.node = name_of(definition->members.empty() ? definition->node : raft::node_of(definition->members.front()));
  }
  if (is_quorum) {
    for (const raft::ReplicaId member : definition->members) {
      const std::string name = name_of(raft::node_of(member));
      row.members.push_back(name);
      if (is_live(raft::node_of(member))) row.online.push_back(name);
    }
  }
  row.state = queue_state({.members = row.members.size(),
                           .online = row.online.size(),
                           .is_quorum = is_quorum,
                           .is_answered = counts != nullptr});
  row.is_answered = counts != nullptr;
  if (counts == nullptr) return row;
  row.ready = counts->ready;
  row.unacknowledged = counts->unacknowledged;
  row.delayed = counts->delayed;
  row.message_bytes = counts->message_bytes;
  row.consumers = static_cast<std::size_t>(counts->consumers);
  row.has_single_active_consumer = counts->has_single_active_consumer;
  row.active_consumer = counts->active_consumer;
  return row;
}

}  // namespace quorate

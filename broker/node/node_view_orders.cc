// What may be done to nodes, and what would be lost by it.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/http/refusal.h"
#include "broker/node/node_view.h"

namespace quorate {

/// Of this node's queues those whose majority it belongs to, if one more member must not go. In a cluster of one
/// nothing can be done about it, and whoever drained a node has decided: nothing is said.
std::vector<http::CriticalRow> NodeView::quorum_critical() const {
  std::vector<http::CriticalRow> critical;
  const cluster::ClusterNode* own = topology()->find_node(self());
  if (topology()->nodes.size() < 2 || (own != nullptr && own->drained)) return critical;
  const auto is_critical = [this](const std::vector<NodeId>& nodes) {
    const auto online = std::ranges::count_if(nodes, [this](NodeId node) { return is_live(node); });
    return static_cast<std::size_t>(online) <= nodes.size() / 2 + 1;
  };
  std::vector<NodeId> all;
  for (const cluster::ClusterNode& node : members()) all.push_back(node.id);
  if (is_critical(all)) critical.push_back({.name = "the metadata of the cluster", .is_queue = false});
  topology()->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (queue->type != cluster::QueueType::quorum || !queue->has_member_on(self())) return;
    std::vector<NodeId> nodes;
    for (const raft::ReplicaId member : queue->members) nodes.push_back(raft::node_of(member));
    if (is_critical(nodes)) critical.push_back({.name = queue->name, .vhost = queue->vhost});
  });
  return critical;
}

/// Durable queues that have no majority without this node. Others are gone with any stop of it.
Situation NodeView::situation() const {
  if (parts_.link.was_forgotten()) return {.was_forgotten = true};
  Situation situation{.is_known = !topology()->nodes.empty()};
  std::size_t live = 0;
  for (const cluster::ClusterNode& node : others()) {
    situation.others.push_back(node.name);
    if (!is_live(node.id)) continue;
    situation.live_others.push_back(node.name);
    ++live;
  }
  if (const auto since = parts_.watch.without_majority_since()) {
    situation.minority_for = home().shard().now() - *since;
  }
  const bool is_majority = situation.others.empty() || live * 2 > situation.others.size() + 1;
  if (!is_majority) situation.needed_for.emplace_back("the majority of the cluster");
  std::ranges::move(queues_needing(self(), true), std::back_inserter(situation.needed_for));
  return situation;
}

std::optional<Result<void>> NodeView::order(const http::Order& order) {
  const auto is_meant = [&](const cluster::ClusterNode& node) {
    return order.join.name.empty() ? node.host == order.join.host && node.port == order.join.port
                                   : node.name == order.join.name;
  };
  return parts_.orders.give(order, [&]() -> Result<void> {
    const bool is_join = order.kind == http::Order::Kind::join_cluster && !parts_.link.was_forgotten();
    if (is_join && std::ranges::any_of(others(), is_meant)) {
      return failure(ErrorCode::already_exists, "The node is already a member of this cluster");
    }
    return allow(order, situation(), config_);
  });
}

/// Durable ones that have no majority without it, as far as this node can see.
std::vector<std::string> NodeView::queues_needing(NodeId node, bool classic_too) const {
  std::vector<std::string> names;
  topology()->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    const bool is_meant = classic_too || queue->type == cluster::QueueType::quorum;
    if (!is_meant || !queue->has_member_on(node)) return;
    const auto left = std::ranges::count_if(queue->members, [&](raft::ReplicaId member) {
      return raft::node_of(member) != node && is_live(raft::node_of(member));
    });
    if (static_cast<std::size_t>(left) * 2 > queue->members.size()) return;
    names.push_back(http::describe({.name = queue->name, .vhost = queue->vhost}));
  });
  return names;
}

/// A node that runs would go on as if it still belonged to the cluster; without a majority nothing can be decided; and
/// without it quorum queues may never have one again. The node's classic queues go with it unasked, as in RabbitMQ.
void NodeView::forget_node(NodeId node, bool force, Done<Result<void>> done) {
  if (std::string why_not = http::why_not_changed(*this); !why_not.empty()) {
    return done(failure(ErrorCode::unavailable, std::move(why_not)));
  }
  when_silent(node, [this, node, force, done = std::move(done)](bool is_silent) mutable {
    if (!is_silent) {
      return done(failure(ErrorCode::unavailable,
                          name_of(node) + " is running: stop it before it is taken out of the cluster"));
    }
    const std::vector<std::string> needing = force ? std::vector<std::string>() : queues_needing(node, false);
    if (!needing.empty()) {
      return done(failure(ErrorCode::unavailable,
                          fmt::format("{} is needed for the majority of {}: start it once more, or delete them, or use "
                                      "--force to lose what they hold",
                                      name_of(node), join_names(needing))));
    }
    submit(cluster::ForgetNode{.id = node}, [done = std::move(done)](cluster::Outcome) mutable { done({}); });
  });
}

}  // namespace quorate

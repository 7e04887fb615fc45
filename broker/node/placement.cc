#include "broker/node/placement.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace quorate {

void Placement::add(const cluster::Queue& queue, std::int64_t times) {
  for (const raft::ReplicaId member : queue.target.empty() ? queue.members : queue.target) {
    loads_[raft::node_of(member)].members += times;
  }
  loads_[queue.node].begun[queue.type] += times;
}

void Placement::count(const cluster::TopologyPtr& topology) {
  counted_ = topology;
  loads_.clear();
  topology->queues_by_id.for_each([this](std::uint64_t, const cluster::QueuePtr& queue) { add(*queue, 1); });
}

void Placement::count(const cluster::TopologyPtr& topology, const cluster::QueueChanges& changes) {
  if (!counted_) return count(topology);
  const cluster::TopologyPtr before = std::exchange(counted_, topology);
  const auto recount = [&](const cluster::QueuePtr& queue) {
    if (const cluster::Queue* was = before->find_queue(queue->id); was != nullptr) add(*was, -1);
    if (const cluster::Queue* is = topology->find_queue(queue->id); is != nullptr) add(*is, 1);
  };
  for (const auto* list : {&changes.created, &changes.deleted, &changes.moved}) std::ranges::for_each(*list, recount);
}

Placement::Load Placement::load_of(NodeId node) const {
  const auto at = loads_.find(node);
  return at != loads_.end() ? at->second : Load();
}

std::string Placement::zone_of(NodeId node) const {
  const cluster::ClusterNode* row = counted_ ? counted_->find_node(node) : nullptr;
  return row != nullptr ? row->zone : "";
}

std::vector<NodeId> Placement::choose(NodeId first, const std::vector<Candidate>& others, std::size_t count,
                                      Random& random) const {
  struct Ranked {
    Candidate candidate;
    std::string zone;
    std::int64_t members = 0;
    std::uint64_t luck = 0;
  };
  std::vector<Ranked> left;
  for (const Candidate& other : others) {
    left.push_back({.candidate = other,
                    .zone = zone_of(other.node),
                    .members = load_of(other.node).members,
                    .luck = random.next()});
  }
  std::vector<NodeId> chosen = {first};
  std::map<std::string, std::size_t> in_zone = {{zone_of(first), 1}};
  while (chosen.size() < count && !left.empty()) {
    const auto best = std::ranges::min_element(left, {}, [&](const Ranked& one) {
      return std::tuple(one.candidate.fitness, in_zone[one.zone], one.members, one.luck);
    });
    chosen.push_back(best->candidate.node);
    ++in_zone[best->zone];
    left.erase(best);
  }
  return chosen;
}

NodeId Placement::choose_leader(cluster::QueueType type, const std::vector<NodeId>& nodes, Random& random) const {
  CHECK(!nodes.empty());
  std::vector<std::tuple<std::int64_t, std::uint64_t, NodeId>> candidates;
  for (const NodeId node : nodes) candidates.emplace_back(load_of(node).begun[type], random.next(), node);
  return std::get<NodeId>(std::ranges::min(candidates));
}

}  // namespace quorate

#include "tests/sim/nodes/operator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace quorate::sim::nodes {

using namespace std::chrono_literals;

void Operator::begin() {
  if (stage_.has(Fault::membership)) {
    do_for_ever(3, &Operator::place);
    do_for_ever(4, &Operator::convert);
  }
  if (!stage_.has(Fault::transfer)) return;
  do_for_ever(3, &Operator::transfer);
  do_for_ever(6, &Operator::drain_or_revive);
  do_for_ever(8, &Operator::restart);
}

void Operator::do_for_ever(double gaps, Deed deed) {
  const auto gap = std::chrono::duration_cast<Duration>(stage_.options.fault_gap * gaps);
  stage_.schedule.after(draw_exponential(random_, gap), [this, gaps, deed] {
    if (stopped_) return;
    (this->*deed)();
    do_for_ever(gaps, deed);
  });
}

// --- members and leaders ---

void Operator::place() {
  Broker* asked = site_.draw_serving(random_);
  if (asked == nullptr) return;
  std::vector<cluster::QueuePtr> queues;
  asked->metadata().topology()->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (queue->type == cluster::QueueType::quorum && queue->target.empty()) queues.push_back(queue);
  });
  if (queues.empty()) return;
  const cluster::QueuePtr queue = draw_one(random_, queues);
  if (const auto nodes = draw_members(*queue)) set_members(*asked, *queue, *nodes);
}

void Operator::set_members(Broker& asked, const cluster::Queue& queue, std::vector<NodeId> nodes) {
  stage_.seen(Seen::placement_asked);
  stage_.tell([&] { return fmt::format("operator: {} members for {}", nodes.size(), queue.name); });
  const std::uint64_t number =
      site_.placements().asked({.group = queue.id, .nodes = nodes, .through = asked.id(), .epoch = asked.epoch()});
  const bool was_classic = queue.type == cluster::QueueType::classic;
  const auto on_outcome = [this, number, was_classic](cluster::Outcome outcome, const cluster::TopologyPtr& topology) {
    const bool is_known = outcome != cluster::Outcome::unknown;
    if (is_known && outcome != cluster::Outcome::done) return site_.placements().refused(number);
    site_.placements().done(number, topology->version);
    if (was_classic && is_known) stage_.seen(Seen::became_quorum);
  };
  asked.post(ShardId(0), [&asked, id = queue.id, nodes = std::move(nodes), on_outcome] {
    asked.metadata().submit(cluster::PlaceQueue{.id = id, .nodes = nodes}, on_outcome);
  });
}

/// Those who stay must not have lost too much.
std::optional<std::vector<NodeId>> Operator::draw_members(const cluster::Queue& queue) {
  std::vector<NodeId> nodes;
  std::vector<raft::ReplicaId> voters;
  for (const NodeId node : site_.nodes()) {
    if (draw_chance(random_, 0.35)) continue;
    nodes.push_back(node);
    const auto member = std::ranges::find(queue.members, node, raft::node_of);
    voters.push_back(member != queue.members.end() ? *member : raft::replica_on(node, 0));
  }
  if (nodes.empty() || !site_.may_become(queue.id, voters)) return std::nullopt;
  return nodes;
}

/// As add_member, grow and set_queue_type do, while the queue is used.
void Operator::convert() {
  Broker* asked = site_.draw_serving(random_);
  if (asked == nullptr) return;
  std::vector<cluster::QueuePtr> queues;
  asked->metadata().topology()->queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    const bool is_classic = queue->type == cluster::QueueType::classic;
    const bool may_change = is_classic ? cluster::may_be_quorum(*queue) : may_be_classic(*queue);
    if (may_change && queue->target.empty()) queues.push_back(queue);
  });
  if (queues.empty()) return;
  const cluster::QueuePtr queue = draw_one(random_, queues);
  if (queue->type == cluster::QueueType::quorum) return set_type(*asked, *queue, cluster::QueueType::classic);
  if (draw_chance(random_, 0.2)) return set_type(*asked, *queue, cluster::QueueType::quorum);
  std::vector<NodeId> nodes;
  for (const NodeId node : site_.nodes()) {
    if (queue->has_member_on(node) || draw_chance(random_, 0.7)) nodes.push_back(node);
  }
  if (nodes.size() > 1) set_members(*asked, *queue, std::move(nodes));
}

bool Operator::may_be_classic(const cluster::Queue& queue) const {
  const auto plan = std::ranges::find(plans_, queue.name, &QueuePlan::name);
  return queue.members.size() == 1 && (plan == plans_.end() || plan->may_be_classic);
}

void Operator::set_type(Broker& asked, const cluster::Queue& queue, cluster::QueueType type) {
  const bool is_classic = type == cluster::QueueType::classic;
  stage_.tell([&] { return fmt::format("operator: {} is to be {}", queue.name, is_classic ? "classic" : "quorum"); });
  const auto on_outcome = [this, is_classic](cluster::Outcome outcome, const cluster::TopologyPtr&) {
    if (outcome == cluster::Outcome::done) stage_.seen(is_classic ? Seen::became_classic : Seen::became_quorum);
  };
  asked.post(ShardId(0), [&asked, id = queue.id, type, on_outcome] {
    asked.metadata().submit(cluster::SetQueueType{.id = id, .type = type}, on_outcome);
  });
}

void Operator::transfer() {
  Broker* asked = site_.draw_serving(random_);
  if (asked == nullptr) return;
  NodeShard& shard = *draw_one(random_, asked->shards());
  std::vector<GroupId> led;
  if (shard.shard().id() == ShardId(0)) led.push_back(kMetadataGroup);
  shard.queues().for_each([&](const queue::Queue& queue) {
    if (queue.is_ready() && queue.definition().members.size() > 1) led.push_back(queue.definition().id);
  });
  std::ranges::sort(led);
  if (led.empty()) return;
  const GroupId group = draw_one(random_, led);
  const cluster::Replica* replica = asked->replica(group);
  if (replica == nullptr || !replica->is_leading()) return;
  const raft::ReplicaId heir = draw_one(random_, replica->core().configuration().voters);
  stage_.seen(Seen::transfer_asked);
  asked->post(shard.shard().id(), [&shard, group, heir] { shard.groups().transfer(group, heir); });
}

// --- nodes ---

void Operator::drain_or_revive() {
  Broker* asked = site_.draw_serving(random_);
  if (asked == nullptr) return;
  const NodeId node = draw_one(random_, site_.nodes());
  const cluster::ClusterNode* row = asked->metadata().topology()->find_node(node);
  if (row != nullptr) set_drained(*asked, node, !row->drained);
}

void Operator::set_drained(Broker& asked, NodeId node, bool drained) {
  stage_.seen(drained ? Seen::drained : Seen::revived);
  stage_.tell(
      [&] { return fmt::format("operator: node {} is to be {}", node.value(), drained ? "drained" : "revived"); });
  asked.post(ShardId(0), [&asked, node, drained] {
    asked.metadata().submit(cluster::DrainNode{.id = node, .drained = drained},
                            [](cluster::Outcome, const cluster::TopologyPtr&) {});
  });
}

void Operator::restart() { site_.restart(draw_one(random_, site_.nodes()), draw_exponential(random_, 1s)); }

void Operator::stop() {
  stopped_ = true;
  revive_all();
}

/// Again until it is so: an order from before may still be on its way.
void Operator::revive_all() {
  for (const NodeId id : site_.nodes()) {
    Broker* asked = site_.broker(id);
    const cluster::ClusterNode* row = asked == nullptr ? nullptr : asked->metadata().topology()->find_node(id);
    if (row != nullptr && row->drained) set_drained(*asked, id, false);
  }
  stage_.schedule.after(1s, [this] { revive_all(); });
}

}  // namespace quorate::sim::nodes

#include "cluster/metadata/topology.h"

#include <algorithm>
#include <tuple>

#include "base/cursor.h"

namespace quorate::cluster {
namespace {

bool has_moved(const Queue& before, const Queue& after) {
  const auto place_of = [](const Queue& queue) {
    return std::tie(queue.type, queue.was_quorum, queue.node, queue.members, queue.target);
  };
  return place_of(before) != place_of(after);
}

}  // namespace

std::string_view Topology::cluster_name_or(std::string_view otherwise) const {
  if (!cluster_name.empty()) return cluster_name;
  const ClusterNode* first = nullptr;
  nodes.for_each([&](std::uint64_t, const ClusterNode& node) {
    if (first == nullptr || node.id < first->id) first = &node;
  });
  return first != nullptr ? std::string_view(first->name) : otherwise;
}

std::string destination_key(Destination::Kind kind, std::string_view name) {
  return (kind == Destination::Kind::queue ? "q" : "e") + std::string(name);
}

std::string binding_identity(const Binding& binding) {
  std::vector<std::byte> buffer;
  ByteWriter writer(buffer);
  writer.write_sized(binding.source);
  writer.write_sized(destination_key(binding.kind, binding.destination));
  writer.write_sized(binding.key.routing_key);
  writer.write_sized(binding.key.arguments);
  return std::string(as_text(buffer));
}

std::string owner_key(const Owner& owner) {
  std::vector<std::byte> buffer;
  ByteWriter writer(buffer);
  writer.write(owner.node.value());
  writer.write(owner.epoch.value());
  writer.write(owner.connection.value());
  return std::string(as_text(buffer));
}

std::string policy_key(std::string_view vhost, std::string_view name, bool is_operators) {
  std::vector<std::byte> buffer;
  ByteWriter writer(buffer);
  writer.write_sized(vhost);
  writer.write(static_cast<std::uint8_t>(is_operators));
  writer.write_sized(name);
  return std::string(as_text(buffer));
}

std::vector<QueuePtr> queues_in_memory(const Topology& topology, NodeId node, Epoch before) {
  std::vector<QueuePtr> queues;
  topology.queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) {
    const bool is_orphan = queue->owner && queue->owner->node == node && queue->owner->epoch < before;
    if (is_orphan || (!queue->durable && queue->node == node)) queues.push_back(queue);
  });
  return queues;
}

QueueChanges changes_between(const Topology& before, const Topology& after) {
  QueueChanges changes;
  after.queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) {
    const Queue* old = before.find_queue(queue->id);
    if (old == nullptr) {
      changes.created.push_back(queue);
    } else if (has_moved(*old, *queue)) {
      changes.moved.push_back(queue);
    }
  });
  before.queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) {
    if (after.find_queue(queue->id) == nullptr) changes.deleted.push_back(queue);
  });
  for (auto* list : {&changes.created, &changes.deleted, &changes.moved}) {
    std::ranges::sort(*list, {}, [](const QueuePtr& queue) { return queue->id; });
  }
  return changes;
}

}  // namespace quorate::cluster

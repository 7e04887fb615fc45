#include "tests/sim/nodes/rest.h"

#include <fmt/format.h>

#include "raft/print.h"

namespace quorate::sim::nodes {

Rest::Missing Rest::all_serve() {
  for (const NodeId id : site_.nodes()) {
    const Broker* broker = site_.broker(id);
    if (broker == nullptr || !broker->is_serving()) return fmt::format("node {} does not", id.value());
  }
  return std::nullopt;
}

Rest::Missing Rest::are_empty(const std::vector<std::string>& queues) {
  if (Missing missing = all_serve()) return missing;  // one may have started again to recover
  for (const std::string& name : queues) {
    for (const NodeId id : site_.nodes()) {
      const cluster::Queue* definition = broker(id).metadata().topology()->find_queue("/", name);
      if (definition == nullptr) return fmt::format("node {} does not know {}", id.value(), name);
      const queue::Queue* replica = broker(id).queue(definition->id);
      if (replica == nullptr) continue;
      const bool is_empty = replica->machine().ready_count() == 0 && replica->machine().unsettled_count() == 0;
      if (!is_empty) return describe(*definition);
    }
  }
  return std::nullopt;
}

Rest::Missing Rest::all_agree() {
  if (Missing missing = all_serve()) return missing;
  if (Missing missing = metadata_agrees()) return missing;
  if (Missing missing = nobody_is_left()) return missing;
  Missing missing;
  topology().queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& definition) {
    if (!missing) missing = agrees(*definition);
  });
  return missing;
}

Rest::Missing Rest::metadata_agrees() {
  const NodeId first = site_.nodes().front();
  const cluster::TopologyPtr& topology = broker(first).metadata().topology();
  const Bytes metadata = broker(first).metadata().save();
  for (const NodeId id : site_.nodes()) {
    cluster::MetadataHost& host = broker(id).metadata();
    if (host.topology()->version != topology->version) {
      return fmt::format("node {} is at version {} of the metadata, node {} at {}", id.value(),
                         host.topology()->version, first.value(), topology->version);
    }
    if (as_text(host.save().view()) == as_text(metadata.view())) continue;
    stage_.violated(fmt::format("nodes {} and {} differ in version {} of the metadata", first.value(), id.value(),
                                topology->version));
  }
  return std::nullopt;
}

/// Exclusive queues went with their connections.
Rest::Missing Rest::nobody_is_left() {
  Missing missing;
  topology().queues_by_id.for_each([&](std::uint64_t, const cluster::QueuePtr& queue) {
    if (queue->owner) missing = "there is still " + describe(*queue);
    if (!queue->target.empty()) missing = "still on its way: " + describe(*queue);
  });
  return missing;
}

/// Its members are those that the metadata names, and they know it.
Rest::Missing Rest::group_agrees(const cluster::Queue& definition, NodeId at) {
  if (definition.members.empty()) return std::nullopt;
  const cluster::Replica* replica = broker(at).replica(definition.id);
  if (replica == nullptr || !replica->is_open())
    return fmt::format("node {} has not opened {}", at.value(), definition.name);
  const raft::Core& core = replica->core();
  if (core.is_recovering()) return fmt::format("node {} recovers {}", at.value(), definition.name);
  const raft::Configuration& now = core.configuration();
  const bool is_there = now.voters == definition.members && !now.is_joint() && now.joining.empty();
  if (is_there) return std::nullopt;
  return fmt::format("on node {} the members of {} are {}", at.value(), describe(definition), raft::print(now));
}

Rest::Missing Rest::agrees(const cluster::Queue& definition) {
  const queue::Queue* one = nullptr;
  for (const NodeId id : site_.nodes()) {
    const queue::Queue* replica = broker(id).queue(definition.id);
    const bool belongs = definition.members.empty() ? definition.node == id : definition.has_member_on(id);
    if (belongs != (replica != nullptr)) {
      return fmt::format("node {} {} {}", id.value(), replica != nullptr ? "has" : "lacks", describe(definition));
    }
    if (replica == nullptr) continue;
    if (Missing missing = group_agrees(definition, id)) return missing;
    if (one == nullptr) one = replica;
    if (replica->machine().applied() != one->machine().applied()) return describe(definition);
    compare(definition, *one, *replica, id);
  }
  if (one == nullptr) return std::nullopt;
  one->machine().check_invariants();
  // Nobody is there any more.
  const std::vector<queue::SessionId> sessions = one->machine().sessions();
  if (sessions.empty()) return std::nullopt;
  const queue::SessionId& left = sessions.front();
  return fmt::format("{} still knows sessions, the first of node {} epoch {} serial {}", describe(definition),
                     left.node.value(), left.epoch.value(), left.serial);
}

void Rest::compare(const cluster::Queue& definition, const queue::Queue& one, const queue::Queue& other, NodeId at) {
  if (as_text(one.machine().serialize().view()) == as_text(other.machine().serialize().view())) return;
  stage_.violated(fmt::format("the replica on node {} differs at entry {}: {}", at.value(),
                              one.machine().applied().value(), describe(definition)));
}

// --- in words ---

std::string Rest::describe(const cluster::Queue& queue) {
  std::string text = fmt::format("{} {} (group {}, declared on node {})",
                                 queue.type == cluster::QueueType::quorum ? "quorum queue" : "classic queue",
                                 queue.name, queue.id.value(), queue.node.value());
  for (const NodeId id : site_.nodes()) {
    if (site_.broker(id) == nullptr) continue;
    const queue::Queue* replica = broker(id).queue(queue.id);
    if (replica == nullptr) continue;
    const queue::QueueMachine& state = replica->machine();
    const queue::Leadership known = replica->leadership();
    text += fmt::format("; node {}: applied {}, ready {}, unsettled {}, consumers {}, leader {} in term {}{}",
                        id.value(), state.applied().value(), state.ready_count(), state.unsettled_count(),
                        state.consumer_count(), known.leader ? known.leader->value() : 0, known.term.value(),
                        replica->is_ready() ? ", takes mail" : "");
    if (replica->is_ready()) text += describe_holders(state);
    text += describe_member(queue.id, id);
  }
  return text;
}

std::string Rest::describe_member(GroupId group, NodeId at) {
  const cluster::Replica* member = broker(at).replica(group);
  return member != nullptr && member->is_open() ? " (" + raft::print(member->core()) + ")" : "";
}

std::string Rest::describe_holders(const queue::QueueMachine& machine) {
  constexpr std::uint32_t kLinksShown = 10;
  std::string text;
  for (const queue::SessionId& session : machine.sessions()) {
    for (std::uint32_t link = queue::kGetLink; link < kLinksShown; ++link) {
      std::size_t held = 0;
      machine.held_by({.session = session, .link = link}, 0, [&](const auto&) { ++held; });
      if (held == 0) continue;
      text += fmt::format(", {} held by {}.{}.{} link {}", held, session.node.value(), session.epoch.value(),
                          session.serial, link);
    }
  }
  return text;
}

std::string Rest::describe() {
  std::string text;
  for (const NodeId id : site_.nodes()) {
    const bool is_up = site_.broker(id) != nullptr;
    text += is_up ? broker(id).describe() + describe_member(kMetadataGroup, id)
                  : fmt::format("node {} is down", id.value());
    text += "\n";
  }
  if (Broker* first = site_.broker(site_.nodes().front())) {
    first->metadata().topology()->queues_by_id.for_each(
        [&](std::uint64_t, const cluster::QueuePtr& queue) { text += describe(*queue) + "\n"; });
  }
  return text + "last dismissal: " + site_.last_dismissal();
}

}  // namespace quorate::sim::nodes

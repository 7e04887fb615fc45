#include "cluster/founding.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "cluster/plane/plane_options.h"

namespace quorate::cluster {
namespace {

/// The first that begins a cluster is node 1, and so on.
FormationRecord found(const std::vector<Newcomer>& nodes, const Newcomer& self, std::uint64_t cluster_id) {
  FormationRecord record{.cluster_id = cluster_id};
  for (const Newcomer& node : nodes) {
    const NodeId id(static_cast<std::uint32_t>(record.nodes.size() + 1));
    const raft::ReplicaId replica = raft::replica_on(id, kMetadataGroup.value());
    record.nodes.push_back({.id = id,
                            .name = node.name,
                            .host = node.host,
                            .port = node.port,
                            .directory = node.directory,
                            .replica = replica});
    record.founders.push_back(replica);
    if (node.name != self.name) continue;
    record.self = id;
    record.replica = replica;
  }
  return record;
}

/// Of those that belong to a cluster: one that counts this very directory says more than one that does not know the
/// name, and that more than one that knows it with another directory, for it may not have heard of the end of that.
std::optional<Verdict> follow_a_cluster(const Newcomer& self, const std::vector<Heard>& heard) {
  std::optional<Verdict> verdict;
  for (const Heard& one : heard) {
    if (!one.record) continue;
    const auto row = std::ranges::find(one.record->nodes, self.name, &ClusterNode::name);
    const bool is_unknown = row == one.record->nodes.end();
    if (!is_unknown && row->directory == self.directory) {
      FormationRecord record = *one.record;
      record.self = row->id;
      record.replica = row->replica;
      return Verdict{.record = std::move(record)};
    }
    if (is_unknown) {
      verdict = {.wants_to_join = true, .waits_for = "joining the cluster of " + one.name()};
    } else if (!verdict) {
      verdict = {.waits_for = fmt::format("the cluster of {} knows {} with another data directory, and this one is "
                                          "empty: if the old one is lost, run 'quoratectl forget_cluster_node {}' "
                                          "there, and this node joins as a new one",
                                          one.name(), self.name, self.name)};
    }
  }
  return verdict;
}

std::string progress(std::size_t present, std::size_t all, std::string_view what) {
  return fmt::format("{} of {}, waiting for {}", present, all, what);
}

/// Who has not answered, and why; empty when everybody has.
std::string silent_ones(const std::vector<Heard>& heard) {
  std::string names;
  for (const Heard& one : heard) {
    if (one.who) continue;
    names += (names.empty() ? "" : ", ") + one.name();
    if (!one.silence.empty()) names += " (" + one.silence + ")";
  }
  return names;
}

std::size_t count_present(const std::vector<Heard>& heard) {
  return 1 +
         static_cast<std::size_t>(std::ranges::count_if(heard, [](const Heard& one) { return one.who.has_value(); }));
}

Verdict found_from_list(const Newcomer& self, const std::vector<Seed>& list, const std::vector<Heard>& heard,
                        std::uint64_t cluster_id) {
  std::vector<std::string> names;
  for (const Seed& seed : list) names.push_back(seed.name);
  for (const Heard& one : heard) {
    if (one.seeds == names && one.who->name == one.asked.name && !one.who->directory.empty()) continue;
    return {.waits_for = fmt::format("{} calls itself {} and was told of other nodes than this one: "
                                     "cluster_formation.classic_config must be the same everywhere",
                                     one.asked.name, one.who->name)};
  }
  if (names.front() != self.name) {
    return {.waits_for = "all nodes are here, waiting for " + names.front() + " to found the cluster"};
  }
  std::vector<Newcomer> nodes;
  for (const Seed& seed : list) {
    const auto answer = std::ranges::find(heard, seed.name, [](const Heard& one) { return one.asked.name; });
    const std::string& directory = answer != heard.end() ? answer->who->directory : self.directory;
    nodes.push_back({.name = seed.name, .directory = directory, .host = seed.host, .port = seed.port});
  }
  return {.record = found(nodes, self, cluster_id), .is_founder = true};
}

Verdict found_from_who_is_here(const Newcomer& self, std::size_t nodes_min, const std::vector<Heard>& heard,
                               std::uint64_t cluster_id) {
  std::map<std::string, Newcomer> nodes = {{self.name, self}};  // by name
  for (const Heard& one : heard) {
    if (nodes.emplace(one.who->name, *one.who).second) continue;
    return {.waits_for = fmt::format("{} is the name of two nodes, of which one is at {}: node_name must be different "
                                     "everywhere",
                                     one.who->name, print_address(one.asked.host, one.asked.port))};
  }
  if (nodes.size() < nodes_min) {
    return {.waits_for = progress(
                nodes.size(), nodes_min,
                fmt::format("{} more (cluster_formation.target_cluster_size_hint)", nodes_min - nodes.size()))};
  }
  std::vector<std::string> names;
  std::vector<Newcomer> founders;
  for (const auto& [name, node] : nodes) {
    names.push_back(name);
    founders.push_back(node);
  }
  for (const Heard& one : heard) {
    if (one.seeds != names) return {.waits_for = "all nodes are here, waiting until " + one.name() + " sees them all"};
  }
  if (names.front() != self.name) {
    return {.waits_for = "all nodes are here, waiting for " + names.front() + " to found the cluster"};
  }
  return {.record = found(founders, self, cluster_id), .is_founder = true};
}

}  // namespace

std::string Heard::name() const {
  if (who && !who->name.empty()) return who->name;
  return asked.name.empty() ? print_address(asked.host, asked.port) : asked.name;
}

Verdict judge(const Newcomer& self, const FoundingPlan& plan, const std::vector<Heard>& heard,
              std::uint64_t cluster_id) {
  if (auto verdict = follow_a_cluster(self, heard)) return std::move(*verdict);
  const std::string silent = silent_ones(heard);
  if (!plan.may_found) {
    return {.wants_to_join = true,
            .waits_for = silent.empty() ? "the node that was named at join_cluster belongs to no cluster yet"
                                        : "waiting for " + silent + " to join its cluster"};
  }
  const std::size_t all = std::max(heard.size() + 1, plan.nodes_min);
  if (!silent.empty()) return {.waits_for = progress(count_present(heard), all, silent)};
  if (!plan.nodes.empty()) return found_from_list(self, plan.nodes, heard, cluster_id);
  return found_from_who_is_here(self, plan.nodes_min, heard, cluster_id);
}

FormationRecord found_alone(const Newcomer& self, std::uint64_t cluster_id) { return found({self}, self, cluster_id); }

}  // namespace quorate::cluster

// Topology: everything the cluster knows of names, as one immutable value. The metadata machine derives the next
// version from a command; every shard holds the newest it has heard of and routes, checks and lists from it without
// asking anybody. Versions share what did not change, so a binding among a million costs a few nodes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/persistent_map.h"
#include "cluster/metadata/routing_index.h"
#include "raft/types.h"

namespace quorate::cluster {

/// A client connection as the owner of its exclusive queues; never used again after it has ended.
struct Owner {
  NodeId node;
  Epoch epoch;
  ConnectionId connection;
  bool operator==(const Owner&) const = default;
};

/// A binding with its two ends by name, as clients know it.
struct Binding {
  std::string vhost;
  std::string source;
  Destination::Kind kind = Destination::Kind::queue;
  std::string destination;
  BindingKey key;
  bool operator==(const Binding&) const = default;
};
using BindingPtr = std::shared_ptr<const Binding>;

struct Exchange {
  std::uint64_t id = 0;  // follows from the index of its declaration in the metadata log
  std::string vhost;
  std::string name;
  std::string type;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  std::string arguments;           // encoded AMQP table
  std::string alternate_exchange;  // empty = none
  RoutingIndexPtr index;
  PersistentMap<std::string, BindingPtr> bindings;  // where it is the source, by binding_identity()
};

/// A classic queue has one member; a quorum queue is replicated, and confirms wait for a majority.
enum class QueueType : std::uint8_t { classic, quorum };

struct Queue {
  GroupId id;  // follows from the index of its declaration in the metadata log
  std::string vhost;
  std::string name;
  bool durable = false;
  bool auto_delete = false;
  std::optional<Owner> owner;  // exclusive to it
  std::string arguments;       // encoded AMQP table
  NodeId node;                 // where it was declared; a queue with one member lives there
  QueueType type = QueueType::classic;
  bool was_quorum = false;               // whoever used it then still numbers what they send
  std::vector<raft::ReplicaId> members;  // of a durable queue, ascending
  std::vector<raft::ReplicaId> target;   // the members it is to have instead; empty = no change under way

  bool has_member_on(NodeId where) const {
    const auto is_there = [where](raft::ReplicaId replica) { return raft::node_of(replica) == where; };
    return std::ranges::any_of(members, is_there) || std::ranges::any_of(target, is_there);
  }
};
/// It is one, or can become one.
inline bool may_be_quorum(const Queue& queue) {
  return queue.type == QueueType::quorum || (queue.durable && !queue.auto_delete && !queue.owner);
}

/// A member of the cluster, and where the others reach it.
struct ClusterNode {
  NodeId id;
  std::string name;  // "rabbit@n1"
  std::string host;
  std::uint16_t port = 0;   // of the inter-node listener
  std::string directory;    // identity of its data directory: a node that lost it is another node
  Epoch epoch;              // of its latest start that the cluster knows of
  bool drained = false;     // leads nothing and serves no clients until revived
  raft::ReplicaId replica;  // of the metadata group
  std::string zone;         // as its latest start said: members of a queue go to different ones
  bool operator==(const ClusterNode&) const = default;
};

/// What a node has sent to the metadata: its entries of one epoch are numbered from 1.
struct Origin {
  NodeId node;
  Epoch epoch;
  std::uint64_t number = 0;
  bool operator==(const Origin&) const = default;
};

using ExchangePtr = std::shared_ptr<const Exchange>;
using QueuePtr = std::shared_ptr<const Queue>;

/// What operators say of a virtual host.
struct VhostMetadata {
  std::string description;
  std::vector<std::string> tags;
  std::optional<QueueType> default_queue_type;  // of a queue that names none; none: as the node is configured
  bool relaxed_redeclaration = false;           // a queue declared again with other arguments stays as it is
  bool operator==(const VhostMetadata&) const = default;
};

struct Vhost {
  std::string name;
  VhostMetadata metadata;
  PersistentMap<std::string, ExchangePtr> exchanges;
  PersistentMap<std::string, QueuePtr> queues;
  /// The same bindings by where they lead: destination_key(), then binding_identity().
  PersistentMap<std::string, PersistentMap<std::string, BindingPtr>> bindings_to;
};
using VhostPtr = std::shared_ptr<const Vhost>;

/// What a policy asks for under one key: "max-length", 1000.
struct PolicyTerm {
  std::string key;
  std::variant<std::int64_t, std::string> value;
  bool operator==(const PolicyTerm&) const = default;
};
/// What a policy is about, as far as names match.
enum class PolicyScope : std::uint8_t { all, exchanges, queues, classic_queues, quorum_queues, streams };

/// How the queues and exchanges of a vhost are to be whose names match `pattern`, whenever they were declared.
struct Policy {
  std::string vhost;
  std::string name;
  bool is_operators = false;  // an operator policy: it stands beside the others and limits what they allow
  std::string pattern;        // regular expression
  std::vector<PolicyTerm> definition;
  std::int32_t priority = 0;  // of those that fit the highest holds
  PolicyScope apply_to = PolicyScope::all;
  bool operator==(const Policy&) const = default;
};

struct PermissionPatterns {
  std::string configure;
  std::string write;
  std::string read;
  bool operator==(const PermissionPatterns&) const = default;
};

struct User {
  std::string name;
  std::string password_hash;
  std::vector<std::string> tags;
  PersistentMap<std::string, PermissionPatterns> permissions;  // by vhost
};

struct Topology {
  std::uint64_t version = 0;  // index in the metadata log of the last command it contains
  std::string cluster_name;   // empty: not given yet
  PersistentMap<std::string, VhostPtr> vhosts;
  PersistentMap<std::string, User> users;
  PersistentMap<std::string, Policy> policies;  // by policy_key()
  PersistentMap<std::uint64_t, ExchangePtr> exchanges_by_id;
  PersistentMap<std::uint64_t, QueuePtr> queues_by_id;
  PersistentMap<std::string, PersistentMap<std::uint64_t, QueuePtr>> queues_by_owner;  // exclusive ones, by owner_key()
  PersistentMap<std::uint64_t, ClusterNode> nodes;                                     // by id
  NodeId highest_node;                           // ever given, so that no id is given twice
  PersistentMap<std::uint64_t, Origin> origins;  // the last entry applied, by node
  /// The version since which no user and no virtual host has gone; of a snapshot its own.
  std::uint64_t departed = 0;

  /// What the cluster is called: until that is given, as its first node, and while none is known, `otherwise`.
  std::string_view cluster_name_or(std::string_view otherwise) const;
  const Vhost* find_vhost(std::string_view name) const {
    const VhostPtr* found = vhosts.find(name);
    return found != nullptr ? found->get() : nullptr;
  }
  const Exchange* find_exchange(std::string_view vhost, std::string_view name) const {
    const Vhost* place = find_vhost(vhost);
    const ExchangePtr* found = place != nullptr ? place->exchanges.find(name) : nullptr;
    return found != nullptr ? found->get() : nullptr;
  }
  const Queue* find_queue(std::string_view vhost, std::string_view name) const {
    const Vhost* place = find_vhost(vhost);
    const QueuePtr* found = place != nullptr ? place->queues.find(name) : nullptr;
    return found != nullptr ? found->get() : nullptr;
  }
  const ClusterNode* find_node(NodeId id) const { return nodes.find(std::uint64_t{id.value()}); }
  const Queue* find_queue(GroupId id) const {
    const QueuePtr* found = queues_by_id.find(id.value());
    return found != nullptr ? found->get() : nullptr;
  }
};
using TopologyPtr = std::shared_ptr<const Topology>;

/// The queues that came, went, or are to live elsewhere from one version to a later one.
struct QueueChanges {
  std::vector<QueuePtr> created;
  std::vector<QueuePtr> deleted;
  std::vector<QueuePtr> moved;  // as they are now
};
/// Ascending by id, whatever lies between the two versions.
QueueChanges changes_between(const Topology& before, const Topology& after);

/// The queues that go with what a node had in memory: its transient ones, and those exclusive to connections that it
/// had before its epoch `before`.
std::vector<QueuePtr> queues_in_memory(const Topology& topology, NodeId node, Epoch before);

std::string destination_key(Destination::Kind kind, std::string_view name);
/// What makes a binding unique in its vhost.
std::string binding_identity(const Binding& binding);
std::string owner_key(const Owner& owner);
std::string policy_key(std::string_view vhost, std::string_view name, bool is_operators);

}  // namespace quorate::cluster

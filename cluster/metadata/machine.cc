#include "cluster/metadata/machine.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/cursor.h"
#include "cluster/metadata/snapshot.h"

namespace quorate::cluster {
namespace {

/// The exchanges that every vhost is born with (features.md P087).
struct Predeclared {
  std::string_view name;
  std::string_view type;
  bool internal = false;
};
constexpr std::array<Predeclared, 7> kPredeclared = {{{"", "direct"},
                                                      {"amq.direct", "direct"},
                                                      {"amq.fanout", "fanout"},
                                                      {"amq.headers", "headers"},
                                                      {"amq.match", "headers"},
                                                      {"amq.rabbitmq.trace", "topic", true},
                                                      {"amq.topic", "topic"}}};
static_assert(kIdsPerEntry >= kMetadataCommandsMax * kPredeclared.size());

template <class T>
std::shared_ptr<const T> share(T value) {
  return std::make_shared<const T>(std::move(value));
}

/// `outer` with `value` at outer[key][inner_key]; without_inner() undoes it and leaves no empty map behind.
template <class Inner, class InnerKey, class Value>
PersistentMap<std::string, Inner> with_inner(const PersistentMap<std::string, Inner>& outer, const std::string& key,
                                             const InnerKey& inner_key, const Value& value) {
  const Inner* found = outer.find(key);
  return outer.with(key, (found != nullptr ? *found : Inner{}).with(inner_key, value));
}
template <class Inner, class InnerKey>
PersistentMap<std::string, Inner> without_inner(const PersistentMap<std::string, Inner>& outer, const std::string& key,
                                                const InnerKey& inner_key) {
  const Inner* found = outer.find(key);
  if (found == nullptr) return outer;
  Inner inner = found->without(inner_key);
  return inner.empty() ? outer.without(key) : outer.with(key, std::move(inner));
}

}  // namespace

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

/// The next version in the making: one clause per command.
class MetadataMachine::Draft {
 public:
  Draft(const MetadataMachine& machine, LogIndex index, MetadataEffects& out)
      : make_index_(machine.make_index_), next_id_(index.value() * kIdsPerEntry), out_(out), next_(*machine.topology_) {
    next_.version = index.value();
  }

  TopologyPtr finish() && { return share(std::move(next_)); }

  Outcome on(const PutVhost& command) {
    if (next_.find_vhost(command.name) != nullptr) return Outcome::exists;
    put(Vhost{.name = command.name});
    for (const Predeclared& row : kPredeclared) {
      put_exchange({.vhost = command.name,
                    .name = std::string(row.name),
                    .type = std::string(row.type),
                    .durable = true,
                    .internal = row.internal});
    }
    return Outcome::done;
  }

  Outcome on(const DeleteVhost& command) {
    const Vhost* found = next_.find_vhost(command.name);
    if (found == nullptr) return Outcome::not_found;
    const Vhost vhost = *found;
    vhost.queues.for_each([&](const std::string&, const QueuePtr& queue) { remove_queue(queue); });
    vhost.exchanges.for_each([&](const std::string&, const ExchangePtr& exchange) {
      next_.exchanges_by_id = next_.exchanges_by_id.without(exchange->id);
    });
    next_.vhosts = next_.vhosts.without(command.name);
    const auto users = next_.users;
    users.for_each([&](const std::string&, const User& user) { clear_permissions(user, command.name); });
    return Outcome::done;
  }

  Outcome on(const PutUser& command) {
    const User* before = next_.users.find(command.name);
    User user{.name = command.name, .password_hash = command.password_hash, .tags = command.tags};
    if (before != nullptr) user.permissions = before->permissions;
    next_.users = next_.users.with(command.name, std::move(user));
    return Outcome::done;
  }

  Outcome on(const DeleteUser& command) {
    if (next_.users.find(command.name) == nullptr) return Outcome::not_found;
    next_.users = next_.users.without(command.name);
    return Outcome::done;
  }

  Outcome on(const SetPermissions& command) {
    const User* found = next_.users.find(command.user);
    if (found == nullptr || next_.find_vhost(command.vhost) == nullptr) return Outcome::not_found;
    User user = *found;
    user.permissions = user.permissions.with(command.vhost, command.patterns);
    next_.users = next_.users.with(command.user, std::move(user));
    return Outcome::done;
  }

  Outcome on(const ClearPermissions& command) {
    const User* found = next_.users.find(command.user);
    if (found == nullptr) return Outcome::not_found;
    clear_permissions(User(*found), command.vhost);
    return Outcome::done;
  }

  Outcome on(const DeclareExchange& command) {
    if (next_.find_vhost(command.exchange.vhost) == nullptr) return Outcome::not_found;
    if (next_.find_exchange(command.exchange.vhost, command.exchange.name) != nullptr) return Outcome::exists;
    return put_exchange(command.exchange) ? Outcome::done : Outcome::refused;
  }

  Outcome on(const DeleteExchange& command) {
    const Exchange* found = next_.find_exchange(command.vhost, command.name);
    if (found == nullptr) return Outcome::not_found;
    if (command.if_unused && !found->bindings.empty()) return Outcome::in_use;
    remove_exchange(*found);
    return Outcome::done;
  }

  Outcome on(const DeclareQueue& command) {
    const Vhost* found = next_.find_vhost(command.queue.vhost);
    if (found == nullptr) return Outcome::not_found;
    if (found->queues.find(command.queue.name) != nullptr) return Outcome::exists;
    Queue queue = command.queue;
    queue.id = GroupId(next_id_++);
    queue.members = queue.durable ? place(command.nodes, {}) : std::vector<raft::ReplicaId>{};
    put_queue(share(std::move(queue)));
    return Outcome::done;
  }

  Outcome on(const DeleteQueue& command) {
    const QueuePtr* found = next_.queues_by_id.find(command.id.value());
    if (found == nullptr) return Outcome::not_found;
    remove_queue(QueuePtr(*found));
    return Outcome::done;
  }

  Outcome on(const Bind& command) {
    const Binding& binding = command.binding;
    const Exchange* source = next_.find_exchange(binding.vhost, binding.source);
    const auto destination = resolve(binding);
    if (source == nullptr || !destination) return Outcome::not_found;
    const std::string identity = binding_identity(binding);
    if (source->bindings.find(identity) != nullptr) return Outcome::exists;
    const BindingPtr shared = share(binding);
    Exchange changed = *source;
    changed.bindings = changed.bindings.with(identity, shared);
    changed.index = changed.index->bind(binding.key, *destination);
    put(std::move(changed));
    Vhost vhost = *next_.find_vhost(binding.vhost);
    const std::string key = destination_key(binding.kind, binding.destination);
    vhost.bindings_to = with_inner(vhost.bindings_to, key, identity, shared);
    put(std::move(vhost));
    return Outcome::done;
  }

  Outcome on(const Unbind& command) {
    const Exchange* source = next_.find_exchange(command.binding.vhost, command.binding.source);
    if (source == nullptr || !resolve(command.binding)) return Outcome::not_found;
    if (source->bindings.find(binding_identity(command.binding)) != nullptr) unbind(command.binding);
    return Outcome::done;
  }

  /// Whatever lived in the memory of that node only is gone: exclusive and transient queues, transient exchanges.
  Outcome on(const NodeStarted& command) {
    std::vector<QueuePtr> queues;
    next_.queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) {
      const bool is_orphan = queue->owner && queue->owner->node == command.node && queue->owner->epoch < command.epoch;
      if (is_orphan || (!queue->durable && queue->node == command.node)) queues.push_back(queue);
    });
    remove_queues(std::move(queues));
    if (const ClusterNode* node = next_.find_node(command.node); node != nullptr) {
      ClusterNode started = *node;
      started.epoch = std::max(started.epoch, command.epoch);
      put(std::move(started));
    }
    // Transient exchanges live as long as any node does.
    if (next_.nodes.size() > 1) return Outcome::done;
    std::vector<ExchangePtr> exchanges;
    next_.exchanges_by_id.for_each([&](std::uint64_t, const ExchangePtr& exchange) {
      if (!exchange->durable) exchanges.push_back(exchange);
    });
    std::ranges::sort(exchanges, {}, [](const ExchangePtr& exchange) { return exchange->id; });
    for (const ExchangePtr& exchange : exchanges) {
      const Exchange* still = next_.find_exchange(exchange->vhost, exchange->name);
      if (still != nullptr && still->id == exchange->id) remove_exchange(*still);
    }
    return Outcome::done;
  }

  Outcome on(const ConnectionClosed& command) {
    const auto* owned = next_.queues_by_owner.find(owner_key(command.owner));
    if (owned == nullptr) return Outcome::done;
    std::vector<QueuePtr> queues;
    owned->for_each([&](std::uint64_t, const QueuePtr& queue) { queues.push_back(queue); });
    remove_queues(std::move(queues));
    return Outcome::done;
  }

  Outcome on(const PutNode& command) {
    ClusterNode node = command.node;
    if (const ClusterNode* before = next_.find_node(node.id); before != nullptr) {
      node.epoch = std::max(node.epoch, before->epoch);
      node.drained = before->drained;
      node.replica = before->replica;
    } else {
      if (node.id.value() == 0) node.id = NodeId(next_node_id());
      if (node.replica == raft::kNoReplica) node.replica = raft::replica_on(node.id, next_.version);
      if (is_name_taken(node.name)) return Outcome::exists;
    }
    put(std::move(node));
    return Outcome::done;
  }

  /// Queues that had no member elsewhere go with it; the others lose that member.
  Outcome on(const ForgetNode& command) {
    if (next_.find_node(command.id) == nullptr) return Outcome::not_found;
    next_.nodes = next_.nodes.without(std::uint64_t{command.id.value()});
    std::vector<QueuePtr> lost;
    std::vector<QueuePtr> shrunk;
    next_.queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) {
      const auto is_elsewhere = [&](raft::ReplicaId replica) { return raft::node_of(replica) != command.id; };
      const bool survives = std::ranges::any_of(queue->members, is_elsewhere);
      if (queue->members.empty() ? queue->node == command.id : !survives) {
        lost.push_back(queue);
      } else if (queue->has_member_on(command.id)) {
        shrunk.push_back(queue);
      }
    });
    remove_queues(std::move(lost));
    std::ranges::sort(shrunk, {}, [](const QueuePtr& queue) { return queue->id; });
    for (const QueuePtr& queue : shrunk) {
      Queue changed = *queue;
      if (changed.target.empty()) changed.target = changed.members;
      std::erase_if(changed.target, [&](raft::ReplicaId replica) { return raft::node_of(replica) == command.id; });
      move_queue(std::move(changed));
    }
    return Outcome::done;
  }

  Outcome on(const PlaceQueue& command) {
    const QueuePtr* found = next_.queues_by_id.find(command.id.value());
    if (found == nullptr) return Outcome::not_found;
    if (!(*found)->durable || command.nodes.empty()) return Outcome::refused;
    Queue changed = **found;
    if (!changed.target.empty()) return Outcome::in_use;
    changed.target = place(command.nodes, changed.members);
    if (changed.target.size() > 1) changed.type = QueueType::quorum;
    if (changed.target == changed.members) changed.target.clear();
    move_queue(std::move(changed));
    return Outcome::done;
  }

  Outcome on(const QueuePlaced& command) {
    const QueuePtr* found = next_.queues_by_id.find(command.id.value());
    if (found == nullptr) return Outcome::not_found;
    Queue changed = **found;
    if (changed.target != command.members) return Outcome::refused;  // overtaken by another change
    changed.members = std::exchange(changed.target, {});
    move_queue(std::move(changed));
    return Outcome::done;
  }

  Outcome on(const DrainNode& command) {
    const ClusterNode* found = next_.find_node(command.id);
    if (found == nullptr) return Outcome::not_found;
    ClusterNode node = *found;
    node.drained = command.drained;
    put(std::move(node));
    return Outcome::done;
  }

  /// False when the entry has been applied before, comes too early, or is of a start of its node that is over.
  bool admit(const Origin& origin) {
    const Origin* last = next_.origins.find(std::uint64_t{origin.node.value()});
    const Origin before = last != nullptr ? *last : Origin{.node = origin.node};
    if (origin.epoch < before.epoch) return false;
    const std::uint64_t applied = origin.epoch > before.epoch ? 0 : before.number;
    if (origin.number != applied + 1) return false;
    next_.origins = next_.origins.with(std::uint64_t{origin.node.value()}, origin);
    return true;
  }

 private:
  /// A replica on each of `nodes`: those that are there stay who they are, others are new.
  std::vector<raft::ReplicaId> place(const std::vector<NodeId>& nodes, const std::vector<raft::ReplicaId>& present) {
    std::vector<raft::ReplicaId> members;
    for (const NodeId node : nodes) {
      const auto at = std::ranges::find(present, node, raft::node_of);
      members.push_back(at != present.end() ? *at : raft::replica_on(node, next_.version));
    }
    std::ranges::sort(members);
    members.erase(std::ranges::unique(members).begin(), members.end());
    return members;
  }

  void remove_queues(std::vector<QueuePtr> queues) {
    std::ranges::sort(queues, {}, [](const QueuePtr& queue) { return queue->id; });
    for (const QueuePtr& queue : queues) remove_queue(queue);
  }

  /// An id is never given twice, not even after its node was forgotten: origins remember.
  std::uint32_t next_node_id() const {
    std::uint64_t highest = 0;
    const auto consider = [&](std::uint64_t id, const auto&) { highest = std::max(highest, id); };
    next_.nodes.for_each(consider);
    next_.origins.for_each(consider);
    return static_cast<std::uint32_t>(highest + 1);
  }
  bool is_name_taken(const std::string& name) const {
    bool taken = false;
    next_.nodes.for_each([&](std::uint64_t, const ClusterNode& node) { taken = taken || node.name == name; });
    return taken;
  }

  void put(ClusterNode node) {
    const std::uint64_t id = node.id.value();
    next_.nodes = next_.nodes.with(id, std::move(node));
  }
  void put(Vhost vhost) {
    std::string name = vhost.name;
    next_.vhosts = next_.vhosts.with(std::move(name), share(std::move(vhost)));
  }
  void put(Exchange exchange) {
    const ExchangePtr shared = share(std::move(exchange));
    Vhost vhost = *next_.find_vhost(shared->vhost);
    vhost.exchanges = vhost.exchanges.with(shared->name, shared);
    next_.exchanges_by_id = next_.exchanges_by_id.with(shared->id, shared);
    put(std::move(vhost));
  }
  bool put_exchange(Exchange exchange) {
    exchange.index = make_index_(exchange.type);
    if (exchange.index == nullptr) return false;
    exchange.id = next_id_++;
    exchange.bindings = {};
    put(std::move(exchange));
    return true;
  }
  void put_queue(const QueuePtr& queue) {
    Vhost vhost = *next_.find_vhost(queue->vhost);
    vhost.queues = vhost.queues.with(queue->name, queue);
    next_.queues_by_id = next_.queues_by_id.with(queue->id.value(), queue);
    if (queue->owner) {
      next_.queues_by_owner = with_inner(next_.queues_by_owner, owner_key(*queue->owner), queue->id.value(), queue);
    }
    put(std::move(vhost));
    out_.queues.created.push_back(queue);
  }
  /// The same queue with other members.
  void move_queue(Queue changed) {
    const QueuePtr queue = share(std::move(changed));
    Vhost vhost = *next_.find_vhost(queue->vhost);
    vhost.queues = vhost.queues.with(queue->name, queue);
    next_.queues_by_id = next_.queues_by_id.with(queue->id.value(), queue);
    if (queue->owner) {
      next_.queues_by_owner = with_inner(next_.queues_by_owner, owner_key(*queue->owner), queue->id.value(), queue);
    }
    put(std::move(vhost));
    out_.queues.moved.push_back(queue);
  }

  void remove_queue(const QueuePtr& queue) {
    remove_bindings_to(queue->vhost, Destination::Kind::queue, queue->name);
    Vhost vhost = *next_.find_vhost(queue->vhost);
    vhost.queues = vhost.queues.without(queue->name);
    next_.queues_by_id = next_.queues_by_id.without(queue->id.value());
    if (queue->owner) {
      next_.queues_by_owner = without_inner(next_.queues_by_owner, owner_key(*queue->owner), queue->id.value());
    }
    put(std::move(vhost));
    out_.queues.deleted.push_back(queue);
  }

  void remove_exchange(const Exchange& reference) {
    const Exchange exchange = reference;  // the original goes away with the version it belongs to
    exchange.bindings.for_each([&](const std::string&, const BindingPtr& binding) { forget_destination(*binding); });
    remove_bindings_to(exchange.vhost, Destination::Kind::exchange, exchange.name);
    Vhost vhost = *next_.find_vhost(exchange.vhost);
    vhost.exchanges = vhost.exchanges.without(exchange.name);
    next_.exchanges_by_id = next_.exchanges_by_id.without(exchange.id);
    put(std::move(vhost));
  }

  void remove_bindings_to(const std::string& vhost_name, Destination::Kind kind, const std::string& name) {
    const auto* found = next_.find_vhost(vhost_name)->bindings_to.find(destination_key(kind, name));
    if (found == nullptr) return;
    std::vector<BindingPtr> bindings;
    found->for_each([&](const std::string&, const BindingPtr& binding) { bindings.push_back(binding); });
    for (const BindingPtr& binding : bindings) {
      if (next_.find_exchange(vhost_name, binding->source) != nullptr) unbind(*binding);
    }
  }

  /// The binding exists, and so do both ends. An auto-delete exchange goes with the last one.
  void unbind(const Binding& binding) {
    Exchange source = *next_.find_exchange(binding.vhost, binding.source);
    source.bindings = source.bindings.without(binding_identity(binding));
    source.index = source.index->unbind(binding.key, *resolve(binding));
    forget_destination(binding);
    const bool is_unused = source.auto_delete && source.bindings.empty();
    put(source);
    if (is_unused) remove_exchange(source);
  }

  void forget_destination(const Binding& binding) {
    Vhost vhost = *next_.find_vhost(binding.vhost);
    vhost.bindings_to =
        without_inner(vhost.bindings_to, destination_key(binding.kind, binding.destination), binding_identity(binding));
    put(std::move(vhost));
  }

  std::optional<Destination> resolve(const Binding& binding) const {
    if (binding.kind == Destination::Kind::queue) {
      const Queue* queue = next_.find_queue(binding.vhost, binding.destination);
      if (queue == nullptr) return std::nullopt;
      return Destination{.kind = binding.kind, .id = queue->id.value()};
    }
    const Exchange* exchange = next_.find_exchange(binding.vhost, binding.destination);
    if (exchange == nullptr) return std::nullopt;
    return Destination{.kind = binding.kind, .id = exchange->id};
  }

  void clear_permissions(User user, const std::string& vhost) {
    user.permissions = user.permissions.without(vhost);
    std::string name = user.name;
    next_.users = next_.users.with(std::move(name), std::move(user));
  }

  const IndexFactory& make_index_;
  std::uint64_t next_id_;
  MetadataEffects& out_;
  Topology next_;
};

QueueChanges changes_between(const Topology& before, const Topology& after) {
  QueueChanges changes;
  after.queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) {
    const Queue* old = before.find_queue(queue->id);
    if (old == nullptr) {
      changes.created.push_back(queue);
    } else if (old->members != queue->members || old->target != queue->target) {
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

MetadataMachine::MetadataMachine(IndexFactory make_index)
    : make_index_(std::move(make_index)), topology_(std::make_shared<const Topology>()) {}

Result<void> MetadataMachine::apply(LogIndex index, ByteView payload, MetadataEffects& out) {
  CHECK_GT(index.value(), topology_->version);
  const auto entry = decode_entry(payload);
  if (!entry) {
    return failure(entry.error().code,
                   "metadata log entry " + std::to_string(index.value()) + ": " + entry.error().text);
  }
  Draft draft(*this, index, out);
  out.origin = entry->origin;
  out.is_repeated = entry->origin && !draft.admit(*entry->origin);
  if (!out.is_repeated) {
    for (const MetadataCommand& command : entry->commands) {
      out.outcomes.push_back(std::visit([&](const auto& c) { return draft.on(c); }, command));
    }
  }
  topology_ = std::move(draft).finish();
  return {};
}

Bytes MetadataMachine::serialize() const { return encode_topology(*topology_); }

Result<void> MetadataMachine::restore(ByteView bytes) {
  auto decoded = decode_topology(bytes, make_index_);
  if (!decoded) return std::unexpected(decoded.error());
  topology_ = std::move(*decoded);
  return {};
}

}  // namespace quorate::cluster

#include "cluster/metadata/snapshot.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/metadata/codec.h"

namespace quorate::cluster {
namespace {

using codec::from_proto;
using codec::to_proto;

std::unexpected<Error> misfit(std::string_view what, std::string_view name) {
  return failure(ErrorCode::corruption, "the metadata snapshot does not fit together at " + std::string(what) + " '" +
                                            std::string(name) + "'");
}

Result<void> add_binding(Topology& topology, const proto::Binding& words) {
  const auto binding = std::make_shared<const Binding>(from_proto(words));
  const Exchange* source = topology.find_exchange(binding->vhost, binding->source);
  Destination destination{.kind = binding->kind};
  if (binding->kind == Destination::Kind::queue) {
    const Queue* queue = topology.find_queue(binding->vhost, binding->destination);
    destination.id = queue != nullptr ? queue->id.value() : 0;
  } else {
    const Exchange* exchange = topology.find_exchange(binding->vhost, binding->destination);
    destination.id = exchange != nullptr ? exchange->id : 0;
  }
  if (source == nullptr || destination.id == 0) return misfit("binding", binding->source);
  const std::string identity = binding_identity(*binding);
  if (source->bindings.find(identity) != nullptr) return misfit("binding", binding->source);
  Exchange changed = *source;
  changed.bindings = changed.bindings.with(identity, binding);
  changed.index = changed.index->bind(binding->key, destination);
  auto shared = std::make_shared<const Exchange>(std::move(changed));
  Vhost vhost = *topology.find_vhost(binding->vhost);
  vhost.exchanges = vhost.exchanges.with(shared->name, shared);
  const std::string key = destination_key(binding->kind, binding->destination);
  const auto* present = vhost.bindings_to.find(key);
  auto inner = present != nullptr ? *present : PersistentMap<std::string, BindingPtr>{};
  vhost.bindings_to = vhost.bindings_to.with(key, inner.with(identity, binding));
  topology.exchanges_by_id = topology.exchanges_by_id.with(shared->id, shared);
  topology.vhosts = topology.vhosts.with(vhost.name, std::make_shared<const Vhost>(vhost));
  return {};
}

}  // namespace

Bytes encode_topology(const Topology& topology) {
  proto::MetadataSnapshot words;
  words.set_applied(topology.version);
  topology.vhosts.for_each([&](const std::string& name, const VhostPtr& vhost) {
    *words.add_vhosts() = to_proto(name, vhost->metadata);
    vhost->exchanges.for_each([&](const std::string&, const ExchangePtr& exchange) {
      *words.add_exchanges() = to_proto(*exchange);
      exchange->bindings.for_each(
          [&](const std::string&, const BindingPtr& binding) { *words.add_bindings() = to_proto(*binding); });
    });
    vhost->queues.for_each([&](const std::string&, const QueuePtr& queue) { *words.add_queues() = to_proto(*queue); });
  });
  topology.users.for_each([&](const std::string& name, const User& user) {
    proto::User& out = *words.add_users();
    out.set_name(name);
    out.set_password_hash(user.password_hash);
    for (const std::string& tag : user.tags) out.add_tags(tag);
    user.permissions.for_each([&](const std::string& vhost, const PermissionPatterns& patterns) {
      *words.add_permissions() = to_proto(name, vhost, patterns);
    });
  });
  topology.policies.for_each(
      [&](const std::string&, const Policy& policy) { *words.add_policies() = to_proto(policy); });
  topology.nodes.for_each([&](std::uint64_t, const ClusterNode& node) { *words.add_nodes() = to_proto(node); });
  words.set_highest_node(topology.highest_node.value());
  words.set_cluster_name(topology.cluster_name);
  topology.origins.for_each([&](std::uint64_t, const Origin& origin) { *words.add_origins() = to_proto(origin); });
  Bytes out = Bytes::allocate(words.ByteSizeLong());
  CHECK(words.SerializeToArray(out.mutable_data(), static_cast<int>(out.size())));
  return out;
}

Result<TopologyPtr> decode_topology(ByteView bytes, const MetadataMachine::IndexFactory& make_index) {
  proto::MetadataSnapshot words;
  if (!words.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return failure(ErrorCode::corruption, "the metadata snapshot does not parse");
  }
  Topology topology{
      .version = words.applied(), .cluster_name = words.cluster_name(), .highest_node = NodeId(words.highest_node())};
  topology.departed = topology.version;
  // What comes later takes its ids from later entries.
  const auto is_known_id = [&](std::uint64_t id) { return id != 0 && id / kIdsPerEntry <= topology.version; };
  for (const proto::Vhost& in : words.vhosts()) {
    if (topology.find_vhost(in.name()) != nullptr) return misfit("vhost", in.name());
    const Vhost vhost{.name = in.name(), .metadata = codec::metadata_from(in)};
    topology.vhosts = topology.vhosts.with(in.name(), std::make_shared<const Vhost>(vhost));
  }
  for (const proto::Exchange& in : words.exchanges()) {
    const Vhost* found = topology.find_vhost(in.vhost());
    Exchange exchange = from_proto(in);
    exchange.index = make_index(exchange.type);
    const bool is_new = found != nullptr && found->exchanges.find(in.name()) == nullptr &&
                        topology.exchanges_by_id.find(in.id()) == nullptr;
    if (!is_new || !is_known_id(in.id()) || exchange.index == nullptr) return misfit("exchange", in.name());
    Vhost vhost = *found;
    const auto shared = std::make_shared<const Exchange>(std::move(exchange));
    vhost.exchanges = vhost.exchanges.with(shared->name, shared);
    topology.exchanges_by_id = topology.exchanges_by_id.with(shared->id, shared);
    topology.vhosts = topology.vhosts.with(vhost.name, std::make_shared<const Vhost>(vhost));
  }
  for (const proto::Queue& in : words.queues()) {
    const Vhost* found = topology.find_vhost(in.vhost());
    const bool is_new =
        found != nullptr && found->queues.find(in.name()) == nullptr && topology.queues_by_id.find(in.id()) == nullptr;
    if (!is_new || !is_known_id(in.id())) return misfit("queue", in.name());
    Vhost vhost = *found;
    const auto shared = std::make_shared<const Queue>(from_proto(in));
    vhost.queues = vhost.queues.with(shared->name, shared);
    topology.queues_by_id = topology.queues_by_id.with(shared->id.value(), shared);
    if (shared->owner) {
      const std::string key = owner_key(*shared->owner);
      const auto* present = topology.queues_by_owner.find(key);
      auto inner = present != nullptr ? *present : PersistentMap<std::uint64_t, QueuePtr>{};
      topology.queues_by_owner = topology.queues_by_owner.with(key, inner.with(shared->id.value(), shared));
    }
    topology.vhosts = topology.vhosts.with(vhost.name, std::make_shared<const Vhost>(vhost));
  }
  for (const proto::Binding& in : words.bindings()) {
    if (auto added = add_binding(topology, in); !added) return std::unexpected(added.error());
  }
  for (const proto::User& in : words.users()) {
    if (topology.users.find(in.name()) != nullptr) return misfit("user", in.name());
    topology.users = topology.users.with(
        in.name(),
        User{.name = in.name(), .password_hash = in.password_hash(), .tags = {in.tags().begin(), in.tags().end()}});
  }
  for (const proto::Permissions& in : words.permissions()) {
    const User* found = topology.users.find(in.user());
    const bool is_new = found != nullptr && found->permissions.find(in.vhost()) == nullptr;
    if (!is_new || topology.find_vhost(in.vhost()) == nullptr) return misfit("permissions of", in.user());
    User user = *found;
    user.permissions = user.permissions.with(in.vhost(), codec::patterns_from(in));
    topology.users = topology.users.with(in.user(), std::move(user));
  }
  for (const proto::Policy& in : words.policies()) {
    const std::string key = policy_key(in.vhost(), in.name(), in.is_operators());
    if (topology.find_vhost(in.vhost()) == nullptr || topology.policies.find(key) != nullptr) {
      return misfit("policy", in.name());
    }
    topology.policies = topology.policies.with(key, from_proto(in));
  }
  for (const proto::ClusterNode& in : words.nodes()) {
    if (topology.find_node(NodeId(in.id())) != nullptr) return misfit("node", in.name());
    topology.nodes = topology.nodes.with(std::uint64_t{in.id()}, from_proto(in));
    topology.highest_node = std::max(topology.highest_node, NodeId(in.id()));
  }
  for (const proto::Origin& in : words.origins()) {
    topology.origins = topology.origins.with(std::uint64_t{in.node()}, from_proto(in));
  }
  return std::make_shared<const Topology>(std::move(topology));
}

}  // namespace quorate::cluster

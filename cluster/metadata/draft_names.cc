// What commands do to vhosts, users, policies, exchanges, queues and bindings.
#include "cluster/metadata/draft.h"

#include <array>
#include <utility>

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

}  // namespace

Outcome Draft::on(const PutVhost& command) {
  if (next_.find_vhost(command.name) != nullptr) return Outcome::exists;
  put(Vhost{.name = command.name, .metadata = command.metadata});
  for (const Predeclared& row : kPredeclared) {
    put_exchange({.vhost = command.name,
                  .name = std::string(row.name),
                  .type = std::string(row.type),
                  .durable = true,
                  .internal = row.internal});
  }
  return Outcome::done;
}

Outcome Draft::on(const SetVhostMetadata& command) {
  const Vhost* found = next_.find_vhost(command.name);
  if (found == nullptr) return Outcome::not_found;
  Vhost vhost = *found;
  vhost.metadata = command.metadata;
  put(std::move(vhost));
  return Outcome::done;
}

Outcome Draft::on(const DeleteVhost& command) {
  const Vhost* found = next_.find_vhost(command.name);
  if (found == nullptr) return Outcome::not_found;
  const Vhost vhost = *found;
  vhost.queues.for_each([&](const std::string&, const QueuePtr& queue) { remove_queue(queue); });
  vhost.exchanges.for_each([&](const std::string&, const ExchangePtr& exchange) {
    next_.exchanges_by_id = next_.exchanges_by_id.without(exchange->id);
  });
  next_.vhosts = next_.vhosts.without(command.name);
  next_.departed = next_.version;
  const auto users = next_.users;
  users.for_each([&](const std::string&, const User& user) { clear_permissions(user, command.name); });
  const auto policies = next_.policies;
  policies.for_each([&](const std::string& key, const Policy& policy) {
    if (policy.vhost == command.name) next_.policies = next_.policies.without(key);
  });
  return Outcome::done;
}

Outcome Draft::on(const PutUser& command) {
  const User* before = next_.users.find(command.name);
  User user{.name = command.name, .password_hash = command.password_hash, .tags = command.tags};
  if (before != nullptr) user.permissions = before->permissions;
  next_.users = next_.users.with(command.name, std::move(user));
  return Outcome::done;
}

Outcome Draft::on(const DeleteUser& command) {
  if (next_.users.find(command.name) == nullptr) return Outcome::not_found;
  next_.users = next_.users.without(command.name);
  next_.departed = next_.version;
  return Outcome::done;
}

Outcome Draft::on(const SetPermissions& command) {
  const User* found = next_.users.find(command.user);
  if (found == nullptr || next_.find_vhost(command.vhost) == nullptr) return Outcome::not_found;
  User user = *found;
  user.permissions = user.permissions.with(command.vhost, command.patterns);
  next_.users = next_.users.with(command.user, std::move(user));
  return Outcome::done;
}

Outcome Draft::on(const ClearPermissions& command) {
  const User* found = next_.users.find(command.user);
  if (found == nullptr) return Outcome::not_found;
  clear_permissions(User(*found), command.vhost);
  return Outcome::done;
}

/// Every node asks for it when it starts, and whoever has deleted what it made once does not want it back.
Outcome Draft::on(const CreateDefaults& command) {
  if (!next_.vhosts.empty() || !next_.users.empty()) return Outcome::exists;
  on(command.vhost);
  on(command.user);
  return on(SetPermissions{.user = command.user.name, .vhost = command.vhost.name, .patterns = command.patterns});
}

Outcome Draft::on(const SetPolicy& command) {
  const Policy& policy = command.policy;
  if (next_.find_vhost(policy.vhost) == nullptr) return Outcome::not_found;
  next_.policies = next_.policies.with(policy_key(policy.vhost, policy.name, policy.is_operators), policy);
  return Outcome::done;
}

Outcome Draft::on(const ClearPolicy& command) {
  const std::string key = policy_key(command.vhost, command.name, command.is_operators);
  if (next_.policies.find(key) == nullptr) return Outcome::not_found;
  next_.policies = next_.policies.without(key);
  return Outcome::done;
}

Outcome Draft::on(const DeclareExchange& command) {
  if (next_.find_vhost(command.exchange.vhost) == nullptr) return Outcome::not_found;
  if (next_.find_exchange(command.exchange.vhost, command.exchange.name) != nullptr) return Outcome::exists;
  return put_exchange(command.exchange) ? Outcome::done : Outcome::refused;
}

Outcome Draft::on(const DeleteExchange& command) {
  const Exchange* found = next_.find_exchange(command.vhost, command.name);
  if (found == nullptr) return Outcome::not_found;
  if (command.if_unused && !found->bindings.empty()) return Outcome::in_use;
  remove_exchange(*found);
  return Outcome::done;
}

Outcome Draft::on(const DeclareQueue& command) {
  const Vhost* found = next_.find_vhost(command.queue.vhost);
  if (found == nullptr) return Outcome::not_found;
  if (found->queues.find(command.queue.name) != nullptr) return Outcome::exists;
  Queue queue = command.queue;
  queue.id = GroupId(next_id_++);
  queue.members = queue.durable ? place(command.nodes, {}) : std::vector<raft::ReplicaId>{};
  // A node may be forgotten while a declaration from there is on its way.
  const bool has_no_place = queue.durable ? queue.members.empty() && !command.nodes.empty() : is_gone(queue.node);
  if (has_no_place || (queue.owner && is_gone(queue.owner->node))) return Outcome::refused;
  if (is_gone(queue.node) && !queue.members.empty()) queue.node = raft::node_of(queue.members.front());
  put_queue(share(std::move(queue)));
  return Outcome::done;
}

Outcome Draft::on(const DeleteQueue& command) {
  const QueuePtr* found = next_.queues_by_id.find(command.id.value());
  if (found == nullptr) return Outcome::not_found;
  remove_queue(QueuePtr(*found));
  return Outcome::done;
}

Outcome Draft::on(const Bind& command) {
  const Binding& binding = command.binding;
  const Exchange* source = next_.find_exchange(binding.vhost, binding.source);
  const auto destination = resolve(binding);
  if (source == nullptr || !destination) return Outcome::not_found;
  const std::string identity = binding_identity(binding);
  if (source->bindings.find(identity) != nullptr) return Outcome::exists;
  const BindingPtr shared = share(binding);
  Exchange changed = *source;
  changed.bindings = changed.bindings.with(identity, shared, edit_);
  changed.index = changed.index->bind(binding.key, *destination);
  put(std::move(changed));
  remember_destination(shared);
  return Outcome::done;
}

Outcome Draft::on(const Unbind& command) {
  const Exchange* source = next_.find_exchange(command.binding.vhost, command.binding.source);
  if (source == nullptr || !resolve(command.binding)) return Outcome::not_found;
  if (source->bindings.find(binding_identity(command.binding)) != nullptr) unbind(command.binding);
  return Outcome::done;
}

Outcome Draft::on(const ConnectionClosed& command) {
  const auto* owned = next_.queues_by_owner.find(owner_key(command.owner));
  if (owned == nullptr) return Outcome::done;
  std::vector<QueuePtr> queues;
  owned->for_each([&](std::uint64_t, const QueuePtr& queue) { queues.push_back(queue); });
  remove_queues(std::move(queues));
  return Outcome::done;
}

}  // namespace quorate::cluster

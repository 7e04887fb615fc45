#include "cluster/metadata/draft.h"

#include <algorithm>
#include <utility>

namespace quorate::cluster {
namespace {

/// `outer` with `value` at outer[key][inner_key]; without_inner() undoes it and leaves no empty map behind.
template <class Inner, class InnerKey, class Value>
PersistentMap<std::string, Inner> with_inner(const PersistentMap<std::string, Inner>& outer, const std::string& key,
                                             const InnerKey& inner_key, const Value& value, std::uint64_t edit) {
  const Inner* found = outer.find(key);
  return outer.with(key, (found != nullptr ? *found : Inner{}).with(inner_key, value, edit), edit);
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

Draft::Draft(const MetadataMachine::IndexFactory& make_index, const Topology& before, LogIndex index,
             MetadataEffects& out)
    : make_index_(make_index), edit_(index.value()), next_id_(index.value() * kIdsPerEntry), out_(out), next_(before) {
  next_.version = index.value();
}

void Draft::remove_queues(std::vector<QueuePtr> queues) {
  std::ranges::sort(queues, {}, [](const QueuePtr& queue) { return queue->id; });
  for (const QueuePtr& queue : queues) remove_queue(queue);
}

void Draft::put(ClusterNode node) {
  const std::uint64_t id = node.id.value();
  next_.nodes = next_.nodes.with(id, std::move(node));
}

void Draft::put(Vhost vhost) {
  std::string name = vhost.name;
  next_.vhosts = next_.vhosts.with(std::move(name), share(std::move(vhost)), edit_);
}

void Draft::put(Exchange exchange) {
  const ExchangePtr shared = share(std::move(exchange));
  Vhost vhost = *next_.find_vhost(shared->vhost);
  vhost.exchanges = vhost.exchanges.with(shared->name, shared, edit_);
  next_.exchanges_by_id = next_.exchanges_by_id.with(shared->id, shared, edit_);
  put(std::move(vhost));
}

bool Draft::put_exchange(Exchange exchange) {
  exchange.index = make_index_(exchange.type);
  if (exchange.index == nullptr) return false;
  exchange.id = next_id_++;
  exchange.bindings = {};
  put(std::move(exchange));
  return true;
}

void Draft::put_queue(const QueuePtr& queue) {
  enter(queue);
  out_.queues.created.push_back(queue);
}

void Draft::move_queue(Queue changed) {
  const QueuePtr queue = share(std::move(changed));
  enter(queue);
  out_.queues.moved.push_back(queue);
}

/// Into every table that holds queues.
void Draft::enter(const QueuePtr& queue) {
  Vhost vhost = *next_.find_vhost(queue->vhost);
  vhost.queues = vhost.queues.with(queue->name, queue, edit_);
  next_.queues_by_id = next_.queues_by_id.with(queue->id.value(), queue, edit_);
  if (queue->owner) {
    next_.queues_by_owner =
        with_inner(next_.queues_by_owner, owner_key(*queue->owner), queue->id.value(), queue, edit_);
  }
  put(std::move(vhost));
}

void Draft::remove_queue(const QueuePtr& queue) {
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

void Draft::remove_exchange(const Exchange& reference) {
  const Exchange exchange = reference;  // the original goes away with the version it belongs to
  exchange.bindings.for_each([&](const std::string&, const BindingPtr& binding) { forget_destination(*binding); });
  remove_bindings_to(exchange.vhost, Destination::Kind::exchange, exchange.name);
  Vhost vhost = *next_.find_vhost(exchange.vhost);
  vhost.exchanges = vhost.exchanges.without(exchange.name);
  next_.exchanges_by_id = next_.exchanges_by_id.without(exchange.id);
  put(std::move(vhost));
}

void Draft::remove_bindings_to(const std::string& vhost_name, Destination::Kind kind, const std::string& name) {
  const auto* found = next_.find_vhost(vhost_name)->bindings_to.find(destination_key(kind, name));
  if (found == nullptr) return;
  std::vector<BindingPtr> bindings;
  found->for_each([&](const std::string&, const BindingPtr& binding) { bindings.push_back(binding); });
  for (const BindingPtr& binding : bindings) {
    if (next_.find_exchange(vhost_name, binding->source) != nullptr) unbind(*binding);
  }
}

void Draft::unbind(const Binding& binding) {
  Exchange source = *next_.find_exchange(binding.vhost, binding.source);
  source.bindings = source.bindings.without(binding_identity(binding));
  source.index = source.index->unbind(binding.key, *resolve(binding));
  forget_destination(binding);
  const bool is_unused = source.auto_delete && source.bindings.empty();
  put(source);
  if (is_unused) remove_exchange(source);
}

void Draft::remember_destination(const BindingPtr& binding) {
  Vhost vhost = *next_.find_vhost(binding->vhost);
  const std::string key = destination_key(binding->kind, binding->destination);
  vhost.bindings_to = with_inner(vhost.bindings_to, key, binding_identity(*binding), binding, edit_);
  put(std::move(vhost));
}

void Draft::forget_destination(const Binding& binding) {
  Vhost vhost = *next_.find_vhost(binding.vhost);
  vhost.bindings_to =
      without_inner(vhost.bindings_to, destination_key(binding.kind, binding.destination), binding_identity(binding));
  put(std::move(vhost));
}

std::optional<Destination> Draft::resolve(const Binding& binding) const {
  if (binding.kind == Destination::Kind::queue) {
    const Queue* queue = next_.find_queue(binding.vhost, binding.destination);
    if (queue == nullptr) return std::nullopt;
    return Destination{.kind = binding.kind, .id = queue->id.value()};
  }
  const Exchange* exchange = next_.find_exchange(binding.vhost, binding.destination);
  if (exchange == nullptr) return std::nullopt;
  return Destination{.kind = binding.kind, .id = exchange->id};
}

void Draft::clear_permissions(User user, const std::string& vhost) {
  user.permissions = user.permissions.without(vhost);
  std::string name = user.name;
  next_.users = next_.users.with(std::move(name), std::move(user));
}

}  // namespace quorate::cluster

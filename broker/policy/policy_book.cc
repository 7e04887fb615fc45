#include "broker/policy/policy_book.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "broker/queue/arguments.h"

namespace quorate::policy {
namespace {

/// What stands under the key, if it is of that kind.
template <class T>
std::optional<T> value_of(const Definition& definition, std::string_view key) {
  const auto at = std::ranges::find(definition, key, &cluster::PolicyTerm::key);
  const T* value = at != definition.end() ? std::get_if<T>(&at->value) : nullptr;
  return value != nullptr ? std::optional(*value) : std::nullopt;
}

}  // namespace

Definition InForce::definition() const {
  const Definition none;
  return merge(users != nullptr ? users->definition : none, operators != nullptr ? operators->definition : none);
}

std::optional<std::int64_t> InForce::number(std::string_view key) const {
  return value_of<std::int64_t>(definition(), key);
}

std::optional<std::string> InForce::text(std::string_view key) const {
  return value_of<std::string>(definition(), key);
}

bool PolicyBook::follow(const cluster::Topology& topology) {
  if (topology.policies.is_same(followed_)) return false;
  followed_ = topology.policies;
  by_vhost_.clear();
  followed_.for_each([this](const std::string&, const cluster::Policy& policy) {
    // Whoever set it has compiled it. What this version cannot compile fits nothing.
    if (auto pattern = auth::PermissionPattern::compile(policy.pattern)) {
      by_vhost_[policy.vhost].push_back({.policy = policy, .pattern = std::move(*pattern)});
    }
  });
  for (auto& [vhost, rows] : by_vhost_) {
    std::ranges::sort(rows, {}, [](const Row& row) {
      return std::tuple(-std::int64_t{row.policy.priority}, std::string_view(row.policy.name));
    });
  }
  return true;
}

template <class Fits>
InForce PolicyBook::find(std::string_view vhost, std::string_view name, Fits&& fits) const {
  InForce found;
  const auto at = by_vhost_.find(vhost);
  if (at == by_vhost_.end()) return found;
  for (const Row& row : at->second) {
    const cluster::Policy*& place = row.policy.is_operators ? found.operators : found.users;
    if (place == nullptr && fits(row.policy) && row.pattern.matches(name)) place = &row.policy;
  }
  return found;
}

InForce PolicyBook::of(const cluster::Queue& queue) const {
  if (by_vhost_.empty()) return {};
  return of_queue(queue.vhost, queue.name, queue::declared_type(queue));
}

InForce PolicyBook::of_queue(std::string_view vhost, std::string_view name, cluster::QueueType type) const {
  return find(vhost, name, [type](const cluster::Policy& policy) { return is_for(policy, type); });
}

InForce PolicyBook::of(const cluster::Exchange& exchange) const {
  return find(exchange.vhost, exchange.name, is_for_exchanges);
}

std::string alternate_of(const cluster::Exchange& exchange, const PolicyBook& policies) {
  if (!exchange.alternate_exchange.empty()) return exchange.alternate_exchange;
  return policies.of(exchange).text("alternate-exchange").value_or("");
}

}  // namespace quorate::policy

// PolicyBook: which policies hold for a queue or an exchange. It keeps the patterns of a topology's policies compiled;
// every shard has one, and so has whoever shows them. Not for two threads at once.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/persistent_map.h"
#include "broker/auth/permissions.h"
#include "broker/policy/policy.h"
#include "cluster/metadata/topology.h"

namespace quorate::policy {

/// Of each kind the one with the highest priority of those that fit, the first by name among equals; null: none.
struct InForce {
  const cluster::Policy* users = nullptr;
  const cluster::Policy* operators = nullptr;

  /// What both say together.
  Definition definition() const;
  std::optional<std::int64_t> number(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
};

class PolicyBook {
 public:
  PolicyBook() = default;
  explicit PolicyBook(const cluster::Topology& topology) { follow(topology); }

  /// True if there are other policies than before; what of() has told until now is void then.
  bool follow(const cluster::Topology& topology);

  /// By what the queue was declared as, whatever it has become: that is how it behaves to its clients.
  InForce of(const cluster::Queue& queue) const;
  /// Of one that is about to be declared.
  InForce of_queue(std::string_view vhost, std::string_view name, cluster::QueueType type) const;
  InForce of(const cluster::Exchange& exchange) const;

 private:
  struct Row {
    cluster::Policy policy;
    auth::PermissionPattern pattern;
  };
  template <class Fits>
  InForce find(std::string_view vhost, std::string_view name, Fits&& fits) const;

  std::map<std::string, std::vector<Row>, std::less<>> by_vhost_;  // the highest priority first, then by name
  PersistentMap<std::string, cluster::Policy> followed_;
};

/// The name of the alternate exchange that holds for it, by its argument or by a policy; empty = none.
std::string alternate_of(const cluster::Exchange& exchange, const PolicyBook& policies);

}  // namespace quorate::policy

// What a policy may say (features.md A009-A011): its keys as rows, what is refused, and how what several policies and
// the arguments of a declaration ask for becomes one.
#pragma once
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "cluster/metadata/topology.h"

namespace quorate::policy {

/// Terms by key, ascending, each key once.
using Definition = std::vector<cluster::PolicyTerm>;

/// What of it cannot be taken, in RabbitMQ's words.
std::expected<void, std::string> check(const cluster::Policy& policy);

/// "quorum_queues"
std::string_view name_of(cluster::PolicyScope scope);
std::optional<cluster::PolicyScope> parse_scope(std::string_view name);

/// Keys that are accepted and change nothing yet, for the log and for who sets them; empty when there are none.
std::string ineffective_keys(const Definition& definition);

/// Whether the policy is about queues that were declared as `type`. One with a key that such queues cannot obey is
/// about none of them.
bool is_for(const cluster::Policy& policy, cluster::QueueType type);
bool is_for_exchanges(const cluster::Policy& policy);

/// What holds where an operator policy stands beside another.
Definition merge(const Definition& users, const Definition& operators);

/// What a queue declared as `type` with `arguments` behaves like under `definition`: as if declared with these.
Table effective_arguments(Table arguments, const Definition& definition, cluster::QueueType type);

}  // namespace quorate::policy

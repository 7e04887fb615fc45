#include "broker/policy/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/limits.h"
#include "broker/auth/permissions.h"
#include "broker/message/field_cursor.h"

namespace quorate::policy {
namespace {

using PolicyValue = decltype(cluster::PolicyTerm::value);
using cluster::PolicyScope;
using cluster::QueueType;

using Check = bool (*)(const PolicyValue& value);

template <std::int64_t least>
bool is_number(const PolicyValue& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr && *number >= least;
}

bool is_time(const PolicyValue& value) {
  return is_number<0>(value) && std::get<std::int64_t>(value) <= static_cast<std::int64_t>(limits::kTtlMaxMs);
}
bool is_time_above_zero(const PolicyValue& value) { return is_number<1>(value) && is_time(value); }

bool is_text(const PolicyValue& value) { return std::holds_alternative<std::string>(value); }

bool is_one_of(const PolicyValue& value, std::initializer_list<std::string_view> texts) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && std::ranges::find(texts, *text) != texts.end();
}
bool is_overflow(const PolicyValue& value) {
  return is_one_of(value, {"drop-head", "reject-publish", "reject-publish-dlx"});
}
bool is_strategy(const PolicyValue& value) { return is_one_of(value, {"at-most-once", "at-least-once"}); }
bool is_retry(const PolicyValue& value) { return is_one_of(value, {"disabled", "all", "failed", "returned"}); }
bool is_mode(const PolicyValue& value) { return is_one_of(value, {"default", "lazy"}); }
bool is_version(const PolicyValue& value) { return value == PolicyValue(1) || value == PolicyValue(2); }
bool is_locator(const PolicyValue& value) {
  return is_one_of(value, {"client-local", "balanced", "random", "least-leaders"});
}

/// Which of two values holds. The second is that of the operator policy, or of the policy beside an argument.
enum class Merge : std::uint8_t {
  lowest,
  highest,
  lowest_limit,  // below zero is no limit, and holds
  first,
  second,
  second_on_quorum,  // the first on a classic queue
};

enum class Obeyed : std::uint8_t { by_all, by_classic, by_quorum, by_others };
enum class Effective : bool { no, yes };

struct Key {
  std::string_view name;
  std::string_view what;  // "… is not a valid <what>"
  Check check = is_text;
  Obeyed obeyed = Obeyed::by_all;
  Effective effective = Effective::no;
  Merge with_argument = Merge::first;
  std::optional<Merge> with_operators = std::nullopt;  // none: not in operator policies
};

constexpr auto kEffective = Effective::yes;
constexpr auto kIgnored = Effective::no;
constexpr std::array kKeys = {
    Key{"alternate-exchange", "alternate exchange name", is_text, Obeyed::by_all, kEffective},
    Key{"consumer-disconnected-timeout", "consumer disconnected timeout", is_number<0>, Obeyed::by_all, kIgnored,
        Merge::lowest},
    Key{"consumer-timeout", "consumer timeout", is_number<0>, Obeyed::by_all, kEffective, Merge::lowest},
    Key{"dead-letter-exchange", "dead letter exchange name"},
    Key{"dead-letter-routing-key", "dead letter routing key"},
    Key{"dead-letter-strategy", "dead letter strategy", is_strategy, Obeyed::by_quorum},
    Key{"delayed-retry-max", "delayed retry max", is_number<1>, Obeyed::by_all, kEffective, Merge::lowest,
        Merge::lowest},
    Key{"delayed-retry-min", "delayed retry min", is_number<1>, Obeyed::by_all, kEffective, Merge::lowest,
        Merge::highest},
    Key{"delayed-retry-type", "delayed retry type", is_retry, Obeyed::by_all, kEffective, Merge::second, Merge::second},
    Key{"delivery-limit", "delivery limit", is_number<INT64_MIN>, Obeyed::by_quorum, kEffective, Merge::lowest_limit,
        Merge::lowest_limit},
    Key{"expires", "queue expiry", is_time_above_zero, Obeyed::by_all, kEffective, Merge::lowest, Merge::lowest},
    Key{"initial-cluster-size", "cluster size", is_number<0>, Obeyed::by_others},
    Key{"max-age", "max age", is_text, Obeyed::by_others},
    Key{"max-in-memory-bytes", "maximum memory in bytes", is_number<0>, Obeyed::by_quorum, kIgnored, Merge::lowest,
        Merge::lowest},
    Key{"max-in-memory-length", "maximum memory in bytes", is_number<0>, Obeyed::by_quorum, kIgnored, Merge::lowest,
        Merge::lowest},
    Key{"max-length", "maximum length", is_number<0>, Obeyed::by_all, kEffective, Merge::lowest, Merge::lowest},
    Key{"max-length-bytes", "maximum length in bytes", is_number<0>, Obeyed::by_all, kEffective, Merge::lowest,
        Merge::lowest},
    Key{"message-ttl", "message TTL", is_time, Obeyed::by_all, kEffective, Merge::lowest, Merge::lowest},
    Key{"overflow", "overflow value", is_overflow, Obeyed::by_all, kEffective, Merge::second_on_quorum, Merge::second},
    Key{"queue-leader-locator", "queue leader locator value", is_locator, Obeyed::by_all, kEffective},
    Key{"queue-mode", "queue-mode value", is_mode, Obeyed::by_classic},
    Key{"queue-version", "queue-version value", is_version, Obeyed::by_all, kIgnored, Merge::second, Merge::second},
    Key{"stream-filter-size-bytes", "filter size. Valid range is 16-255", is_number<16>, Obeyed::by_others},
    Key{"stream-max-segment-size-bytes", "segment size", is_number<0>, Obeyed::by_others},
    Key{"target-group-size", "target group size", is_number<0>, Obeyed::by_quorum, kIgnored, Merge::highest,
        Merge::highest},
};

const Key* find_key(std::string_view name) {
  const auto at = std::ranges::find(kKeys, name, &Key::name);
  return at == kKeys.end() ? nullptr : &*at;
}

struct ScopeName {
  PolicyScope scope;
  std::string_view name;
};
constexpr std::array<ScopeName, 6> kScopes = {{{PolicyScope::all, "all"},
                                               {PolicyScope::exchanges, "exchanges"},
                                               {PolicyScope::queues, "queues"},
                                               {PolicyScope::classic_queues, "classic_queues"},
                                               {PolicyScope::quorum_queues, "quorum_queues"},
                                               {PolicyScope::streams, "streams"}}};

/// As Erlang would write it.
std::string print(const PolicyValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  return erlang_binary(std::get<std::string>(value), ErlangFormat::p);
}

std::string print(const cluster::PolicyTerm& term) {
  return fmt::format("{{{},{}}}", erlang_binary(term.key, ErlangFormat::p), print(term.value));
}

bool knows(QueueType type, const Key& key) {
  return key.obeyed == Obeyed::by_all ||
         key.obeyed == (type == QueueType::quorum ? Obeyed::by_quorum : Obeyed::by_classic);
}

const PolicyValue* find(const Definition& definition, std::string_view key) {
  const auto at = std::ranges::find(definition, key, &cluster::PolicyTerm::key);
  return at == definition.end() ? nullptr : &at->value;
}

PolicyValue merge(Merge how, const PolicyValue& first, const PolicyValue& second, QueueType type) {
  const auto* a = std::get_if<std::int64_t>(&first);
  const auto* b = std::get_if<std::int64_t>(&second);
  const bool are_numbers = a != nullptr && b != nullptr;
  switch (how) {
    case Merge::lowest:
      return are_numbers ? PolicyValue(std::min(*a, *b)) : second;
    case Merge::highest:
      return are_numbers ? PolicyValue(std::max(*a, *b)) : second;
    case Merge::lowest_limit:
      if (!are_numbers) return second;
      return *a < 0 || *b < 0 ? std::max(*a, *b) : std::min(*a, *b);
    case Merge::first:
      return first;
    case Merge::second:
      return second;
    case Merge::second_on_quorum:
      return type == QueueType::quorum ? second : first;
  }
  std::unreachable();
}

/// Of delayed retries (features.md Q025): what they need stands in the same policy.
std::expected<void, std::string> check_delayed_retry(const Definition& definition) {
  const PolicyValue* type = find(definition, "delayed-retry-type");
  const PolicyValue* min = find(definition, "delayed-retry-min");
  const PolicyValue* max = find(definition, "delayed-retry-max");
  const bool is_on = type != nullptr && *type != PolicyValue("disabled");
  if (is_on && min == nullptr) {
    return std::unexpected("delayed-retry-min is required when delayed-retry-type is " + std::get<std::string>(*type));
  }
  if (min != nullptr && max != nullptr && std::get<std::int64_t>(*max) < std::get<std::int64_t>(*min)) {
    return std::unexpected(fmt::format("delayed-retry-max ({}) must not be smaller than delayed-retry-min ({})",
                                       print(*max), print(*min)));
  }
  return {};
}

std::optional<PolicyValue> value_of(const Value& argument) {
  std::int64_t number = 0;
  if (argument.integer(number)) return number;
  if (const auto* text = argument.get_if<std::string>()) return *text;
  return std::nullopt;
}

Value argument_of(const PolicyValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return {*number};
  return {std::get<std::string>(value)};
}

}  // namespace

std::expected<void, std::string> check(const cluster::Policy& policy) {
  if (const auto pattern = auth::PermissionPattern::compile(policy.pattern); !pattern) {
    return std::unexpected("pattern should be regular expression but is invalid: " + pattern.error().text);
  }
  if (policy.definition.empty()) return std::unexpected("no policy provided");
  std::string unknown;
  for (const cluster::PolicyTerm& term : policy.definition) {
    const Key* key = find_key(term.key);
    const bool is_known = key != nullptr && (!policy.is_operators || key->with_operators);
    if (!is_known) {
      unknown += (unknown.empty() ? "" : ",") + print(term);
    } else if (!key->check(term.value)) {
      return std::unexpected(fmt::format("{} is not a valid {}", print(term.value), key->what));
    }
  }
  if (!unknown.empty()) return std::unexpected("[" + unknown + "] are not recognised policy settings");
  return check_delayed_retry(policy.definition);
}

std::string_view name_of(PolicyScope scope) { return std::ranges::find(kScopes, scope, &ScopeName::scope)->name; }

std::optional<PolicyScope> parse_scope(std::string_view name) {
  const auto at = std::ranges::find(kScopes, name, &ScopeName::name);
  return at == kScopes.end() ? std::nullopt : std::optional(at->scope);
}

std::string ineffective_keys(const Definition& definition) {
  std::string names;
  for (const cluster::PolicyTerm& term : definition) {
    const Key* key = find_key(term.key);
    const bool has_effect = key != nullptr && key->effective == Effective::yes;
    if (!has_effect) names += (names.empty() ? "" : ", ") + term.key;
  }
  return names;
}

bool is_for(const cluster::Policy& policy, QueueType type) {
  const PolicyScope own = type == QueueType::quorum ? PolicyScope::quorum_queues : PolicyScope::classic_queues;
  const PolicyScope scope = policy.apply_to;
  if (scope != PolicyScope::all && scope != PolicyScope::queues && scope != own) return false;
  return std::ranges::all_of(policy.definition, [type](const cluster::PolicyTerm& term) {
    const Key* key = find_key(term.key);
    return key != nullptr && knows(type, *key);
  });
}

bool is_for_exchanges(const cluster::Policy& policy) {
  return policy.apply_to == PolicyScope::all || policy.apply_to == PolicyScope::exchanges;
}

Definition merge(const Definition& users, const Definition& operators) {
  Definition merged = users;
  for (const cluster::PolicyTerm& term : operators) {
    const auto at = std::ranges::find(merged, term.key, &cluster::PolicyTerm::key);
    const Key* key = find_key(term.key);
    const Merge how = key != nullptr ? key->with_operators.value_or(Merge::second) : Merge::second;
    if (at == merged.end()) {
      merged.push_back(term);
    } else {
      at->value = merge(how, at->value, term.value, QueueType::quorum);
    }
  }
  std::ranges::sort(merged, {}, &cluster::PolicyTerm::key);
  return merged;
}

Table effective_arguments(Table arguments, const Definition& definition, QueueType type) {
  for (const cluster::PolicyTerm& term : definition) {
    const Key* key = find_key(term.key);
    if (key == nullptr) continue;
    const std::string name = "x-" + term.key;
    const auto has_name = [&](const auto& field) { return field.first == name; };
    const auto at = std::ranges::find_if(arguments.fields, has_name);
    if (at == arguments.fields.end()) {
      arguments.fields.emplace_back(name, argument_of(term.value));
    } else if (const auto declared = value_of(at->second)) {
      at->second = argument_of(merge(key->with_argument, *declared, term.value, type));
    }
  }
  return arguments;
}

}  // namespace quorate::policy

#include "broker/http/policy_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "broker/http/json_fields.h"

namespace quorate::http {
namespace {

namespace json = boost::json;

constexpr std::string_view kScopeRefusal =
    "apply-to '{}' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', "
    "'exchanges', or 'all'";

std::unexpected<std::string> missing(std::string_view key) {
  return std::unexpected(fmt::format("[{{key_missing,{}}}]", key));
}

std::optional<std::int64_t> integer(const json::value& value) {
  boost::system::error_code inexact;
  const auto number = value.to_number<std::int64_t>(inexact);
  return inexact || value.is_double() ? std::nullopt : std::optional(number);
}

std::expected<policy::Definition, std::string> parse_definition(const json::object& body) {
  policy::Definition definition;
  for (const auto& [key, value] : body) {
    cluster::PolicyTerm& term = definition.emplace_back(cluster::PolicyTerm{.key = key, .value = {}});
    if (const auto number = integer(value)) {
      term.value = *number;
    } else if (value.is_string()) {
      term.value = std::string(value.get_string());
    } else {
      return std::unexpected(fmt::format("{} is not a valid value of {}", json::serialize(value), term.key));
    }
  }
  std::ranges::sort(definition, {}, &cluster::PolicyTerm::key);
  return definition;
}

}  // namespace

json::object definition_json(const policy::Definition& definition) {
  json::object object;
  for (const cluster::PolicyTerm& term : definition) {
    if (const auto* number = std::get_if<std::int64_t>(&term.value)) object[json_text(term.key)] = *number;
    if (const auto* text = std::get_if<std::string>(&term.value)) object[json_text(term.key)] = json_text(*text);
  }
  return object;
}

json::value policy_name(const cluster::Policy* policy) {
  return policy != nullptr ? json::value(json_text(policy->name)) : json::value(nullptr);
}

json::object policy_json(const cluster::Policy& policy) {
  return {{"vhost", json_text(policy.vhost)},
          {"name", json_text(policy.name)},
          {"pattern", json_text(policy.pattern)},
          {"apply-to", policy::name_of(policy.apply_to)},
          {"definition", definition_json(policy.definition)},
          {"priority", policy.priority}};
}

std::expected<cluster::Policy, std::string> parse_policy(cluster::Policy policy, const json::object& body) {
  const json::value* pattern = body.if_contains("pattern");
  if (pattern == nullptr) return missing("pattern");
  if (!pattern->is_string()) return std::unexpected("pattern should be a binary but was " + json::serialize(*pattern));
  policy.pattern = std::string(pattern->get_string());

  const json::value* definition = body.if_contains("definition");
  if (definition == nullptr) return missing("definition");
  if (!definition->is_object()) {
    return std::unexpected("definition must be a dictionary: " + json::serialize(*definition));
  }
  auto terms = parse_definition(definition->get_object());
  if (!terms) return std::unexpected(terms.error());
  policy.definition = std::move(*terms);

  if (const json::value* priority = body.if_contains("priority")) {
    const auto number = integer(*priority);
    if (!number || *number != static_cast<std::int32_t>(*number)) {
      return std::unexpected("priority should be a number, actually was " + json::serialize(*priority));
    }
    policy.priority = static_cast<std::int32_t>(*number);
  }
  if (const json::value* asked = body.if_contains("apply-to")) {
    const std::string text = asked->is_string() ? std::string(asked->get_string()) : json::serialize(*asked);
    const auto scope = policy::parse_scope(text);
    if (!scope) return std::unexpected(fmt::format(fmt::runtime(kScopeRefusal), text));
    policy.apply_to = *scope;
  }
  if (auto sound = policy::check(policy); !sound) return std::unexpected(sound.error());
  return policy;
}

}  // namespace quorate::http

// Policies as the HTTP API and the control commands show and take them (management.md §1.6.18).
#pragma once
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <expected>
#include <string>

#include "broker/policy/policy.h"

namespace quorate::http {

/// {"max-length": 1000, …}
boost::json::object definition_json(const policy::Definition& definition);

/// null when there is none.
boost::json::value policy_name(const cluster::Policy* policy);

boost::json::object policy_json(const cluster::Policy& policy);

/// `name` with what `body` says: pattern and definition, and if it likes priority and apply-to. The text is what is
/// wrong with it.
std::expected<cluster::Policy, std::string> parse_policy(cluster::Policy name, const boost::json::object& body);

}  // namespace quorate::http

// Policies and operator policies.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "broker/ctl/commands.h"
#include "broker/http/policy_json.h"

namespace quorate::ctl::run {
namespace {

namespace json = boost::json;

enum class Kind : bool { users, operators };

/// What the words of the command say, as the HTTP API would be told it; the text is what is wrong with them.
std::expected<json::object, std::string> body_of(const Arguments& arguments) {
  boost::system::error_code malformed;
  json::value definition = json::parse(text_of(arguments, "definition"), malformed);
  if (malformed) return std::unexpected("Could not parse JSON document: " + malformed.message());
  json::object body{{"pattern", arguments.at("pattern")}, {"definition", std::move(definition)}};
  if (arguments.contains("apply-to")) body["apply-to"] = arguments.at("apply-to");
  if (arguments.contains("priority")) {
    const std::string text = text_of(arguments, "priority");
    json::value priority = json::parse(text, malformed);
    if (malformed) return std::unexpected(fmt::format("{} priority must be a number", text));
    body["priority"] = std::move(priority);
  }
  return body;
}

void set(BrokerView& view, const Arguments& arguments, Kind kind, Done done) {
  const cluster::Vhost* vhost = find_vhost(view, arguments, done);
  if (vhost == nullptr) return;
  const auto body = body_of(arguments);
  if (!body) return fail(done, Exit::software, body.error());
  auto policy = http::parse_policy(
      {.vhost = vhost->name, .name = text_of(arguments, "policy"), .is_operators = kind == Kind::operators}, *body);
  if (!policy) return fail(done, Exit::software, "Validation failed\n\n" + policy.error());
  const std::string names = policy::ineffective_keys(policy->definition);
  submit(view, cluster::SetPolicy{.policy = std::move(*policy)},
         names.empty() ? "" : "Accepted, and without effect so far: " + names, std::move(done));
}

void clear(BrokerView& view, const Arguments& arguments, Kind kind, Done done) {
  const cluster::Vhost* vhost = find_vhost(view, arguments, done);
  if (vhost == nullptr) return;
  cluster::ClearPolicy command{
      .vhost = vhost->name, .name = text_of(arguments, "policy"), .is_operators = kind == Kind::operators};
  const std::string key = cluster::policy_key(command.vhost, command.name, command.is_operators);
  if (view.topology()->policies.find(key) == nullptr) {
    return fail(done, Exit::dataerr,
                fmt::format("Policy '{}' does not exist in vhost '{}'", command.name, vhost->name));
  }
  submit(view, std::move(command), "", std::move(done));
}

void list(BrokerView& view, const Arguments& arguments, Kind kind, Done done) {
  const cluster::Vhost* vhost = find_vhost(view, arguments, done);
  if (vhost == nullptr) return;
  json::array rows;
  view.topology()->policies.for_each([&](const std::string&, const cluster::Policy& policy) {
    if (policy.vhost != vhost->name || policy.is_operators != (kind == Kind::operators)) return;
    json::object row = http::policy_json(policy);
    row["definition"] = json::serialize(row.at("definition"));
    rows.push_back(std::move(row));
  });
  answer_rows(done, std::move(rows), "name");
}

}  // namespace

void set_policy(BrokerView& view, const Arguments& arguments, Done done) {
  set(view, arguments, Kind::users, std::move(done));
}
void clear_policy(BrokerView& view, const Arguments& arguments, Done done) {
  clear(view, arguments, Kind::users, std::move(done));
}
void list_policies(BrokerView& view, const Arguments& arguments, Done done) {
  list(view, arguments, Kind::users, std::move(done));
}
void set_operator_policy(BrokerView& view, const Arguments& arguments, Done done) {
  set(view, arguments, Kind::operators, std::move(done));
}
void clear_operator_policy(BrokerView& view, const Arguments& arguments, Done done) {
  clear(view, arguments, Kind::operators, std::move(done));
}
void list_operator_policies(BrokerView& view, const Arguments& arguments, Done done) {
  list(view, arguments, Kind::operators, std::move(done));
}

}  // namespace quorate::ctl::run

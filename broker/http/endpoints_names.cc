// What the topology knows by name: vhosts, users, permissions, exchanges, bindings (management.md §1.6.11, 12, 14-16).
#include <algorithm>
#include <utility>

#include "broker/http/binding_json.h"
#include "broker/http/endpoints.h"
#include "broker/http/json_fields.h"
#include "broker/http/vhost_json.h"
#include "broker/policy/policy_book.h"

namespace quorate::http::endpoints {
namespace {

namespace json = boost::json;

json::object user_row(const cluster::User& user) {
  return {{"name", json_text(user.name)},
          {"password_hash", user.password_hash},
          {"hashing_algorithm", "rabbit_password_hashing_sha256"},
          {"tags", json_strings(user.tags)},
          {"limits", json::object()}};
}

json::object exchange_row(const cluster::Exchange& exchange, const policy::PolicyBook& policies) {
  json::object row{{"name", json_text(exchange.name)},
                   {"vhost", json_text(exchange.vhost)},
                   {"type", exchange.type},
                   {"durable", exchange.durable},
                   {"auto_delete", exchange.auto_delete},
                   {"internal", exchange.internal},
                   {"arguments", json_table(exchange.arguments)},
                   {"user_who_performed_action", "rmq-internal"}};
  if (const cluster::Policy* policy = policies.of(exchange).users) row["policy"] = json_text(policy->name);
  return row;
}

/// Calls `visit` for each vhost that is asked for: the one in the path, or all that the caller sees. False when that
/// one is not there.
template <class Visit>
bool for_each_vhost(const Call& call, Visit&& visit) {
  if (call.path.contains("vhost")) {
    const cluster::Vhost* vhost = call.topology().find_vhost(call.path.at("vhost"));
    if (vhost != nullptr) visit(*vhost);
    return vhost != nullptr;
  }
  call.topology().vhosts.for_each([&](const std::string& name, const cluster::VhostPtr& vhost) {
    if (call.sees_vhost(name)) visit(*vhost);
  });
  return true;
}

}  // namespace

void whoami(Call call) {
  answer(call, json::object{{"name", json_text(call.caller.name)},
                            {"tags", json_strings(call.caller.tags)},
                            {"is_internal_user", true}});
}

void vhosts(Call call) {
  if (call.path.contains("vhost")) {
    const cluster::Vhost* vhost = call.topology().find_vhost(call.path.at("vhost"));
    return vhost != nullptr ? answer(call, vhost_json(*vhost, call.view)) : answer_not_found(call);
  }
  json::array rows;
  const bool sees_names = call.caller.has(Access::monitoring);
  call.topology().vhosts.for_each([&](const std::string& name, const cluster::VhostPtr& vhost) {
    if (sees_names || call.sees_vhost(name)) rows.push_back(vhost_json(*vhost, call.view));
  });
  answer_list(call, std::move(rows));
}

void users(Call call) {
  if (call.path.contains("user")) {
    const cluster::User* user = call.topology().users.find(call.path.at("user"));
    return user != nullptr ? answer(call, user_row(*user)) : answer_not_found(call);
  }
  json::array rows;
  call.topology().users.for_each(
      [&](const std::string&, const cluster::User& user) { rows.push_back(user_row(user)); });
  answer_list(call, std::move(rows));
}

void permissions(Call call) {
  if (call.path.contains("user")) {
    const cluster::User* user = call.topology().users.find(call.path.at("user"));
    const auto* patterns = user != nullptr ? user->permissions.find(call.path.at("vhost")) : nullptr;
    if (patterns == nullptr) return answer_not_found(call);
    return answer(call, permission_json(user->name, call.path.at("vhost"), *patterns));
  }
  json::array rows;
  call.topology().users.for_each([&](const std::string&, const cluster::User& user) {
    user.permissions.for_each([&](const std::string& vhost, const cluster::PermissionPatterns& patterns) {
      rows.push_back(permission_json(user.name, vhost, patterns));
    });
  });
  answer_list(call, std::move(rows));
}

void exchanges(Call call) {
  if (call.path.contains("name")) {
    // The exchange without a name has one in paths.
    const std::string& asked = call.path.at("name");
    const std::string name = asked == "amq.default" ? "" : asked;
    const cluster::Exchange* exchange = call.topology().find_exchange(call.path.at("vhost"), name);
    if (exchange == nullptr) return answer_not_found(call);
    return answer(call, exchange_row(*exchange, policy::PolicyBook(call.topology())));
  }
  json::array rows;
  const policy::PolicyBook policies(call.topology());
  const bool found = for_each_vhost(call, [&](const cluster::Vhost& vhost) {
    vhost.exchanges.for_each([&](const std::string&, const cluster::ExchangePtr& exchange) {
      rows.push_back(exchange_row(*exchange, policies));
    });
  });
  if (!found) return answer_not_found(call);
  answer_list(call, std::move(rows));
}

void bindings(Call call) {
  json::array rows;
  const bool found = for_each_vhost(call, [&](const cluster::Vhost& vhost) {
    for_each_binding(vhost, [&](const cluster::Binding& binding) { rows.push_back(binding_json(binding)); });
  });
  if (!found) return answer_not_found(call);
  answer_list(call, std::move(rows));
}

}  // namespace quorate::http::endpoints

// Policies and operator policies (management.md §1.2, §1.6.18). Both have the same four endpoints.
#include <utility>

#include "broker/http/endpoints.h"
#include "broker/http/policy_json.h"

namespace quorate::http::endpoints {
namespace {

namespace json = boost::json;

enum class Kind : bool { users, operators };

const cluster::Policy* find_policy(const Call& call, Kind kind) {
  const std::string key = cluster::policy_key(call.path.at("vhost"), call.path.at("name"), kind == Kind::operators);
  return call.topology().policies.find(key);
}

void show(Call call, Kind kind) {
  if (call.path.contains("name")) {
    const cluster::Policy* policy = find_policy(call, kind);
    return policy != nullptr ? answer(call, policy_json(*policy)) : answer_not_found(call);
  }
  if (call.path.contains("vhost") && call.topology().find_vhost(call.path.at("vhost")) == nullptr) {
    return answer_not_found(call);
  }
  json::array rows;
  call.topology().policies.for_each([&](const std::string&, const cluster::Policy& policy) {
    const bool is_asked =
        call.path.contains("vhost") ? policy.vhost == call.path.at("vhost") : call.sees_vhost(policy.vhost);
    if (is_asked && policy.is_operators == (kind == Kind::operators)) rows.push_back(policy_json(policy));
  });
  answer_list(call, std::move(rows));
}

void put(Call call, Kind kind) {
  const auto body = read_body(call);
  if (!body) return;
  cluster::Policy policy{
      .vhost = call.path.at("vhost"), .name = call.path.at("name"), .is_operators = kind == Kind::operators};
  auto parsed = parse_policy(std::move(policy), *body);
  if (!parsed) return answer_error(call, 400, "bad_request", "Validation failed\n\n" + parsed.error());
  const bool is_new = find_policy(call, kind) == nullptr;
  BrokerView& view = call.view;
  view.submit(cluster::SetPolicy{.policy = std::move(*parsed)},
              [call = std::move(call), is_new](cluster::Outcome outcome) mutable {
                if (outcome == cluster::Outcome::not_found) return answer_not_found(call);
                is_new ? answer_created(call) : answer_done(call);
              });
}

void clear(Call call, Kind kind) {
  cluster::ClearPolicy command{
      .vhost = call.path.at("vhost"), .name = call.path.at("name"), .is_operators = kind == Kind::operators};
  BrokerView& view = call.view;
  view.submit(std::move(command), [call = std::move(call)](cluster::Outcome outcome) mutable {
    outcome == cluster::Outcome::not_found ? answer_not_found(call) : answer_done(call);
  });
}

}  // namespace

void policies(Call call) { show(std::move(call), Kind::users); }
void put_policy(Call call) { put(std::move(call), Kind::users); }
void clear_policy(Call call) { clear(std::move(call), Kind::users); }
void operator_policies(Call call) { show(std::move(call), Kind::operators); }
void put_operator_policy(Call call) { put(std::move(call), Kind::operators); }
void clear_operator_policy(Call call) { clear(std::move(call), Kind::operators); }

}  // namespace quorate::http::endpoints

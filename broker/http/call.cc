#include "broker/http/call.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/http/json_fields.h"
#include "broker/http/list_query.h"

namespace quorate::http {
namespace {

namespace json = boost::json;

/// What each tag opens, from the lowest.
struct TagRow {
  std::string_view tag;
  std::array<bool, 5> opens;  // by Access
};
//                                        anyone management monitoring policymaker administrator
constexpr TagRow kTags[] = {
    {"management", {true, true, false, false, false}},
    {"policymaker", {true, true, false, true, false}},
    {"monitoring", {true, true, true, false, false}},
    {"administrator", {true, true, true, true, true}},
};

Response json_response(unsigned status, const json::value& body) {
  return {.status = status,
          .body = json::serialize(body),
          .headers = {{"cache-control", "no-cache"}, {"vary", "accept, accept-encoding, origin"}}};
}

}  // namespace

bool Caller::has(Access access) const {
  if (access == Access::anyone) return true;
  return std::ranges::any_of(kTags, [&](const TagRow& row) {
    return row.opens[static_cast<std::size_t>(access)] && std::ranges::find(tags, row.tag) != tags.end();
  });
}

bool Caller::sees_vhost(const cluster::Topology& topology, std::string_view vhost) const {
  if (has(Access::administrator)) return true;
  const cluster::User* user = topology.users.find(std::string_view(name));
  return user != nullptr && user->permissions.find(vhost) != nullptr;
}

Response error_response(unsigned status, std::string_view error, std::string_view reason) {
  return json_response(status, json::object{{"error", error}, {"reason", json_text(reason)}});
}

std::optional<json::object> read_body(Call& call) {
  boost::system::error_code malformed;
  json::value body = json::parse(call.request.body, malformed);
  if (!malformed && body.is_object()) return std::move(body.get_object());
  answer_error(call, 400, "bad_request", "not_json");
  return std::nullopt;
}

void answer(Call& call, json::value body) {
  call.reply(json_response(200, apply_columns(std::move(body), call.query)));
}

Response list_response(json::array rows, const Query& query) {
  const auto list = apply_list_query(std::move(rows), query);
  return list ? json_response(200, *list) : error_response(400, list.error().error, list.error().reason);
}

void answer_list(Call& call, json::array rows) { call.reply(list_response(std::move(rows), call.query)); }

void answer_created(Call& call) { call.reply({.status = 201, .body = "", .headers = {}}); }

void answer_done(Call& call) { call.reply({.status = 204, .body = "", .headers = {}}); }

void answer_error(Call& call, unsigned status, std::string_view error, std::string_view reason) {
  call.reply(error_response(status, error, reason));
}

void answer_not_found(Call& call) { answer_error(call, 404, "Object Not Found", "Not Found"); }

void answer_refused(Call& call, std::string_view reason) { answer_error(call, 401, "not_authorised", reason); }

void answer_health(Call& call, Health health, json::object details) {
  details["status"] = health == Health::ok ? "ok" : "failed";
  Response response = json_response(health == Health::ok ? 200 : 503, details);
  response.headers = {{"cache-control", "no-cache, no-store, max-age=0, must-revalidate"},
                      {"pragma", "no-cache"},
                      {"vary", "accept, accept-encoding, origin"}};
  call.reply(std::move(response));
}

}  // namespace quorate::http

#include "broker/http/api.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "base/log.h"
#include "broker/auth/password.h"
#include "broker/http/refusal.h"

namespace quorate::http {
namespace {

struct Login {
  std::string user;
  std::string password;
};

std::optional<std::string> base64_decode(std::string_view text) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string octets;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    octets.push_back(static_cast<char>(bits >> count & 0xff));
  }
  return octets;
}

/// credentials := "Basic" SP base64( user ":" password )
std::optional<Login> parse_basic(std::string_view header) {
  static constexpr std::string_view kScheme = "basic ";
  if (header.size() < kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(header[i])) != kScheme[i]) return std::nullopt;
  }
  const auto decoded = base64_decode(header.substr(kScheme.size()));
  if (!decoded) return std::nullopt;
  const auto colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Login{.user = decoded->substr(0, colon), .password = decoded->substr(colon + 1)};
}

/// No hint at a dialogue for what a script got wrong (management.md §1.4).
Response wrong_credentials() { return error_response(401, "not_authorized", "Not_Authorized"); }

Response no_credentials() {
  return {.status = 401, .body = "", .headers = {{"www-authenticate", R"(Basic realm="RabbitMQ Management")"}}};
}

std::string_view refusal_of(Access access) {
  switch (access) {
    case Access::administrator:
      return "Not administrator user";
    case Access::monitoring:
      return "Not monitor user";
    case Access::policymaker:
      return "Not policymaker user";
    case Access::management:
    case Access::anyone:
      break;
  }
  return "Not management user";
}

/// Who changed something, and what came of it: a line when it has been answered.
Reply noted(const Request& request, const std::string& user, Reply reply) {
  std::string deed = fmt::format("who=\"{}@{}\" request=\"{} {}\"", user, request.peer, request.method, request.target);
  return [deed = std::move(deed), reply = std::move(reply)](Response response) mutable {
    log::info(log::Category::user, "operator.request {} status={}", deed, response.status);
    reply(std::move(response));
  };
}

/// A vhost that the caller may not see is not there.
bool hides_vhost(const Call& call) { return call.path.contains("vhost") && !call.sees_vhost(call.path.at("vhost")); }

}  // namespace

std::expected<Caller, Response> Api::authenticate(const Request& request) const {
  const std::string_view header = request.header("authorization");
  if (header.empty()) return std::unexpected(no_credentials());
  const auto login = parse_basic(header);
  if (!login) return std::unexpected(wrong_credentials());
  const cluster::User* user = view_.topology()->users.find(std::string_view(login->user));
  const std::string_view hash = user != nullptr ? user->password_hash : auth::kNobodysHash;
  const bool is_right = auth::verify_password(login->password, hash);
  if (user == nullptr || !is_right) return std::unexpected(wrong_credentials());
  if (!request.is_loopback && view_.is_loopback_user(login->user)) {
    return std::unexpected(error_response(401, "not_authorised", "User can only log in via localhost"));
  }
  return Caller{.name = user->name, .tags = user->tags};
}

void Api::serve(Request request, Reply reply) const {
  const std::string_view target = request.target;
  const auto question = std::min(target.find('?'), target.size());
  RouteMatch match = find_route(routes_, request.method, target.substr(0, question));
  if (request.method == "OPTIONS" && !match.allowed.empty()) {
    return reply({.status = 200, .body = "", .headers = {{"allow", match.allowed}}});
  }
  // Who is not let in learns nothing about paths.
  std::expected<Caller, Response> caller = Caller{};
  const bool is_for_anyone = match.route != nullptr && match.route->access == Access::anyone;
  if (const std::string refusal = why_not_shown(view_); !is_for_anyone && !refusal.empty()) {
    return reply(error_response(503, "service_unavailable", refusal));
  }
  if (!is_for_anyone) caller = authenticate(request);
  if (!caller) return reply(std::move(caller.error()));
  if (match.route == nullptr) {
    if (match.allowed.empty()) return reply(error_response(404, "Object Not Found", "Not Found"));
    Response response = error_response(405, "method_not_allowed", "Method Not Allowed");
    response.headers.emplace_back("allow", match.allowed);
    return reply(std::move(response));
  }
  if (!caller->has(match.route->access)) {
    return reply(error_response(401, "not_authorised", refusal_of(match.route->access)));
  }
  auto query = Query::parse(target.substr(std::min(question + 1, target.size())));
  if (!query) return reply(error_response(400, "bad_request", "malformed query"));
  if (request.method != "GET" && request.method != "HEAD") reply = noted(request, caller->name, std::move(reply));
  Call call{.view = view_,
            .caller = std::move(*caller),
            .path = std::move(match.values),
            .query = std::move(*query),
            .request = std::move(request),
            .reply = std::move(reply)};
  if (hides_vhost(call)) return answer_not_found(call);
  match.route->handler(std::move(call));
}

}  // namespace quorate::http

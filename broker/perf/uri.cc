#include "broker/perf/uri.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "broker/http/router.h"

namespace quorate::perf {
namespace {

std::unexpected<Error> refuse(std::string_view uri, std::string_view why) {
  return failure(ErrorCode::invalid_argument, "'" + std::string(uri) + "' is no URI of a broker: " + std::string(why));
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

/// False when an escape is malformed.
bool decode(std::string_view text, std::string& out) {
  const auto decoded = http::percent_decode(text);
  if (decoded) out = *decoded;
  return decoded.has_value();
}

bool read_login(std::string_view login, Uri& uri) {
  const auto colon = login.find(':');
  if (colon != std::string_view::npos && !decode(login.substr(colon + 1), uri.password)) return false;
  return decode(login.substr(0, colon), uri.user);
}

bool read_place(std::string_view place, Uri& uri) {
  const auto bracket = place.starts_with('[') ? place.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  const auto colon = place.find(':', bracket);
  const std::string_view host = place.substr(0, colon);
  if (!host.empty()) uri.host = bracket == 0 ? host : host.substr(1, bracket - 1);
  if (bracket != 0 && host.size() != bracket + 1) return false;
  if (colon != std::string_view::npos) uri.port = place.substr(colon + 1);
  return is_port(uri.port);
}

}  // namespace

Result<Uri> parse_uri(std::string_view text) {
  constexpr std::string_view kScheme = "amqp://";
  if (text.starts_with("amqps://")) return refuse(text, "TLS is not spoken here");
  if (!text.starts_with(kScheme)) return refuse(text, "it does not begin with amqp://");
  std::string_view rest = text.substr(kScheme.size());
  Uri uri;
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos && !decode(rest.substr(slash + 1), uri.vhost)) {
    return refuse(text, "malformed escape in the virtual host");
  }
  if (uri.vhost.empty()) uri.vhost = "/";
  rest = rest.substr(0, slash);
  const auto at = rest.rfind('@');
  if (at != std::string_view::npos) {
    if (!read_login(rest.substr(0, at), uri)) return refuse(text, "malformed escape in user or password");
    rest = rest.substr(at + 1);
  }
  if (!read_place(rest, uri)) return refuse(text, "host or port");
  return uri;
}

}  // namespace quorate::perf

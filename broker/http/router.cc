#include "broker/http/router.h"

#include <algorithm>
#include <ranges>

#include "base/check.h"

namespace quorate::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.ends_with('/')) path.remove_suffix(1);
  while (!path.empty()) {
    if (path.front() != '/') return {};
    path.remove_prefix(1);
    const auto end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool fits(const std::vector<std::string_view>& pattern, const std::vector<std::string>& segments, PathValues& values) {
  if (pattern.size() != segments.size()) return false;
  values = {};
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i].starts_with(':')) {
      values.add(pattern[i].substr(1), segments[i]);
    } else if (pattern[i] != segments[i]) {
      return false;
    }
  }
  return true;
}

void append_method(std::string& list, std::string_view method) {
  if (list.find(method) != std::string::npos) return;
  if (!list.empty()) list += ", ";
  list += method;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

std::optional<Query> Query::parse(std::string_view text) {
  Query query;
  for (const auto part : std::views::split(text, '&')) {
    std::string field(part.begin(), part.end());
    if (field.empty()) continue;
    std::ranges::replace(field, '+', ' ');
    const std::string_view view = field;
    const auto equals = std::min(view.find('='), view.size());
    auto name = percent_decode(view.substr(0, equals));
    auto value = percent_decode(view.substr(std::min(equals + 1, view.size())));
    if (!name || !value) return std::nullopt;
    query.fields_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

const std::string* Query::find(std::string_view name) const {
  for (const auto& [key, value] : std::views::reverse(fields_)) {
    if (key == name) return &value;
  }
  return nullptr;
}

const std::string& PathValues::at(std::string_view name) const {
  const auto found = std::ranges::find(values_, name, [](const auto& value) { return value.first; });
  CHECK(found != values_.end());
  return found->second;
}

bool PathValues::contains(std::string_view name) const {
  return std::ranges::find(values_, name, [](const auto& value) { return value.first; }) != values_.end();
}

RouteMatch find_route(std::span<const Route> routes, std::string_view method, std::string_view path) {
  RouteMatch match;
  std::vector<std::string> segments;
  for (const std::string_view segment : split(path)) {
    auto decoded = percent_decode(segment);
    if (!decoded) return match;
    segments.push_back(std::move(*decoded));
  }
  const std::string_view asked = method == "HEAD" ? "GET" : method;
  for (const Route& route : routes) {
    PathValues values;
    if (!fits(split(route.path), segments, values)) continue;
    if (route.method == asked) return {.route = &route, .values = std::move(values), .allowed = ""};
    append_method(match.allowed, route.method);
    if (route.method == "GET") append_method(match.allowed, "HEAD");
  }
  if (!match.allowed.empty()) append_method(match.allowed, "OPTIONS");
  return match;
}

}  // namespace quorate::http

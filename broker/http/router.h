// From a method and a path to a row of a table. Pure.
//   path := ("/" segment)*        a segment is percent-decoded after the split, so that %2F is the vhost "/"
// '+' in a path is a plus. One slash at the end is ignored; an empty segment in the middle is an empty name
// (management.md §1.1).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/http/message.h"

namespace quorate::http {

/// Octets for "%XX", anything else as it stands; nothing when a '%' is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

/// What follows '?': names and values in order, '+' is a blank there.
class Query {
 public:
  /// Nothing when an escape is malformed.
  static std::optional<Query> parse(std::string_view text);
  /// The last one of that name; null when there is none.
  const std::string* find(std::string_view name) const;
  bool is_true(std::string_view name) const {
    const std::string* value = find(name);
    return value != nullptr && *value == "true";
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// What stood in the place of ":name" in a row's path.
class PathValues {
 public:
  void add(std::string_view name, std::string value) { values_.emplace_back(name, std::move(value)); }
  /// The row's path has ":name": asking for another is our bug.
  const std::string& at(std::string_view name) const;
  bool contains(std::string_view name) const;

 private:
  std::vector<std::pair<std::string_view, std::string>> values_;
};

/// Whom an endpoint lets in, by the user's tags (management.md §1.5).
enum class Access : std::uint8_t { anyone, management, monitoring, policymaker, administrator };

struct Call;
struct Route {
  std::string_view method;
  std::string_view path;  // "/api/queues/:vhost/:name"
  void (*handler)(Call) = nullptr;
  Access access = Access::management;
};

struct RouteMatch {
  const Route* route = nullptr;  // null: no row has this path with this method
  PathValues values;
  std::string allowed;  // methods that this path has, "GET, HEAD, OPTIONS"; empty: no such path
};

/// The first row that fits; HEAD finds the row of GET. A path that cannot be decoded has no row.
RouteMatch find_route(std::span<const Route> routes, std::string_view method, std::string_view path);

}  // namespace quorate::http

#include "broker/http/list_query.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <charconv>
#include <ranges>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/auth/permissions.h"

namespace quorate::http {
namespace {

namespace json = boost::json;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// What a dotted path leads to; null when it leads nowhere.
const json::value* follow(const json::value& from, std::string_view path) {
  const json::value* at = &from;
  for (const std::string_view step : split(path, '.')) {
    const json::object* object = at->if_object();
    if (object == nullptr) return nullptr;
    at = object->if_contains(step);
    if (at == nullptr) return nullptr;
  }
  return at;
}

/// A total order over what may stand in one column: what is missing counts as 0; numbers before texts.
bool is_less(const json::value* a, const json::value* b) {
  static const json::value kZero(0);
  const auto rank = [](const json::value& value) { return value.is_string() ? 1 : 0; };
  const auto number = [](const json::value& value) {
    if (value.is_bool()) return value.get_bool() ? 1.0 : 0.0;
    if (value.is_number()) return value.to_number<double>();
    return 0.0;
  };
  const json::value& left = a != nullptr ? *a : kZero;
  const json::value& right = b != nullptr ? *b : kZero;
  if (rank(left) != rank(right)) return rank(left) < rank(right);
  if (left.is_string()) return left.get_string() < right.get_string();
  return number(left) < number(right);
}

void sort_rows(json::array& rows, const Query& query) {
  const std::string* asked = query.find("sort");
  if (asked != nullptr && asked->empty()) return;
  const auto by = [](std::string_view path) {
    return [path](const json::value& a, const json::value& b) { return is_less(follow(a, path), follow(b, path)); };
  };
  if (asked != nullptr) {
    std::stable_sort(rows.begin(), rows.end(), by(*asked));
  } else {
    std::stable_sort(rows.begin(), rows.end(), by("name"));
    std::stable_sort(rows.begin(), rows.end(), by("vhost"));
  }
  if (query.is_true("sort_reverse")) std::ranges::reverse(rows);
}

/// Dotted paths within an object; a map such as arguments is taken whole.
void copy_column(const json::object& from, std::string_view path, json::object& to) {
  const auto dot = path.find('.');
  const std::string_view name = path.substr(0, dot);
  const json::value* found = from.if_contains(name);
  if (found == nullptr) return;
  const json::object* nested = found->if_object();
  if (dot == std::string_view::npos || nested == nullptr || name == "arguments") {
    to.insert_or_assign(name, *found);
    return;
  }
  json::value& target = to[name];
  if (!target.is_object()) target = json::object();
  copy_column(*nested, path.substr(dot + 1), target.get_object());
}

BadRequest bad_page(std::string reason) {
  return {.error = "invalid_pagination_parameters", .reason = std::move(reason)};
}

/// A number from 1 to `max`, `otherwise` when the parameter is not there.
std::expected<std::size_t, BadRequest> page_number(const Query& query, std::string_view name, std::size_t otherwise,
                                                   std::size_t max) {
  const std::string* text = query.find(name);
  if (text == nullptr) return otherwise;
  std::size_t number = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (fault != std::errc{} || end != text->data() + text->size() || number < 1 || number > max) {
    return std::unexpected(
        bad_page(std::string(name) + " is '" + *text + "', not a number from 1 to " + std::to_string(max)));
  }
  return number;
}

bool contains_caseless(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end() || part.empty();
}

std::expected<json::array, BadRequest> filter_by_name(json::array rows, const Query& query) {
  const std::string* name = query.find("name");
  if (name == nullptr || name->empty()) return rows;
  auth::PermissionPattern pattern;
  const bool is_regex = query.is_true("use_regex");
  if (is_regex) {
    auto compiled = auth::PermissionPattern::compile("(?i)" + *name);
    if (!compiled) return std::unexpected(bad_page("name is no regular expression: " + compiled.error().text));
    pattern = std::move(*compiled);
  }
  json::array found;
  for (json::value& row : rows) {
    const json::value* value = follow(row, "name");
    const std::string_view text = value != nullptr && value->is_string() ? std::string_view(value->get_string()) : "";
    if (is_regex ? pattern.matches(text) : contains_caseless(text, *name)) found.push_back(std::move(row));
  }
  return found;
}

std::expected<json::value, BadRequest> paginate(json::array rows, const Query& query) {
  const auto page = page_number(query, "page", 1, 1'000'000'000);
  if (!page) return std::unexpected(page.error());
  const auto size = page_number(query, "page_size", kPageSizeDefault, kPageSizeMax);
  if (!size) return std::unexpected(size.error());
  const std::size_t total = rows.size();
  auto filtered = filter_by_name(std::move(rows), query);
  if (!filtered) return std::unexpected(filtered.error());
  sort_rows(*filtered, query);
  const std::size_t begin = (*page - 1) * *size;
  if (begin > filtered->size()) {
    return std::unexpected(BadRequest{.error = "page_out_of_range",
                                      .reason = "Page out of range, page: " + std::to_string(*page) + " page size: " +
                                                std::to_string(*size) + ", len: " + std::to_string(filtered->size())});
  }
  json::array items;
  for (std::size_t i = begin; i < std::min(begin + *size, filtered->size()); ++i) {
    items.push_back(apply_columns(std::move((*filtered)[i]), query));
  }
  const std::size_t count = items.size();
  return json::object{{"filtered_count", filtered->size()},
                      {"item_count", count},
                      {"items", std::move(items)},
                      {"page", *page},
                      {"page_count", (filtered->size() + *size - 1) / *size},
                      {"page_size", *size},
                      {"total_count", total}};
}

}  // namespace

json::value apply_columns(json::value row, const Query& query) {
  const std::string* columns = query.find("columns");
  if (columns == nullptr || columns->empty() || !row.is_object()) return row;
  json::object pruned;
  for (const std::string_view path : split(*columns, ',')) copy_column(row.get_object(), path, pruned);
  return pruned;
}

std::expected<json::value, BadRequest> apply_list_query(json::array rows, const Query& query) {
  if (query.find("page") != nullptr) return paginate(std::move(rows), query);
  sort_rows(rows, query);
  for (json::value& row : rows) row = apply_columns(std::move(row), query);
  return rows;
}

}  // namespace quorate::http

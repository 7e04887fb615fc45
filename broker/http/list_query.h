// The parameters that every list of the HTTP API understands (management.md §1.2), as one function over JSON arrays:
// sort, sort_reverse, columns, and with `page` also page_size, name and use_regex. Pure.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <expected>
#include <string>

#include "broker/http/router.h"

namespace quorate::http {

/// An answer with status 400.
struct BadRequest {
  std::string error = "bad_request";
  std::string reason;
  bool operator==(const BadRequest&) const = default;
};

inline constexpr std::size_t kPageSizeDefault = 100;
inline constexpr std::size_t kPageSizeMax = 500;

/// The array as asked for, or with `page` the envelope around one page of it. Without `sort`, rows are ordered by vhost
/// and name, as far as they have these.
std::expected<boost::json::value, BadRequest> apply_list_query(boost::json::array rows, const Query& query);

/// Prunes one object to `columns`, if the query has them.
boost::json::value apply_columns(boost::json::value row, const Query& query);

}  // namespace quorate::http

// sort, columns and pages of lists (management.md §1.2).
#include "broker/http/list_query.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace quorate::http {
namespace {

namespace json = boost::json;

constexpr std::string_view kRows = R"([
  {"vhost": "b", "name": "x1", "n": 3, "rate": {"now": 1.5, "then": 1}},
  {"vhost": "a", "name": "Y2", "n": 20, "rate": {"now": 0.5}, "arguments": {"k": 1, "l": 2}},
  {"vhost": "a", "name": "x3", "rate": {"now": 7}}])";

/// The answer as text, or "error: reason".
std::string list(std::string_view query) {
  auto rows = json::parse(kRows).as_array();
  const auto result = apply_list_query(std::move(rows), *Query::parse(query));
  return result ? json::serialize(*result) : result.error().error + ": " + result.error().reason;
}

TEST(ListQuery, OrdersByVhostAndNameUnlessToldOtherwise) {
  EXPECT_EQ(list("columns=name"), R"([{"name":"Y2"},{"name":"x3"},{"name":"x1"}])");
  EXPECT_EQ(list("columns=name&sort="), R"([{"name":"x1"},{"name":"Y2"},{"name":"x3"}])");
}

TEST(ListQuery, SortsByADottedPathAndCountsWhatIsMissingAsZero) {
  EXPECT_EQ(list("columns=name&sort=rate.now"), R"([{"name":"Y2"},{"name":"x1"},{"name":"x3"}])");
  EXPECT_EQ(list("columns=name&sort=n"), R"([{"name":"x3"},{"name":"x1"},{"name":"Y2"}])");
  EXPECT_EQ(list("columns=name&sort=n&sort_reverse=true"), R"([{"name":"Y2"},{"name":"x1"},{"name":"x3"}])");
  EXPECT_EQ(list("columns=name&sort=n&sort_reverse=1"), list("columns=name&sort=n"));
}

TEST(ListQuery, PrunesToColumnsAndTakesMapsWhole) {
  EXPECT_EQ(list("columns=rate.now,nope"), R"([{"rate":{"now":5E-1}},{"rate":{"now":7}},{"rate":{"now":1.5E0}}])");
  EXPECT_EQ(list("columns=arguments.k"), R"([{"arguments":{"k":1,"l":2}},{},{}])");
}

TEST(ListQuery, AnswersAPageWithItsEnvelope) {
  EXPECT_EQ(list("page=2&page_size=2&columns=name"),
            R"({"filtered_count":3,"item_count":1,"items":[{"name":"x1"}],"page":2,"page_count":2,"page_size":2,)"
            R"("total_count":3})");
}

TEST(ListQuery, FindsNamesByPartOrByExpressionWhateverTheCase) {
  const auto names = [](std::string_view query) { return list(std::string(query) + "&page=1&columns=name"); };
  EXPECT_NE(names("name=X").find(R"("filtered_count":2,"item_count":2,"items":[{"name":"x3"},{"name":"x1"}])"),
            std::string::npos);
  EXPECT_NE(names("name=%5Ey%5Cd&use_regex=true").find(R"("items":[{"name":"Y2"}])"), std::string::npos);
  EXPECT_NE(names("name=%5Ey%5Cd").find(R"("items":[])"), std::string::npos);
  EXPECT_EQ(list("name=x&columns=n"), list("columns=n"));  // without `page` nothing is searched
}

TEST(ListQuery, RefusesPagesThatCannotBe) {
  for (const std::string_view query : {"page=0", "page=-1", "page=x", "page=", "page=1&page_size=501",
                                       "page=1&page_size=0", "page=1&name=(&use_regex=true"}) {
    EXPECT_TRUE(list(query).starts_with("invalid_pagination_parameters: ")) << query << ": " << list(query);
  }
  EXPECT_EQ(list("page=3&page_size=2"), "page_out_of_range: Page out of range, page: 3 page size: 2, len: 3");
}

}  // namespace
}  // namespace quorate::http

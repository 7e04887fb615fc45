// Paths to rows: splitting before decoding, methods, and what cannot be decoded.
#include "broker/http/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "broker/http/endpoints.h"

namespace quorate::http {
namespace {

TEST(PercentDecode, ReadsHexOfEitherCaseAndNothingElse) {
  struct Row {
    std::string_view text;
    std::optional<std::string> decoded;
  };
  const Row rows[] = {{"", ""},
                      {"plain", "plain"},
                      {"%2F", "/"},
                      {"%2f%2F", "//"},
                      {"a%20b", "a b"},
                      {"a+b", "a+b"},
                      {"%25", "%"},
                      {"%252F", "%2F"},
                      {"%00", std::string(1, '\0')},
                      {"%c3%BC", "\xc3\xbc"},
                      {"%", std::nullopt},
                      {"%2", std::nullopt},
                      {"a%2", std::nullopt},
                      {"%G0", std::nullopt},
                      {"%0G", std::nullopt},
                      {"% 1", std::nullopt},
                      {"%+1", std::nullopt}};
  for (const Row& row : rows) EXPECT_EQ(percent_decode(row.text), row.decoded) << row.text;
}

TEST(FindRoute, SplitsBeforeItDecodes) {
  const auto match = find_route(api_routes(), "GET", "/api/queues/%2F/a%2Fb+c");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->path, "/api/queues/:vhost/:name");
  EXPECT_EQ(match.values.at("vhost"), "/");
  EXPECT_EQ(match.values.at("name"), "a/b+c");
}

TEST(FindRoute, IgnoresOneSlashAtTheEndAndTakesAnEmptySegmentForAnEmptyName) {
  EXPECT_EQ(find_route(api_routes(), "GET", "/api/queues/").route->path, "/api/queues");
  const auto match = find_route(api_routes(), "GET", "/api/queues//q");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.values.at("vhost"), "");
  EXPECT_EQ(match.values.at("name"), "q");
}

TEST(FindRoute, TellsAMethodThatIsMissingFromAPathThatIs) {
  const auto wrong_method = find_route(api_routes(), "PUT", "/api/connections/x");
  EXPECT_EQ(wrong_method.route, nullptr);
  EXPECT_EQ(wrong_method.allowed, "GET, HEAD, DELETE, OPTIONS");
  for (const std::string_view path :
       {"/api/nothing", "", "/", "api/overview", "/api/queues/%2", "/api/queues/%2F/%zz"}) {
    const auto wrong_path = find_route(api_routes(), "GET", path);
    EXPECT_EQ(wrong_path.route, nullptr) << path;
    EXPECT_EQ(wrong_path.allowed, "") << path;
  }
  EXPECT_NE(find_route(api_routes(), "HEAD", "/api/overview").route, nullptr);
}

/// Of a path that is cut anywhere the row is cut in the same way, or there is none.
TEST(FindRoute, SurvivesAPathCutAtEveryByte) {
  const std::string_view whole = "/api/queues/%2F/na%6De";
  std::set<std::string_view> found;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto match = find_route(api_routes(), "GET", whole.substr(0, size));
    if (match.route != nullptr) found.insert(match.route->path);
  }
  EXPECT_EQ(found, (std::set<std::string_view>{"/api/queues", "/api/queues/:vhost", "/api/queues/:vhost/:name"}));
}

TEST(Routes, EachCanBeReachedAndNoneTwice) {
  for (const Route& route : api_routes()) {
    std::string path(route.path);
    std::ranges::replace(path, ':', 'x');
    const auto match = find_route(api_routes(), route.method, path);
    EXPECT_EQ(match.route, &route) << route.method << " " << route.path << " is hidden by another row";
  }
}

TEST(Query, TakesPlusForABlankAndTheLastOfEqualNames) {
  const auto query = Query::parse("a=1&b=x+y%2B&a=2&flag&=odd&c=d=e");
  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(*query->find("a"), "2");
  EXPECT_EQ(*query->find("b"), "x y+");
  EXPECT_EQ(*query->find("flag"), "");
  EXPECT_EQ(*query->find("c"), "d=e");
  EXPECT_EQ(query->find("none"), nullptr);
  EXPECT_FALSE(Query::parse("a=%2").has_value());
  EXPECT_FALSE(Query::parse("%x=1").has_value());
}

}  // namespace
}  // namespace quorate::http

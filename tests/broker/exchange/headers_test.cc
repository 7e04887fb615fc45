// Headers exchanges: what equals what, the four ways of x-match, and the texts of refusal (conformance row 17).
#include <vector>

#include "tests/broker/exchange/routing_fixture.h"

namespace quorate::exchange {

namespace {

Table matching(std::string_view mode, Table wanted) {
  wanted.fields.emplace_back("x-match", std::string(mode));
  return wanted;
}

}  // namespace

class HeadersExchange : public RoutingFixture {
 protected:
  HeadersExchange() { declare("headers"); }

  bool matches(const Table& arguments, const Table& headers) {
    declare("headers");
    bind('q', "", arguments);
    return route("", headers) == "q";
  }
};

TEST_F(HeadersExchange, ComparesValuesLikeErlang) {
  using namespace std::string_literals;
  struct Row {
    Value wanted;
    Value present;
    bool equal;
  };
  const std::vector<Row> rows = {
      // The width of an integer does not matter, its value does.
      {std::int32_t{7}, std::int64_t{7}, true},
      {std::int8_t{-7}, std::int16_t{-7}, true},
      {std::uint8_t{200}, std::int32_t{200}, true},
      {std::uint8_t{200}, std::int8_t{-56}, false},
      {std::uint16_t{65535}, std::int64_t{65535}, true},
      {std::uint32_t{4294967295}, std::int64_t{4294967295}, true},
      {std::uint32_t{4294967295}, std::int32_t{-1}, false},
      {std::int32_t{7}, std::int32_t{8}, false},
      // 1, 1.0 and "1" are three things.
      {std::int32_t{1}, 1.0, false},
      {std::int32_t{1}, "1"s, false},
      {1.0, "1"s, false},
      {std::int32_t{1}, true, false},
      {"true"s, true, false},
      // Two widths of float, two types of octets.
      {1.5, 1.5f, true},
      {0.1, 0.1f, false},
      {"raw"s, ByteArray{"raw"}, true},
      {"raw"s, "Raw"s, false},
      {""s, ""s, true},
      {true, true, true},
      {true, false, false},
      {Timestamp{1'700'000'000}, Timestamp{1'700'000'000}, true},
      {Timestamp{~0ull}, std::int64_t{-1}, false},
      {Decimal{2, 314}, Decimal{2, 314}, true},
      {Decimal{2, 314}, Decimal{3, 3140}, false},
      // Inside arrays and tables the types count.
      {Array{{std::int32_t{1}, "a"s}}, Array{{std::int32_t{1}, "a"s}}, true},
      {Array{{std::int32_t{1}}}, Array{{std::int64_t{1}}}, false},
      {Table{{{"k", "v"s}}}, Table{{{"k", "v"s}}}, true},
      {Table{{{"k", "v"s}}}, Table{{{"k", "w"s}}}, false},
      // Void asks only for presence, and is present itself.
      {Void{}, "anything"s, true},
      {Void{}, Void{}, true},
      {"text"s, Void{}, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(matches({{{"h", row.wanted}}}, {{{"h", row.present}}}), row.equal)
        << row.wanted.type_name() << " " << row.wanted.print() << " against " << row.present.type_name() << " "
        << row.present.print();
  }
}

TEST_F(HeadersExchange, MatchesAllOrAnyAsTheTableSays) {
  const Table wanted{{{"colour", "red"}, {"size", 3}, {"x-lane", "fast"}}};
  const Table only_x{{{"x-lane", "fast"}}};
  const Table nothing;
  const Table both{{{"colour", "red"}, {"size", 3}}};
  const Table one{{{"colour", "red"}, {"size", 4}}};
  const Table both_and_x{{{"size", 3}, {"x-lane", "fast"}, {"colour", "red"}, {"more", true}}};
  struct Row {
    std::string_view mode;
    const Table& wanted;
    const Table& headers;
    bool matches;
  };
  const Row rows[] = {
      {"all", wanted, both, true},
      {"all", wanted, one, false},
      {"all", wanted, nothing, false},
      {"all", wanted, both_and_x, true},
      {"any", wanted, one, true},
      {"any", wanted, nothing, false},
      {"any", wanted, only_x, false},
      {"all-with-x", wanted, both, false},
      {"all-with-x", wanted, both_and_x, true},
      {"any-with-x", wanted, only_x, true},
      {"any-with-x", wanted, nothing, false},
      // No wishes: all of them are met, not one is.
      {"all", nothing, nothing, true},
      {"all", nothing, both, true},
      {"any", nothing, both, false},
      {"all-with-x", nothing, both, true},
      {"any-with-x", nothing, both, false},
      // Wishes that the mode passes over are none.
      {"all", only_x, nothing, true},
      {"any", only_x, only_x, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(matches(matching(row.mode, row.wanted), row.headers), row.matches)
        << row.mode << " " << Value(row.wanted).print() << " against " << Value(row.headers).print();
  }
}

TEST_F(HeadersExchange, MeansAllWhenNotTold) {
  EXPECT_TRUE(matches({}, {}));
  EXPECT_TRUE(matches({{{"a", 1}}}, {{{"a", 1}, {"b", 2}}}));
  EXPECT_FALSE(matches({{{"a", 1}, {"b", 2}}}, {{{"a", 1}}}));
}

TEST_F(HeadersExchange, TellsAbsentFromVoid) {
  EXPECT_FALSE(matches({{{"a", Void{}}}}, {}));
  EXPECT_FALSE(matches({{{"a", Void{}}}}, {{{"b", 1}}}));
  EXPECT_TRUE(matches({{{"a", Void{}}}}, {{{"a", Void{}}}}));
}

TEST_F(HeadersExchange, TakesTheLastOfTwoHeadersOfOneName) {
  EXPECT_TRUE(matches({{{"a", 2}}}, {{{"a", 1}, {"a", 2}}}));
  EXPECT_FALSE(matches({{{"a", 1}}}, {{{"a", 1}, {"a", 2}}}));
}

TEST_F(HeadersExchange, KeepsBindingsApartByTheirArguments) {
  bind('a', "", {{{"colour", "red"}}});
  bind('a', "", {{{"size", 3}}});
  bind('b', "k1", {{{"size", 3}}});
  bind('b', "k2", {{{"size", 3}}});
  EXPECT_EQ(route("", {{{"colour", "red"}, {"size", 3}}}), "aab");
  unbind('a', "", {{{"colour", "red"}}});
  unbind('b', "k1", {{{"size", 3}}});
  EXPECT_EQ(route("", {{{"colour", "red"}, {"size", 3}}}), "ab");
  unbind('a', "", {{{"size", 3}}});
  unbind('b', "k2", {{{"size", 3}}});
  EXPECT_EQ(route("", {{{"colour", "red"}, {"size", 3}}}), "");
}

TEST_F(HeadersExchange, RefusesAnUnknownXMatch) {
  const auto refusal = [](Value x_match) {
    const auto verdict = validate_headers_binding(key("", {{{"x-match", std::move(x_match)}}}));
    return verdict ? "" : verdict.error();
  };
  for (const char* mode : {"all", "any", "all-with-x", "any-with-x"}) EXPECT_EQ(refusal(mode), "");
  EXPECT_TRUE(validate_headers_binding({}));
  EXPECT_EQ(refusal("some"), "Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x");
  EXPECT_EQ(refusal(""), "Invalid x-match field value <<>>; expected all, any, all-with-x, or any-with-x");
  EXPECT_EQ(refusal(5), "Invalid x-match field type signedint (value 5); expected longstr");
  EXPECT_EQ(refusal(true), "Invalid x-match field type bool (value true); expected longstr");
  EXPECT_EQ(refusal(1.0), "Invalid x-match field type double (value 1.0); expected longstr");
  EXPECT_EQ(refusal(Array{{"a", 1}}),
            "Invalid x-match field type array (value [{longstr,<<\"a\">>},{signedint,1}]); expected longstr");
  EXPECT_EQ(refusal(Table{{{"k", Void{}}}}),
            "Invalid x-match field type table (value [{<<\"k\">>,void,undefined}]); expected longstr");
}

// The session refuses a malformed table. Should one get here nevertheless, only what can be read is looked at.
TEST_F(HeadersExchange, SurvivesHeadersCutAnywhere) {
  bind('q', "", {{{"colour", "red"}}});
  const std::string whole = encoded({{{"colour", "red"}, {"size", 3}, {"list", Array{{1, "two"}}}}});
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    cluster::RouteSink sink;
    index_->route({.headers = as_bytes(std::string_view(whole).substr(0, size))}, sink);
    EXPECT_EQ(sink.empty(), size < encoded({{{"colour", "red"}}}).size()) << size;
  }
}

}  // namespace quorate::exchange

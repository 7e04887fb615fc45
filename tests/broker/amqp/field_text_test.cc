// Values as text: whatever is printed is read back as the same value of the same type.
#include "broker/amqp/field_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace quorate::amqp {
namespace {

using namespace std::string_literals;

Value parsed(std::string_view text) {
  const auto value = parse_value(text);
  EXPECT_TRUE(value.has_value()) << text << ": " << (value ? "" : value.error());
  return value.value_or(Value());
}

TEST(FieldText, LiteralsMeanWhatTheyLookLike) {
  EXPECT_EQ(parsed("10"), Value(std::int32_t{10}));
  EXPECT_EQ(parsed("-10"), Value(std::int32_t{-10}));
  EXPECT_EQ(parsed("3000000000"), Value(std::int64_t{3'000'000'000}));
  EXPECT_EQ(parsed("10:l"), Value(std::int64_t{10}));
  EXPECT_EQ(parsed("10:unsignedbyte"), Value(std::uint8_t{10}));
  EXPECT_EQ(parsed("1.5"), Value(1.5));
  EXPECT_EQ(parsed("true"), Value(true));
  EXPECT_EQ(parsed("void"), Value(Void{}));
  EXPECT_EQ(parsed("lazy"), Value("lazy"s));
  EXPECT_EQ(parsed("\"10\""), Value("10"s));
  EXPECT_EQ(parsed("10:S"), Value("10"s));
  EXPECT_EQ(parsed("http://host:5672"), Value("http://host:5672"s));
  EXPECT_EQ(parsed("\"\\x00a\":x"), Value(ByteArray{.octets = "\0a"s}));
  EXPECT_EQ(parsed("314e-2:D"), Value(Decimal{.scale = 2, .unscaled = 314}));
  EXPECT_EQ(parsed("7:timestamp"), Value(Timestamp{.seconds = 7}));
  EXPECT_EQ(parsed("{ a=1, \"b c\"={} }"), Value(Table{.fields = {{"a", Value(1)}, {"b c", Value(Table{})}}}));
  EXPECT_EQ(parsed("[1, two,[ ]]"), Value(Array{.items = {Value(1), Value("two"s), Value(Array{})}}));
}

TEST(FieldText, EveryValueIsReadBackFromItsText) {
  const Value values[] = {
      Void{},
      true,
      false,
      std::int8_t{-1},
      std::uint8_t{1},
      std::int16_t{-1},
      std::uint16_t{1},
      std::int32_t{-1},
      std::uint32_t{1},
      std::int64_t{1},
      std::numeric_limits<std::int64_t>::min(),
      0.5f,
      5.0f,
      5.0,
      0.1,
      1e300,
      std::numeric_limits<double>::infinity(),
      Decimal{.scale = 3, .unscaled = 7},
      ""s,
      "true"s,
      "10"s,
      "1.5"s,
      "a:l"s,
      "void"s,
      "a b"s,
      "a=b,c"s,
      "\"\\\n\r\t\1\xff"s,
      "{}"s,
      "amq.gen-x_1/2"s,
      ByteArray{.octets = "x"},
      ByteArray{},
      Timestamp{.seconds = 1},
      Array{},
      Table{},
      Array{.items = {Value(1), Value(Table{.fields = {{"", Value(""s)}}})}},
      Table{.fields = {{"a b", Value(1)}, {"x-mode", Value("lazy"s)}}},
  };
  for (const Value& value : values) EXPECT_EQ(parsed(print_value(value)), value) << print_value(value);
}

TEST(FieldText, TablesArePrintedInBraces) {
  const Table table{.fields = {{"x-max-length", Value(10)}, {"x-mode", Value("lazy"s)}, {"n", Value(std::int64_t{1})}}};
  EXPECT_EQ(print_table(table), "{x-max-length=10,x-mode=lazy,n=1:l}");
  EXPECT_EQ(parse_table("x-max-length=10, x-mode=lazy, n=1:long"), table);
}

TEST(FieldText, MalformedTextIsRefusedWithAReason) {
  const auto error = [](std::string_view text) {
    const auto value = parse_value(text);
    return value ? "accepted" : value.error();
  };
  EXPECT_EQ(error(""), "a value is missing before ''");
  EXPECT_EQ(error("{a=1"), "',' is missing before ''");
  EXPECT_EQ(error("{a}"), "'=' is missing after 'a'");
  EXPECT_EQ(error("[1 2]"), "',' is missing before '2]'");
  EXPECT_EQ(error("\"a"), "a quote is not closed");
  EXPECT_EQ(error("\"\\q\""), "an escape is malformed");
  EXPECT_EQ(error("\"a\":q"), "'q' is no type");
  EXPECT_EQ(error("300:B"), "'300' is no number of that type");
  EXPECT_EQ(error("1 2"), "'2' is left over");
  EXPECT_EQ(error(std::string(100, '[')), "nested too deep");
}

TEST(FieldText, AssignmentsAreSplitAtBlanksOutsideQuotesAndBrackets) {
  const auto split = split_assignments(" a=1  b=\"two \\\"words\\\"\" c={x=1, y=[2, 3]} d= e=a=b\t");
  ASSERT_TRUE(split.has_value()) << split.error();
  EXPECT_EQ(*split, (std::vector<Assignment>{{"a", "1", false},
                                             {"b", "two \"words\"", true},
                                             {"c", "{x=1, y=[2, 3]}", false},
                                             {"d", "", false},
                                             {"e", "a=b", false}}));
  EXPECT_EQ(split_assignments("a=1 b").error(), "'b' is not of the form name=value");
}

}  // namespace
}  // namespace quorate::amqp

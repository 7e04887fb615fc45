// Field tables (features.md P045): every type both ways, and nothing malformed gets through.
#include "broker/amqp/table_codec.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/limits.h"

namespace quorate::amqp {
namespace {

using namespace std::string_literals;

Table every_type() {
  Table nested{.fields = {{"inner", Table{.fields = {{"deep", Void{}}}}}}};
  return {.fields = {
              {"void", Void{}},
              {"bool", true},
              {"byte", std::int8_t{-128}},
              {"unsignedbyte", std::uint8_t{255}},
              {"short", std::int16_t{-2}},
              {"unsignedshort", std::uint16_t{65535}},
              {"signedint", std::numeric_limits<std::int32_t>::min()},
              {"unsignedint", std::uint32_t{4294967295}},
              {"long", std::numeric_limits<std::int64_t>::min()},
              {"float", 1.5f},
              {"double", -0.1},
              {"decimal", Decimal{.scale = 2, .unscaled = 314}},
              {"longstr", "text"s},
              {"binary", ByteArray{.octets = "\0\xff"s}},
              {"timestamp", Timestamp{.seconds = 1'700'000'000}},
              {"array", Array{.items = {Value(true), Value("x"s), Value(Array{}), Value(nested)}}},
              {"table", nested},
              {"", false},
          }};
}

std::string error_of(std::string_view bytes) {
  const auto table = decode_table(as_bytes(bytes));
  const auto valid = validate_table(as_bytes(bytes));
  EXPECT_EQ(table.has_value(), valid.has_value());
  if (table) return "accepted";
  EXPECT_EQ(table.error(), valid.error());
  return table.error().text;
}

/// `depth` tables, one inside the other.
std::vector<std::byte> nested(unsigned depth) {
  Table table;
  for (unsigned i = 1; i < depth; ++i) {
    Table outer;
    outer.fields.emplace_back("t", std::move(table));
    table = std::move(outer);
  }
  return encode_table(table);
}

TEST(TableCodec, EveryTypeIsReadAsItWasWritten) {
  const Table table = every_type();
  const auto encoded = encode_table(table);
  const auto decoded = decode_table(encoded);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(*decoded, table);
  EXPECT_EQ(encode_table(*decoded), encoded);
  EXPECT_TRUE(validate_table(encoded).has_value());
}

TEST(TableCodec, EachTypeHasTheTagOfRabbitMQ) {
  const auto encoded_tag = [](Value value) {
    Table table;
    table.fields.emplace_back("", std::move(value));
    return static_cast<char>(encode_table(table)[1]);
  };
  std::string tags;
  for (const auto& [name, value] : every_type().fields) tags += encoded_tag(value);
  EXPECT_EQ(tags, "VtbBsuIilfdDSxTAFt");
}

TEST(TableCodec, LowercaseSIsAnInteger) {
  const auto decoded = decode_table(as_bytes("\1as\xff\xfe"));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded->find("a"), Value(std::int16_t{-2}));
}

TEST(TableCodec, CapitalLIsALongToo) {
  const auto decoded = decode_table(as_bytes("\1aL\0\0\0\0\0\0\0\7"s));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded->find("a"), Value(std::int64_t{7}));
  EXPECT_EQ(as_text(encode_table(*decoded)), "\1al\0\0\0\0\0\0\0\7"s);
}

TEST(TableCodec, AnyOctetButZeroIsTrue) {
  EXPECT_EQ(*decode_table(as_bytes("\1at\5"))->find("a"), Value(true));
  EXPECT_EQ(*decode_table(as_bytes("\1at\0"s))->find("a"), Value(false));
}

TEST(TableCodec, CutAtEveryByteIsNeverMisread) {
  const auto encoded = encode_table(every_type());
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    const std::vector<std::byte> cut(encoded.begin(), encoded.begin() + static_cast<std::ptrdiff_t>(size));
    const auto decoded = decode_table(cut);
    EXPECT_EQ(decoded.has_value(), validate_table(cut).has_value()) << size;
    if (!decoded) continue;
    EXPECT_EQ(encode_table(*decoded), cut) << size;  // cut between two fields
  }
}

TEST(TableCodec, ErrorsNameTheType) {
  EXPECT_EQ(error_of("\1aZ"), "malformed field table: unknown type 'Z'");
  EXPECT_EQ(error_of("\1a\1"), "malformed field table: unknown type 1");
  EXPECT_EQ(error_of("\1a"), "malformed field table: a value is missing");
  EXPECT_EQ(error_of("\5a"), "malformed field table: a name is cut short");
  EXPECT_EQ(error_of("\1aI\0"s), "malformed field table: a value of type 'I' is cut short");
  EXPECT_EQ(error_of("\1aS\xff\xff\xff\xff"), "malformed field table: a value of type 'S' is cut short");
  EXPECT_EQ(error_of("\1aA\0\0\0\1Z"s), "malformed field table: unknown type 'Z'");
}

TEST(TableCodec, NestingIsBounded) {
  EXPECT_TRUE(decode_table(nested(limits::kTableDepthMax)).has_value());
  const auto deep = nested(limits::kTableDepthMax + 1);
  EXPECT_EQ(error_of(as_text(deep)), "malformed field table: nested deeper than 64");
}

TEST(TableCodec, RepeatedNamesAreKeptInOrder) {
  const Table table{.fields = {{"a", true}, {"a", false}}};
  EXPECT_EQ(*decode_table(encode_table(table)), table);
  EXPECT_EQ(find_field(encode_table(table), "a"), Value(true));
}

TEST(TableCodec, OneFieldIsFoundWithoutTheOthers) {
  const auto encoded = encode_table(every_type());
  for (const auto& [name, value] : every_type().fields) EXPECT_EQ(find_field(encoded, name), value) << name;
  EXPECT_EQ(find_field(encoded, "absent"), std::nullopt);
  EXPECT_EQ(find_field(as_bytes("\1aZ"), "b"), std::nullopt);
}

TEST(TableCodec, NamesBeyond255OctetsCannotBeEncoded) {
  Table inner;
  inner.fields.emplace_back(std::string(256, 'n'), true);
  EXPECT_FALSE(is_encodable(inner));
  EXPECT_FALSE(is_encodable(Table{.fields = {{"a", Array{.items = {Value(inner)}}}}}));
  EXPECT_TRUE(is_encodable(every_type()));
}

}  // namespace
}  // namespace quorate::amqp

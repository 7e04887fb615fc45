// FieldCursor reads what the table codec writes, stops at every cut, and prints as Erlang would.
#include "broker/message/field_cursor.h"

#include <gtest/gtest.h>

#include "base/cursor.h"
#include "broker/amqp/table_codec.h"

namespace quorate {

namespace {

Table one_of_each() {
  return {{{"bool", true},
           {"byte", std::int8_t{-1}},
           {"unsignedbyte", std::uint8_t{255}},
           {"short", std::int16_t{-2}},
           {"unsignedshort", std::uint16_t{65535}},
           {"signedint", std::int32_t{-3}},
           {"unsignedint", std::uint32_t{4294967295}},
           {"long", std::int64_t{-4}},
           {"float", 1.5f},
           {"double", 2.0},
           {"decimal", Decimal{2, 314}},
           {"longstr", "text"},
           {"binary", ByteArray{"\x01\x02"}},
           {"timestamp", Timestamp{~0ull}},
           {"void", Void{}},
           {"array", Array{{"a", Array{}}}},
           {"table", Table{{{"k", false}}}}}};
}

}  // namespace

TEST(FieldCursor, SeesEveryTypeTheCodecWrites) {
  const Table table = one_of_each();
  const auto bytes = amqp::encode_table(table);
  FieldCursor fields(bytes);
  for (const auto& [name, value] : table.fields) {
    Field field;
    ASSERT_TRUE(fields.next(field)) << name;
    EXPECT_EQ(field.name, name);
    EXPECT_EQ(type_name(field.value), value.type_name());
    EXPECT_EQ(type_name(field.value), name);
    EXPECT_TRUE(is_exactly_equal(field.value, field.value)) << name;
  }
  Field beyond;
  EXPECT_FALSE(fields.next(beyond));
  EXPECT_FALSE(fields.malformed());
}

TEST(FieldCursor, StopsAtEveryCut) {
  const auto bytes = amqp::encode_table(one_of_each());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const ByteView cut = ByteView(bytes).first(size);
    FieldCursor fields(cut);
    for (Field field; fields.next(field);) continue;
    EXPECT_EQ(fields.malformed(), !amqp::decode_table(cut).has_value()) << size;
  }
}

TEST(FieldCursor, RefusesUnknownTags) {
  FieldCursor fields(as_bytes("\x01k?"));
  Field field;
  EXPECT_FALSE(fields.next(field));
  EXPECT_TRUE(fields.malformed());
}

TEST(FieldCursor, FindsTheFirstOfAName) {
  const auto bytes = amqp::encode_table(Table{{{"a", "1"}, {"b", "2"}, {"a", "3"}}});
  EXPECT_EQ(find_field_value(bytes, "a")->text(), "1");
  EXPECT_EQ(find_field_value(bytes, "b")->text(), "2");
  EXPECT_FALSE(find_field_value(bytes, "c"));
}

TEST(ErlangText, PrintsTermsAsErlangDoes) {
  const auto bytes = amqp::encode_table(one_of_each());
  const auto print = [&](std::string_view name) {
    return erlang_term(*find_field_value(bytes, name), ErlangFormat::p);
  };
  EXPECT_EQ(print("bool"), "true");
  EXPECT_EQ(print("byte"), "-1");
  EXPECT_EQ(print("unsignedint"), "4294967295");
  EXPECT_EQ(print("long"), "-4");
  EXPECT_EQ(print("float"), "1.5");
  EXPECT_EQ(print("double"), "2.0");
  EXPECT_EQ(print("decimal"), "{2,314}");
  EXPECT_EQ(print("longstr"), "<<\"text\">>");
  EXPECT_EQ(print("binary"), "<<1,2>>");
  EXPECT_EQ(print("timestamp"), "18446744073709551615");
  EXPECT_EQ(print("void"), "undefined");
  EXPECT_EQ(print("array"), "[{longstr,<<\"a\">>},{array,[]}]");
  EXPECT_EQ(print("table"), "[{<<\"k\">>,bool,false}]");
}

TEST(ErlangText, DoesNotFollowAHostileNestingToItsEnd) {
  std::vector<std::byte> bytes;
  for (int depth = 0; depth < 5'000; ++depth) {
    std::vector<std::byte> outer;
    ByteWriter writer(outer);
    writer.write(std::uint8_t{1});
    writer.write(static_cast<std::uint8_t>('k'));
    writer.write(static_cast<std::uint8_t>('F'));
    writer.write(static_cast<std::uint32_t>(bytes.size()));
    writer.write_bytes(bytes);
    bytes = std::move(outer);
  }
  EXPECT_NE(erlang_table(bytes, ErlangFormat::w).find("..."), std::string::npos);
}

}  // namespace quorate

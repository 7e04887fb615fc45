// The properties of a content header: read in place, written, printed, and refused when malformed.
#include "broker/amqp/properties.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/amqp/table_codec.h"

namespace quorate::amqp {
namespace {

using namespace std::string_literals;

Properties every_property() {
  return {.content_type = "text/plain",
          .content_encoding = "utf-8",
          .headers = Table{.fields = {{"a", Value(1)}, {"b", Value("x y"s)}}},
          .delivery_mode = std::uint8_t{2},
          .priority = std::uint8_t{9},
          .correlation_id = "corr",
          .reply_to = "amq.rabbitmq.reply-to",
          .expiration = "60000",
          .message_id = "m",
          .timestamp = 1'700'000'000u,
          .type = "t",
          .user_id = "guest",
          .app_id = "app",
          .cluster_id = "cluster"};
}

std::string error_of(std::string_view bytes) {
  const auto view = PropertiesView::parse(as_bytes(bytes));
  return view ? "accepted" : view.error().text;
}

TEST(Properties, EveryPropertyIsReadInPlace) {
  const auto encoded = encode_properties(every_property());
  const auto view = PropertiesView::parse(encoded);
  ASSERT_TRUE(view.has_value()) << view.error().text;
  EXPECT_EQ(Properties::from(*view), every_property());
  EXPECT_EQ(view->content_type(), "text/plain");
  EXPECT_EQ(view->cluster_id(), "cluster");
  EXPECT_EQ(view->timestamp(), 1'700'000'000u);
  EXPECT_EQ(find_field(view->headers()->encoded, "b"), Value("x y"s));
  EXPECT_TRUE(view->is_persistent());
}

TEST(Properties, EachPropertyAloneIsReadAndTheOthersAreAbsent) {
  const auto all = encode_properties(every_property());
  const PropertiesView every = *PropertiesView::parse(all);
  for (const PropertyRow& row : kPropertyRows) {
    const auto text = print(every);
    const auto assignments = split_assignments(text);
    for (const Assignment& assignment : *assignments) {
      if (assignment.name != row.name) continue;
      const auto parsed = parse_properties({assignment});
      ASSERT_TRUE(parsed.has_value()) << parsed.error();
      const auto encoded = encode_properties(parsed->properties);
      const auto view = PropertiesView::parse(encoded);
      ASSERT_TRUE(view.has_value()) << row.name;
      for (const PropertyRow& other : kPropertyRows) {
        EXPECT_EQ(view->has(other.property), row.property == other.property) << row.name << " " << other.name;
      }
      EXPECT_EQ(Properties::from(*view), parsed->properties);
    }
  }
}

TEST(Properties, NoPropertyIsTwoOctetsOfFlags) {
  const auto encoded = encode_properties(Properties{});
  EXPECT_EQ(as_text(encoded), "\0\0"s);
  const auto view = PropertiesView::parse(encoded);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->headers().has_value(), false);
  EXPECT_EQ(view->delivery_mode(), std::nullopt);
  EXPECT_FALSE(view->is_persistent());
  EXPECT_FALSE(PropertiesView().has(Property::headers));
}

TEST(Properties, OnlyDeliveryModeTwoIsPersistent) {  // P133
  const auto is_persistent = [](std::uint8_t mode) {
    const auto encoded = encode_properties(Properties{.delivery_mode = mode});
    return PropertiesView::parse(encoded)->is_persistent();
  };
  EXPECT_FALSE(is_persistent(1));
  EXPECT_TRUE(is_persistent(2));
  EXPECT_FALSE(is_persistent(3));
}

TEST(Properties, CutAtEveryByteIsRefused) {
  const auto encoded = encode_properties(every_property());
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    const std::vector<std::byte> cut(encoded.begin(), encoded.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(PropertiesView::parse(cut).has_value()) << size;
  }
}

TEST(Properties, MalformedOnesAreRefusedWithAReason) {
  EXPECT_EQ(error_of(""), "malformed content properties: the flags are cut short");
  EXPECT_EQ(error_of("\0\1"s), "malformed content properties: more than one word of flags");
  EXPECT_EQ(error_of("\0\2"s), "malformed content properties: a reserved flag is set");
  EXPECT_EQ(error_of("\0\0x"s), "malformed content properties: octets after the last property");
  EXPECT_EQ(error_of("\x80\0\5a"s), "malformed content properties: content_type is cut short");
  EXPECT_EQ(error_of("\x20\0\0\0\0\3\1aZ"s), "malformed field table: unknown type 'Z'");
}

TEST(Properties, TextGoesBothWays) {
  const std::string text = print(every_property());
  EXPECT_EQ(text,
            "content_type=text/plain content_encoding=utf-8 headers={a=1,b=\"x y\"} delivery_mode=2 priority=9 "
            "correlation_id=corr reply_to=amq.rabbitmq.reply-to expiration=60000 message_id=m timestamp=1700000000 "
            "type=t user_id=guest app_id=app cluster_id=cluster");
  const auto parsed = parse_properties(*split_assignments(text + " body=hi"));
  ASSERT_TRUE(parsed.has_value()) << parsed.error();
  EXPECT_EQ(parsed->properties, every_property());
  EXPECT_EQ(parsed->others, (std::vector<Assignment>{{.name = "body", .value = "hi"}}));
}

TEST(Properties, TextThatDoesNotFitIsRefused) {
  EXPECT_EQ(parse_properties({{.name = "priority", .value = "256"}}).error(), "priority: '256' is no number of 8 bits");
  EXPECT_EQ(parse_properties({{.name = "headers", .value = "{a"}}).error(), "headers: '=' is missing after 'a'");
}

}  // namespace
}  // namespace quorate::amqp

// AMQP tables and clients' octets as JSON.
#include "broker/http/json_fields.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "broker/amqp/field_text.h"
#include "broker/amqp/table_codec.h"
#include "broker/http/client_json.h"

namespace quorate::http {
namespace {

std::string encoded(std::string_view table) {
  const auto octets = amqp::encode_table(*amqp::parse_table(table));
  return std::string(as_text(octets));
}

std::string as_json(std::string_view octets) { return boost::json::serialize(json_table(octets)); }

TEST(JsonTable, WritesEveryTypeOfField) {
  const std::string table = encoded(
      "{b=-1:byte, B=255:unsignedbyte, s=-2:short, u=65535:unsignedshort, I=-3, i=4294967295:unsignedint, l=-4:long, "
      "d=1.5, t=true, v=void, S=\"text\", T=7:timestamp, A=[1,a], F={x=1}}");
  EXPECT_EQ(as_json(table),
            R"({"b":-1,"B":255,"s":-2,"u":65535,"I":-3,"i":4294967295,"l":-4,"d":1.5E0,"t":true,"v":null,"S":"text",)"
            R"("T":7,"A":[1,"a"],"F":{"x":1}})");
}

TEST(JsonTable, KeepsTheFirstOfEqualNamesAndSurvivesEveryCut) {
  EXPECT_EQ(as_json(encoded("{a=1, a=2}")), R"({"a":1})");
  const std::string whole = encoded("{a=1, list=[1,{x=[2]}], text=hello, d=2.5}");
  const boost::json::object all = json_table(whole);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    for (const auto& [name, value] : json_table(whole.substr(0, size))) {
      EXPECT_EQ(value, all.at(name)) << name << " of a table cut at " << size;
    }
  }
}

TEST(JsonText, ReplacesWhatIsNoUtf8) {
  struct Row {
    std::string octets;
    std::string text;
  };
  const std::string bad = "\xef\xbf\xbd";
  const Row rows[] = {{"", ""},
                      {"plain", "plain"},
                      {"\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xb0", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xb0"},
                      {"a\xff"
                       "b",
                       "a" + bad + "b"},
                      {"\xc0\xaf", bad + bad},                      // overlong
                      {"\xed\xa0\x80", bad + bad + bad},            // a surrogate
                      {"\xf4\x90\x80\x80", bad + bad + bad + bad},  // beyond the last character
                      {"\xe2\x82", bad + bad}};                     // cut
  for (const Row& row : rows) EXPECT_EQ(json_text(row.octets), row.text);
}

TEST(Ends, AreReadFromTheNameOfAConnection) {
  EXPECT_EQ(ends_of("127.0.0.1:40000 -> 127.0.0.1:5672"),
            (Ends{.peer_host = "127.0.0.1", .peer_port = 40000, .host = "127.0.0.1", .port = 5672}));
  EXPECT_EQ(ends_of("[::1]:40000 -> [::1]:5672"),
            (Ends{.peer_host = "::1", .peer_port = 40000, .host = "::1", .port = 5672}));
  EXPECT_EQ(ends_of("something else"), Ends{});
}

}  // namespace
}  // namespace quorate::http

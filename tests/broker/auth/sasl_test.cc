// SASL: what is offered, who is named by a response, and the words of every refusal (features.md P008–P013).
#include "broker/auth/sasl.h"

#include <gtest/gtest.h>

#include <vector>

#include "broker/amqp/table_codec.h"

namespace quorate::auth {

namespace {

using namespace std::string_literals;
using Kind = SaslError::Kind;

const std::vector<std::string> kConfigured = {"PLAIN", "AMQPLAIN", "EXTERNAL", "ANONYMOUS"};

SaslOptions plain_socket() {
  return {.mechanisms = kConfigured, .anonymous_login = SaslOptions::Login{"guest", "guest"}};
}

std::expected<Credentials, SaslError> plain(std::string_view response) {
  return parse_response("PLAIN", as_bytes(response), plain_socket());
}
std::expected<Credentials, SaslError> amqplain(const Table& table) {
  return parse_response("AMQPLAIN", amqp::encode_table(table), plain_socket());
}

}  // namespace

TEST(Sasl, OffersWhatIsConfiguredAndPossible) {
  SaslOptions options = plain_socket();
  EXPECT_EQ(offered_mechanisms(options), "PLAIN AMQPLAIN ANONYMOUS");
  options.is_tls = true;
  EXPECT_EQ(offered_mechanisms(options), "PLAIN AMQPLAIN EXTERNAL ANONYMOUS");
  options.anonymous_login.reset();
  EXPECT_EQ(offered_mechanisms(options), "PLAIN AMQPLAIN EXTERNAL");
  const std::vector<std::string> odd = {"AMQPLAIN", "X-NONSENSE", "RABBIT-CR-DEMO"};
  options.mechanisms = odd;
  EXPECT_EQ(offered_mechanisms(options), "AMQPLAIN");
}

TEST(Sasl, TellsUnknownMechanismsFromThoseNotOffered) {
  const auto error = [](std::string_view mechanism) { return parse_response(mechanism, {}, plain_socket()).error(); };
  EXPECT_EQ(error("KERBEROS"), (SaslError{Kind::unknown_mechanism, "unknown authentication mechanism 'KERBEROS'"}));
  EXPECT_EQ(error("plain"), (SaslError{Kind::unknown_mechanism, "unknown authentication mechanism 'plain'"}));
  EXPECT_EQ(error(""), (SaslError{Kind::unknown_mechanism, "unknown authentication mechanism ''"}));
  EXPECT_EQ(error("EXTERNAL"), (SaslError{Kind::unknown_mechanism, "invalid authentication mechanism 'EXTERNAL'"}));
  EXPECT_EQ(error("RABBIT-CR-DEMO"),
            (SaslError{Kind::unknown_mechanism, "invalid authentication mechanism 'RABBIT-CR-DEMO'"}));
}

TEST(SaslPlain, NamesUserAndPassword) {
  EXPECT_EQ(*plain("\0guest\0secret"s), (Credentials{.user = "guest", .password = "secret"}));
  EXPECT_EQ(*plain("\0guest\0"s), (Credentials{.user = "guest"}));
  EXPECT_EQ(*plain("\0\0"s), Credentials{});
  EXPECT_EQ(*plain("\0über\0pass wörd"s), (Credentials{.user = "über", .password = "pass wörd"}));
}

TEST(SaslPlain, RefusesEverythingElse) {
  struct Row {
    std::string response;
    std::string text;
  };
  const Row rows[] = {
      {"", "response <<>> invalid"},
      {"guest", "response <<\"guest\">> invalid"},
      {"say \"hi\"", "response <<\"say \\\"hi\\\"\">> invalid"},
      {"\0a"s, "response <<0,97>> invalid"},
      {"me\0a\0b"s, "response <<109,101,0,97,0,98>> invalid"},  // an authorization identity
      {"\0a\0b\0"s, "response <<0,97,0,98,0>> invalid"},
  };
  for (const Row& row : rows) EXPECT_EQ(plain(row.response).error(), (SaslError{Kind::malformed, row.text}));
}

TEST(SaslPlain, NeedsBothZeros) {
  const std::string whole = "\0guest\0secret"s;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(plain(whole.substr(0, size)).has_value(), size >= "\0guest\0"s.size()) << size;
  }
}

TEST(SaslAmqplain, NamesUserAndPassword) {
  const Credentials guest{.user = "guest", .password = "secret"};
  EXPECT_EQ(*amqplain({{{"LOGIN", "guest"}, {"PASSWORD", "secret"}}}), guest);
  EXPECT_EQ(*amqplain({{{"more", 1}, {"PASSWORD", ByteArray{"secret"}}, {"LOGIN", "guest"}}}), guest);
}

TEST(SaslAmqplain, RefusesWhatIsMissingOrOfAnotherType) {
  EXPECT_EQ(amqplain({}).error(),
            (SaslError{Kind::malformed, "AMQPLAIN auth info [] is missing LOGIN or PASSWORD field"}));
  EXPECT_EQ(amqplain({{{"LOGIN", "me"}}}).error().text,
            "AMQPLAIN auth info [{<<76,79,71,73,78>>,longstr,<<109,101>>}] is missing LOGIN or PASSWORD field");
  EXPECT_EQ(amqplain({{{"LOGIN", "me"}, {"PASSWORD", 5}}}).error().text,
            "AMQPLAIN auth info [{<<76,79,71,73,78>>,longstr,<<109,101>>},{<<80,65,83,83,87,79,82,68>>,signedint,5}] "
            "uses unsupported type for LOGIN or PASSWORD field");
  EXPECT_FALSE(amqplain({{{"login", "me"}, {"password", "secret"}}}));
}

TEST(SaslAmqplain, RefusesATableCutAnywhere) {
  const auto whole = amqp::encode_table(Table{{{"LOGIN", "guest"}, {"PASSWORD", "secret"}, {"tail", Array{{1}}}}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto parsed = parse_response("AMQPLAIN", ByteView(whole).first(size), plain_socket());
    const bool is_cut_between_fields = size == whole.size() - amqp::encode_table(Table{{{"tail", Array{{1}}}}}).size();
    EXPECT_EQ(parsed.has_value(), is_cut_between_fields) << size;
  }
}

TEST(SaslExternal, TrustsTheCertificate) {
  SaslOptions options = plain_socket();
  options.is_tls = true;
  options.peer_name = "CN=robot";
  EXPECT_EQ(*parse_response("EXTERNAL", {}, options),
            (Credentials{.kind = Credentials::Kind::external, .user = "CN=robot"}));
  options.peer_name.reset();
  EXPECT_EQ(parse_response("EXTERNAL", {}, options).error(),
            (SaslError{Kind::refused, "connection peer presented no TLS (x.509) certificate"}));
}

TEST(SaslAnonymous, LogsInAsTheConfiguredUser) {
  const auto parsed = parse_response("ANONYMOUS", as_bytes("a trace"), plain_socket());
  EXPECT_EQ(*parsed, (Credentials{.user = "guest", .password = "guest"}));
}

TEST(Sasl, TellsTheRefusedClientNothingMore) {
  EXPECT_EQ(login_refusal("PLAIN"),
            "Login was refused using authentication mechanism PLAIN. For details see the broker logfile.");
}

}  // namespace quorate::auth

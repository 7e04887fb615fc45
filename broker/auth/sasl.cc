#include "broker/auth/sasl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "broker/message/field_cursor.h"

namespace quorate::auth {

namespace {

using Parsed = std::expected<Credentials, SaslError>;

std::unexpected<SaslError> refuse(SaslError::Kind kind, std::string text) {
  return std::unexpected(SaslError{.kind = kind, .text = std::move(text)});
}

/// Takes a zero octet and what follows it up to the next one.
std::optional<std::string_view> take_element(std::string_view& rest) {
  if (rest.empty() || rest.front() != '\0') return std::nullopt;
  rest.remove_prefix(1);
  const std::string_view element = rest.substr(0, rest.find('\0'));
  rest.remove_prefix(element.size());
  return element;
}

/// response := 0 user 0 password: RFC 4616 with an empty authorization identity.
Parsed parse_plain(ByteView response, const SaslOptions&) {
  std::string_view rest = as_text(response);
  const auto user = take_element(rest);
  const auto password = user ? take_element(rest) : std::nullopt;
  if (!password || !rest.empty()) {
    return refuse(SaslError::Kind::malformed,
                  fmt::format("response {} invalid", erlang_binary(as_text(response), ErlangFormat::p)));
  }
  return Credentials{.user = std::string(*user), .password = std::string(*password)};
}

/// response := table without its size, with LOGIN and PASSWORD.
Parsed parse_amqplain(ByteView response, const SaslOptions&) {
  const auto complain = [&](std::string_view what) {
    return refuse(SaslError::Kind::malformed,
                  fmt::format("AMQPLAIN auth info {} {}", erlang_table(response, ErlangFormat::w), what));
  };
  const auto is_text = [](const FieldValue& value) { return value.tag == 'S' || value.tag == 'x'; };
  FieldCursor fields(response);
  for (Field field; fields.next(field);) continue;
  const auto login = find_field_value(response, "LOGIN");
  const auto password = find_field_value(response, "PASSWORD");
  if (fields.malformed() || !login || !password) return complain("is missing LOGIN or PASSWORD field");
  if (!is_text(*login) || !is_text(*password)) return complain("uses unsupported type for LOGIN or PASSWORD field");
  return Credentials{.user = std::string(as_text(login->payload)), .password = std::string(as_text(password->payload))};
}

/// The response is not looked at: the certificate has said it all.
Parsed parse_external(ByteView, const SaslOptions& options) {
  if (!options.peer_name) {
    return refuse(SaslError::Kind::refused, "connection peer presented no TLS (x.509) certificate");
  }
  return Credentials{.kind = Credentials::Kind::external, .user = std::string(*options.peer_name)};
}

/// The response is at most a trace of who it was (RFC 4505).
Parsed parse_anonymous(ByteView, const SaslOptions& options) {
  const SaslOptions::Login& login = *options.anonymous_login;
  return Credentials{.user = std::string(login.user), .password = std::string(login.password)};
}

bool always(const SaslOptions&) { return true; }
bool never(const SaslOptions&) { return false; }
bool over_tls(const SaslOptions& options) { return options.is_tls; }
bool with_anonymous_login(const SaslOptions& options) { return options.anonymous_login.has_value(); }

struct Mechanism {
  std::string_view name;
  bool (*is_possible)(const SaslOptions&);  // asked besides the configuration
  Parsed (*parse)(ByteView response, const SaslOptions&);
};

constexpr std::array<Mechanism, 5> kMechanisms = {{
    {"AMQPLAIN", &always, &parse_amqplain},
    {"ANONYMOUS", &with_anonymous_login, &parse_anonymous},
    {"EXTERNAL", &over_tls, &parse_external},
    {"PLAIN", &always, &parse_plain},
    {"RABBIT-CR-DEMO", &never, nullptr},  // known by name only: it shows off secure and secure-ok
}};
static_assert(std::ranges::is_sorted(kMechanisms, std::ranges::less{}, &Mechanism::name));

const Mechanism* find_mechanism(std::string_view name) {
  const auto* mechanism = std::ranges::find(kMechanisms, name, &Mechanism::name);
  return mechanism == kMechanisms.end() ? nullptr : mechanism;
}

bool is_offered(const Mechanism& mechanism, const SaslOptions& options) {
  return mechanism.is_possible(options) &&
         std::ranges::find(options.mechanisms, mechanism.name) != options.mechanisms.end();
}

}  // namespace

std::string offered_mechanisms(const SaslOptions& options) {
  std::string list;
  for (const std::string& name : options.mechanisms) {
    const Mechanism* mechanism = find_mechanism(name);
    if (mechanism == nullptr || !is_offered(*mechanism, options)) continue;
    if (!list.empty()) list += ' ';
    list += name;
  }
  return list;
}

std::expected<Credentials, SaslError> parse_response(std::string_view mechanism, ByteView response,
                                                     const SaslOptions& options) {
  const Mechanism* known = find_mechanism(mechanism);
  if (known == nullptr) {
    return refuse(SaslError::Kind::unknown_mechanism, fmt::format("unknown authentication mechanism '{}'", mechanism));
  }
  if (!is_offered(*known, options)) {
    return refuse(SaslError::Kind::unknown_mechanism, fmt::format("invalid authentication mechanism '{}'", mechanism));
  }
  return known->parse(response, options);
}

std::string login_refusal(std::string_view mechanism) {
  return fmt::format("Login was refused using authentication mechanism {}. For details see the broker logfile.",
                     mechanism);
}

}  // namespace quorate::auth

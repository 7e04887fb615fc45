// How a value of the configuration file is read and printed: one kind per struct, with parse (nothing, or what was
// expected) and print (what parse takes back). Used by the rows of config_keys.cc alone.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "broker/node/config_keys.h"

namespace quorate::config_values {

inline Accepted expected(std::string what) { return std::unexpected(std::move(what)); }

inline std::optional<std::uint64_t> read_number(std::string_view text, std::string_view* rest = nullptr) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || (rest == nullptr && end != text.data() + text.size())) return std::nullopt;
  if (rest != nullptr) *rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// Bytes in one of a unit: 1 for none, powers of 1000 for kB and of 1024 for KiB (features.md O021).
inline std::optional<std::uint64_t> unit_bytes(std::string_view unit) {
  if (unit.empty()) return 1;
  static constexpr std::string_view kPrefixes = "kmgtp";
  const auto power = kPrefixes.find(static_cast<char>(unit.front() | 0x20));
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = unit.substr(1);
  const bool binary = rest == "i" || rest == "iB" || rest == "ib";
  if (!binary && !rest.empty() && rest != "B" && rest != "b") return std::nullopt;
  std::uint64_t bytes = 1;
  for (std::size_t i = 0; i <= power; ++i) bytes *= binary ? 1024 : 1000;
  return bytes;
}

template <class Field>
void assign(Field& field, std::uint64_t number) {
  if constexpr (requires { typename Field::rep; }) {
    field = Field(static_cast<typename Field::rep>(number));
  } else {
    field = static_cast<Field>(number);
  }
}

template <class Field>
std::uint64_t number_of(const Field& field) {
  if constexpr (requires { typename Field::rep; }) {
    return static_cast<std::uint64_t>(field.count());
  } else {
    return field;
  }
}

template <std::uint64_t kMin, std::uint64_t kMax>
struct Number {
  static Accepted parse(std::string_view text, auto& field) {
    const auto number = read_number(text);
    if (!number || *number < kMin || *number > kMax) {
      return expected(fmt::format("a number from {} to {}", kMin, kMax));
    }
    assign(field, *number);
    return {};
  }
  static std::string print(const auto& field) { return std::to_string(number_of(field)); }
};

/// A number with a word for one special value, such as `infinity`.
template <std::uint64_t kMin, std::uint64_t kMax, const std::string_view& kWord, std::uint64_t kWordValue>
struct NumberOr {
  static Accepted parse(std::string_view text, auto& field) {
    if (text == kWord) return assign(field, kWordValue), Accepted{};
    if (const auto number = read_number(text); number && *number >= kMin && *number <= kMax) {
      return assign(field, *number), Accepted{};
    }
    return expected(fmt::format("{} or a number from {} to {}", kWord, kMin, kMax));
  }
  static std::string print(const auto& field) {
    return number_of(field) == kWordValue ? std::string(kWord) : std::to_string(number_of(field));
  }
};
inline constexpr std::string_view kInfinity = "infinity";
inline constexpr std::string_view kAuto = "auto";
using Limit = NumberOr<0, kUnlimited - 1, kInfinity, kUnlimited>;
using Timeout = NumberOr<1, kUnlimited - 1, kInfinity, kUnlimited>;

template <std::uint64_t kMin, std::uint64_t kMax>
struct Size {
  static Accepted parse(std::string_view text, auto& field) {
    std::string_view unit;
    const auto number = read_number(text, &unit);
    const auto factor = number ? unit_bytes(unit) : std::nullopt;
    if (!factor || *number > std::numeric_limits<std::uint64_t>::max() / *factor || *number * *factor < kMin ||
        *number * *factor > kMax) {
      return expected(fmt::format("a size from {} to {} bytes, such as 131072, 128KiB or 16MB", kMin, kMax));
    }
    assign(field, *number * *factor);
    return {};
  }
  static std::string print(const auto& field) { return std::to_string(number_of(field)); }
};

/// A size that may be left open.
template <std::uint64_t kMin, std::uint64_t kMax>
struct OptionalSize {
  static Accepted parse(std::string_view text, std::optional<std::uint64_t>& field) {
    std::uint64_t bytes = 0;
    if (auto accepted = Size<kMin, kMax>::parse(text, bytes); !accepted) return accepted;
    field = bytes;
    return {};
  }
  static std::string print(const std::optional<std::uint64_t>& field) { return field ? std::to_string(*field) : ""; }
};

/// A share such as 0.4; the field may be one that can be left open.
template <unsigned kMax>
struct Share {
  static Accepted parse(std::string_view text, auto& field) {
    double share = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
    const bool is_share = error == std::errc{} && end == text.data() + text.size() && share >= 0 && share <= kMax;
    if (!is_share) return expected(fmt::format("a share from 0 to {}, such as 0.4", kMax));
    field = share;
    return {};
  }
  static std::string print(double field) { return fmt::format("{}", field); }
  static std::string print(const std::optional<double>& field) { return field ? print(*field) : ""; }
};

struct Flag {
  static Accepted parse(std::string_view text, bool& field) {
    const bool yes = text == "true" || text == "on";
    if (!yes && text != "false" && text != "off") return expected("true or false");
    field = yes;
    return {};
  }
  static std::string print(bool field) { return field ? "true" : "false"; }
};

struct Text {
  static Accepted parse(std::string_view text, std::string& field) {
    if (text.empty()) return expected("a value");
    field = text;
    return {};
  }
  static std::string print(const std::string& field) { return field; }
};

/// Text with a word that means none.
template <const std::string_view& kWord>
struct TextOr {
  static Accepted parse(std::string_view text, std::string& field) {
    if (text == kWord) return field.clear(), Accepted{};
    return Text::parse(text, field);
  }
  static std::string print(const std::string& field) { return field.empty() ? std::string(kWord) : field; }
};
inline constexpr std::string_view kNone = "none";
inline constexpr std::string_view kFalse = "false";

template <class Value>
struct Word {
  std::string_view word;
  Value value;
};

template <const auto& kWords>
struct OneOf {
  static Accepted parse(std::string_view text, auto& field) {
    for (const auto& row : kWords) {
      if (row.word == text) return field = row.value, Accepted{};
    }
    std::string words;
    for (const auto& row : kWords) words += (words.empty() ? "" : ", ") + std::string(row.word);
    return expected((kWords.size() == 1 ? "" : "one of ") + words);
  }
  static std::string print(const auto& field) {
    const auto row = std::ranges::find_if(kWords, [&](const auto& word) { return word.value == field; });
    return row == kWords.end() ? std::string() : std::string(row->word);
  }
};
inline constexpr std::array kLevels = {Word{"debug", log::Level::debug},       Word{"info", log::Level::info},
                                       Word{"warning", log::Level::warning},   Word{"error", log::Level::error},
                                       Word{"critical", log::Level::critical}, Word{"none", log::Level::none},
                                       Word{"notice", log::Level::warning},    Word{"alert", log::Level::critical},
                                       Word{"emergency", log::Level::critical}};
inline constexpr std::array kFormats = {Word{"plaintext", log::Format::text}, Word{"json", log::Format::json}};
inline constexpr std::array kVerifications = {Word{"verify_none", PeerVerification::none},
                                              Word{"verify_peer", PeerVerification::peer}};
inline constexpr std::array kTlsVersions = {Word{"tlsv1.2", TlsVersion::tls1_2}, Word{"tlsv1.3", TlsVersion::tls1_3}};
inline constexpr std::array kCertificateNames = {
    Word{"distinguished_name", CertificateName::distinguished_name}, Word{"common_name", CertificateName::common_name},
    Word{"subject_alternative_name", CertificateName::subject_alternative_name},
    Word{"subject_alt_name", CertificateName::subject_alternative_name}};
inline constexpr std::array kAlternativeNames = {
    Word{"dns", AlternativeNameType::dns}, Word{"ip", AlternativeNameType::ip},
    Word{"email", AlternativeNameType::email}, Word{"uri", AlternativeNameType::uri},
    Word{"other_name", AlternativeNameType::other_name}};
inline constexpr std::array<Word<std::string_view>, 4> kMechanisms = {
    {{"PLAIN", "PLAIN"}, {"AMQPLAIN", "AMQPLAIN"}, {"ANONYMOUS", "ANONYMOUS"}, {"EXTERNAL", "EXTERNAL"}}};
inline constexpr std::array<Word<std::string_view>, 2> kQueueTypes = {{{"classic", "classic"}, {"quorum", "quorum"}}};
inline constexpr std::array kPartitionHandlings = {Word{"pause_minority", PartitionHandling::pause_minority},
                                                   Word{"ignore", PartitionHandling::ignore},
                                                   Word{"autoheal", PartitionHandling::autoheal}};
inline constexpr std::array kDiscoveries = {
    Word{"classic_config", PeerDiscovery::list}, Word{"rabbit_peer_discovery_classic_config", PeerDiscovery::list},
    Word{"dns", PeerDiscovery::dns}, Word{"rabbit_peer_discovery_dns", PeerDiscovery::dns}};
inline constexpr std::array kLocators = {Word{"client-local", false}, Word{"balanced", true}, Word{"random", true},
                                         Word{"least-leaders", true}, Word{"min-masters", true}};
inline constexpr std::array<std::string_view, 2> kInternal = {"internal", "rabbit_auth_backend_internal"};
inline constexpr std::array<std::string_view, 2> kOff = {"false", "off"};
inline constexpr std::array<std::string_view, 1> kSha256 = {"rabbit_password_hashing_sha256"};

/// `port`, `ip:port`, `name:port` or `[ipv6]:port`.
struct Address {
  static Accepted parse(std::string_view text, ListenAddress& field) {
    const auto wrong = [] { return expected("a port, ip:port or [ipv6]:port"); };
    const auto colon = text.rfind(':');
    std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
    const auto port = read_number(text.substr(colon == std::string_view::npos ? 0 : colon + 1));
    if (!port || *port == 0 || *port > 65'535 || (colon != std::string_view::npos && host.empty())) return wrong();
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (bracketed != (host.find(':') != std::string_view::npos)) return wrong();
    field.host = host;
    field.port = static_cast<std::uint16_t>(*port);
    return {};
  }
  static std::string print(const ListenAddress& field) {
    if (field.host.empty()) return std::to_string(field.port);
    const bool ipv6 = field.host.find(':') != std::string::npos;
    return ipv6 ? fmt::format("[{}]:{}", field.host, field.port) : fmt::format("{}:{}", field.host, field.port);
  }
};

/// `::`, `0.0.0.0`, `192.0.2.7`.
struct Ip {
  static Accepted parse(std::string_view text, std::string& field) {
    boost::system::error_code error;
    boost::asio::ip::make_address(text, error);
    if (error) return expected("an IP address");
    field = text;
    return {};
  }
  static std::string print(const std::string& field) { return field; }
};

/// NAME@HOST, as RabbitMQ writes it, or NODE_NAME@HOST:PORT where the name of the node does not say where it is.
struct Seed {
  static Accepted parse(std::string_view text, cluster::Seed& field) {
    auto seed = cluster::parse_seed(text);
    if (!seed || seed->name.empty()) return expected("name@host, name@host:port or name@node@host:port");
    field = std::move(*seed);
    return {};
  }
  static std::string print(const cluster::Seed& field) { return cluster::print_seed(field); }
};

}  // namespace quorate::config_values

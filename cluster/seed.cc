#include "cluster/seed.h"

#include <algorithm>
#include <charconv>

#include "cluster/plane/plane_options.h"

namespace quorate::cluster {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

bool parse_address(std::string_view text, Seed& out) {
  const bool is_bracketed = text.starts_with('[');
  const auto host_end = is_bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (host_end == std::string_view::npos) return false;
  out.host = text.substr(is_bracketed, host_end - is_bracketed);
  std::string_view rest = text.substr(host_end + is_bracketed);
  if (out.host.empty()) return false;
  if (rest.empty()) return true;
  if (!rest.starts_with(':')) return false;
  const auto port = parse_port(rest.substr(1));
  if (port) out.port = *port;
  return port.has_value();
}

}  // namespace

std::optional<Seed> parse_seed(std::string_view text) {
  Seed seed;
  const auto at = text.rfind('@');
  if (at == 0 || !parse_address(at == std::string_view::npos ? text : text.substr(at + 1), seed)) return std::nullopt;
  if (at == std::string_view::npos) return seed;
  const bool names_both = text.substr(0, at).find('@') != std::string_view::npos;
  seed.name = std::string(text.substr(0, at)) + (names_both ? "" : "@" + seed.host);
  return seed;
}

std::string print_seed(const Seed& seed) {
  const std::string address = print_address(seed.host, seed.port);
  if (seed.name.empty()) return address;
  const bool says_host = seed.name.ends_with("@" + seed.host);
  return says_host ? seed.name.substr(0, seed.name.size() - seed.host.size()) + address : seed.name + "@" + address;
}

}  // namespace quorate::cluster

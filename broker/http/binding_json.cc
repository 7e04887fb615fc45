#include "broker/http/binding_json.h"

#include <fmt/format.h>

#include "base/persistent_map.h"
#include "broker/http/json_fields.h"

namespace quorate::http {
namespace {

/// The form of application/x-www-form-urlencoded, with '~' encoded as well: it separates key and hash.
std::string quote_plus(std::string_view text) {
  static constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  std::string quoted;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      quoted.push_back(c);
    } else if (c == ' ') {
      quoted.push_back('+');
    } else {
      quoted += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return quoted;
}

}  // namespace

std::string properties_key(const cluster::Binding& binding) {
  const cluster::BindingKey& key = binding.key;
  if (key.arguments.empty()) return key.routing_key.empty() ? "~" : quote_plus(key.routing_key);
  return fmt::format("{}~{:08x}", quote_plus(key.routing_key),
                     static_cast<std::uint32_t>(stable_hash(std::string_view(key.arguments))));
}

boost::json::object binding_json(const cluster::Binding& binding) {
  const bool to_queue = binding.kind == cluster::Destination::Kind::queue;
  return {{"source", json_text(binding.source)},
          {"vhost", json_text(binding.vhost)},
          {"destination", json_text(binding.destination)},
          {"destination_type", to_queue ? "queue" : "exchange"},
          {"routing_key", json_text(binding.key.routing_key)},
          {"arguments", json_table(binding.key.arguments)},
          {"properties_key", properties_key(binding)}};
}

}  // namespace quorate::http

// The keys of the configuration file, one row each, sorted by name. From the rows come the parser, --help and
// docs/reference/config.md. To add a key: a field in config.h and a row in config_keys.cc.
#pragma once
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/node/config.h"

namespace quorate {

struct KeyValue {
  std::string key;
  std::string value;
  bool operator==(const KeyValue&) const = default;
};

/// Nothing, or what the value should have been ("a number from 0 to 65535").
using Accepted = std::expected<void, std::string>;

enum class Secrecy : std::uint8_t { open, secret };

/// A key that has effect. A segment of `name` that begins with `$` stands for a word of the operator's choice, as in
/// listeners.tcp.$name; the rows with one are lists, whose first item in a file replaces the default list.
struct ConfigKey {
  std::string_view name;
  std::string_view doc;
  Accepted (*set)(Config& config, std::string_view item, std::string_view value) = nullptr;
  /// Empties a list before its first item is set; null for a single value.
  void (*clear)(Config& config) = nullptr;
  /// The lines that make a fresh configuration equal to this one; null for another spelling of a key.
  std::vector<KeyValue> (*print)(const Config& config, std::string_view name) = nullptr;
  Secrecy secrecy = Secrecy::open;
};

/// A key that RabbitMQ knows and that changes nothing here. A last segment `*` stands for any rest.
struct InertKey {
  std::string_view name;
  std::string_view reason;
};

/// A value that RabbitMQ knows and that has no meaning here, and the one that stands in for it.
struct InertValue {
  std::string_view key;
  std::string_view value;
  std::string_view taken_for;
  std::string_view reason;
};

std::span<const ConfigKey> config_keys();
std::span<const InertKey> inert_config_keys();
std::span<const InertValue> inert_config_values();

/// Cuts at the dots; `\.` is a dot inside a segment.
std::vector<std::string> split_key(std::string_view key);
/// Whether `pattern` covers the key, and the word that stands for its `$` segment.
struct KeyMatch {
  bool matches = false;
  std::string item;
};
KeyMatch match_key(std::string_view pattern, const std::vector<std::string>& segments);

/// The known key with the smallest edit distance, spelled with the words of `key` where a row leaves them open;
/// empty when none is near.
std::string nearest_key(std::string_view key);

/// docs/reference/config.md, and the list at the end of --help.
std::string config_reference();
std::string config_key_summary();

}  // namespace quorate

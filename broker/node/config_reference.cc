// What is read off the rows of config_keys.cc: the row of a key, the nearest key, and the pages that list them all.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "broker/node/config_keys.h"

namespace quorate {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, diagonal + 1, changed});
    }
  }
  return row.back();
}

/// A row's name with the operator's words where it leaves them open.
std::string fill_pattern(std::string_view pattern, const std::vector<std::string>& words_given) {
  std::string filled;
  std::size_t i = 0;
  for (const std::string& segment : split_key(pattern)) {
    const bool is_open = segment.starts_with('$') && i < words_given.size();
    filled += (i == 0 ? "" : ".") + (is_open ? words_given[i] : segment);
    ++i;
  }
  return filled;
}

std::string printed_default(const ConfigKey& key) {
  const Config defaults;
  if (key.print == nullptr) return "";
  std::string text;
  for (const KeyValue& line : key.print(defaults, key.name)) {
    if (line.value.empty()) continue;
    const auto open = key.name.find('$');
    const bool has_item = open != std::string_view::npos && line.key.size() > open;
    text += (text.empty() ? "" : ", ") + (has_item ? line.key.substr(open) + " = " : "") + line.value;
  }
  return text;
}

}  // namespace

std::vector<std::string> split_key(std::string_view key) {
  std::vector<std::string> segments(1);
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '.') {
      segments.emplace_back();
    } else if (key[i] == '\\' && i + 1 < key.size() && key[i + 1] == '.') {
      segments.back().push_back(key[++i]);
    } else {
      segments.back().push_back(key[i]);
    }
  }
  return segments;
}

KeyMatch match_key(std::string_view pattern, const std::vector<std::string>& segments) {
  KeyMatch match;
  const std::vector<std::string> parts = split_key(pattern);
  const bool any_rest = parts.back() == "*";
  if (any_rest ? segments.size() < parts.size() : segments.size() != parts.size()) return {};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (any_rest && i + 1 == parts.size()) break;
    if (parts[i].starts_with('$')) {
      if (segments[i].empty()) return {};
      match.item = segments[i];
    } else if (parts[i] != segments[i]) {
      return {};
    }
  }
  match.matches = true;
  return match;
}

std::string nearest_key(std::string_view key) {
  const std::vector<std::string> segments = split_key(key);
  std::string nearest;
  std::size_t least = std::max<std::size_t>(2, key.size() / 3) + 1;
  const auto consider = [&](std::string_view pattern) {
    if (pattern.ends_with("*")) return;
    std::string candidate = fill_pattern(pattern, segments);
    const auto [shorter, longer] = std::minmax({key.size(), candidate.size()});
    if (longer - shorter >= least) return;  // at least so many letters differ
    const std::size_t distance = edit_distance(key, candidate);
    if (distance < least) {
      least = distance;
      nearest = std::move(candidate);
    }
  };
  for (const ConfigKey& row : config_keys()) consider(row.name);
  for (const InertKey& row : inert_config_keys()) consider(row.name);
  return nearest;
}

std::string config_reference() {
  std::string page = R"(# Configuration reference

Printed by `quorate --print-reference config`. The file has RabbitMQ's format: one `key = value` per line, `#` begins a
comment, `'…'` keeps a `#`, `$(NAME)` is the environment variable NAME, `include FILE` reads another file. Sizes take
kB, MB, GB and KiB, MiB, GiB. A `$word` in a key stands for a word of your choice; such keys are lists, and the first
line of one replaces its default. `--set key=value` wins over the file. An unknown key stops the start.

| key | default | meaning |
|---|---|---|
)";
  for (const ConfigKey& key : config_keys()) {
    const std::string value = printed_default(key);
    page += fmt::format("| `{}` | {} | {} |\n", key.name, value.empty() ? "" : "`" + value + "`", key.doc);
  }
  page += "\n## Keys of RabbitMQ that are accepted without effect\n\n| key | why |\n|---|---|\n";
  for (const InertKey& key : inert_config_keys()) page += fmt::format("| `{}` | {} |\n", key.name, key.reason);
  return page;
}

std::string config_key_summary() {
  std::string text;
  for (const ConfigKey& key : config_keys()) {
    const std::string value = printed_default(key);
    text += fmt::format("  {}{}\n      {}\n", key.name, value.empty() ? "" : " [" + value + "]", key.doc);
  }
  return text;
}

}  // namespace quorate

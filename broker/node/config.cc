#include "broker/node/config.h"

#include <fmt/format.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ranges>
#include <set>
#include <sstream>

#include "broker/node/config_keys.h"
#include "cluster/metadata/commands.h"

namespace quorate {
namespace {

constexpr unsigned kIncludeDepthMax = 8;

struct Setting {
  std::string key;
  std::string value;
  std::string place;  // "FILE:LINE", or the command line
};
using Settings = std::vector<Setting>;

std::unexpected<Error> wrong(const std::string& place, std::string_view what) {
  return failure(ErrorCode::invalid_argument, fmt::format("{}: {}", place, what));
}

Result<void> read_file(const std::filesystem::path& path, unsigned depth, Settings& settings);

/// $(NAME) becomes the environment's value.
Result<std::string> interpolate(std::string value, const std::string& place) {
  for (std::size_t at = 0; (at = value.find("$(", at)) != std::string::npos;) {
    const auto end = value.find(')', at);
    if (end == std::string::npos) return wrong(place, "'$(' without ')'");
    const std::string name = value.substr(at + 2, end - at - 2);
    const char* found = std::getenv(name.c_str());
    if (found == nullptr) return wrong(place, fmt::format("the environment variable '{}' is not set", name));
    const std::string_view text = found;
    value.replace(at, end + 1 - at, text);
    at += text.size();
  }
  return value;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// Reads the grammar of rabbitmq.conf (management.md 6.1):
///   file    = { line "\n" } ;
///   line    = [ key "=" value | "include" path ] [ "#" text ] ;
///   value   = text without "#" | "'" text "'" | "'''" text "'''" ;       quoted text may span lines
class Reader {
 public:
  Reader(std::string_view text, std::string name, unsigned depth, Settings& settings)
      : rest_(text), name_(std::move(name)), depth_(depth), settings_(settings) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
  }

  Result<void> read() {
    while (!rest_.empty()) {
      place_ = fmt::format("{}:{}", name_, line_);
      if (auto done = read_line(); !done) return done;
      skip_line();
    }
    return {};
  }

 private:
  Result<void> read_line() {
    skip_blanks();
    const std::string_view key = take(rest_.find_first_of(" \t\r\n=#"));
    skip_blanks();
    if (key.empty() && (rest_.empty() || rest_.front() == '\n' || rest_.front() == '#')) return {};
    if (key == "include" && !rest_.starts_with('=')) return include();
    if (key.empty() || !rest_.starts_with('=')) return wrong(place_, "expected 'key = value'");
    take(1);
    skip_blanks();
    auto value = read_value();
    if (!value) return std::unexpected(value.error());
    auto text = interpolate(std::move(*value), place_);
    if (!text) return std::unexpected(text.error());
    settings_.push_back({.key = std::string(key), .value = std::move(*text), .place = place_});
    return {};
  }

  Result<std::string> read_value() {
    const std::string_view quote = rest_.starts_with("'''") ? "'''" : rest_.starts_with('\'') ? "'" : "";
    if (quote.empty()) {
      const std::string_view value = trim(take(rest_.find_first_of("#\n")));
      if (value.empty()) return wrong(place_, "expected a value after '='");
      return std::string(value);
    }
    take(quote.size());
    const auto end = rest_.find(quote);
    if (end == std::string_view::npos) return wrong(place_, fmt::format("the value has no closing {}", quote));
    std::string value(take(end));
    take(quote.size());
    const auto line_end = std::min(rest_.find_first_of("#\n"), rest_.size());
    if (!trim(rest_.substr(0, line_end)).empty()) return wrong(place_, "unexpected text after the quoted value");
    return value;
  }

  /// A path or a pattern, relative to the including file; matches are read in byte order.
  Result<void> include() {
    const std::string pattern =
        (std::filesystem::path(name_).parent_path() / trim(take(rest_.find_first_of("#\n")))).string();
    if (depth_ >= kIncludeDepthMax) return wrong(place_, "too many files include each other");
    glob_t found{};
    const int outcome = glob(pattern.c_str(), 0, nullptr, &found);
    const std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + (outcome == 0 ? found.gl_pathc : 0));
    globfree(&found);
    const bool is_pattern = pattern.find_first_of("*?[") != std::string::npos;
    if (paths.empty() && !is_pattern) return wrong(place_, fmt::format("cannot find '{}' to include", pattern));
    for (const std::string& path : paths) {
      if (auto done = read_file(path, depth_ + 1, settings_); !done) return done;
    }
    return {};
  }

  void skip_blanks() { take(rest_.find_first_not_of(" \t\r")); }
  void skip_line() { take(rest_.find('\n')), take(1); }

  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    line_ += static_cast<unsigned>(std::ranges::count(taken, '\n'));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view rest_;
  std::string name_;
  unsigned depth_;
  Settings& settings_;
  unsigned line_ = 1;
  std::string place_;
};

Result<void> read_file(const std::filesystem::path& path, unsigned depth, Settings& settings) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf() || file.peek() == std::ifstream::traits_type::eof())) {
    return failure(ErrorCode::io, fmt::format("{}: cannot read the configuration file", path.string()));
  }
  return Reader(text.view(), path.string(), depth, settings).read();
}

Result<void> read_file_or_folder(const std::filesystem::path& path, Settings& settings) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return read_file(path, 0, settings);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.path().extension() == ".conf") names.insert(entry.path().string());
  }
  for (const std::string& name : names) {
    if (auto done = read_file(name, 0, settings); !done) return done;
  }
  return {};
}

Result<void> add_assignments(const std::vector<std::string>& assignments, Settings& settings) {
  for (const std::string& assignment : assignments) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos) return wrong("--set " + assignment, "expected key=value");
    settings.push_back({.key = std::string(trim(std::string_view(assignment).substr(0, equals))),
                        .value = std::string(trim(std::string_view(assignment).substr(equals + 1))),
                        .place = "--set"});
  }
  return {};
}

/// The row of a key and the word that stands for its `$` segment.
struct Found {
  const ConfigKey* row = nullptr;
  std::string item;
};

Found find_key(const std::vector<std::string>& segments) {
  for (const ConfigKey& row : config_keys()) {
    if (KeyMatch match = match_key(row.name, segments); match.matches) return {&row, std::move(match.item)};
  }
  return {};
}

const InertKey* find_inert_key(const std::vector<std::string>& segments) {
  for (const InertKey& row : inert_config_keys()) {
    if (match_key(row.name, segments).matches) return &row;
  }
  return nullptr;
}

/// Applies settings one by one. A list loses its default when its first item comes.
class Application {
 public:
  Result<void> apply(const Setting& setting) {
    const std::vector<std::string> segments = split_key(setting.key);
    if (const Found found = find_key(segments); found.row != nullptr) return apply(setting, found);
    if (const InertKey* row = find_inert_key(segments); row != nullptr) {
      loaded_.warnings.push_back(
          fmt::format("{}: '{}' is accepted without effect: {}", setting.place, setting.key, row->reason));
      return {};
    }
    const std::string near = nearest_key(setting.key);
    return wrong(setting.place, fmt::format("unknown configuration key '{}'{}", setting.key,
                                            near.empty() ? "; `quorate --print-reference config` lists the keys"
                                                         : ": did you mean '" + near + "'?"));
  }

  LoadedConfig take() { return std::move(loaded_); }

 private:
  Result<void> apply(const Setting& setting, const Found& found) {
    const bool is_secret = found.row->secrecy == Secrecy::secret;
    if (setting.value.starts_with("encrypted:")) {
      return wrong(setting.place, setting.key +
                                      ": encrypted values are not supported; $(NAME) reads a secret from "
                                      "the environment");
    }
    if (found.row->clear != nullptr && begun_lists_.insert(found.row).second) found.row->clear(loaded_.config);
    if (auto accepted = found.row->set(loaded_.config, found.item, effective(setting)); !accepted) {
      return wrong(setting.place, fmt::format("{}: expected {}{}", setting.key, accepted.error(),
                                              is_secret ? "" : ", found '" + setting.value + "'"));
    }
    return {};
  }

  /// Its value, or the one that stands in for it.
  std::string_view effective(const Setting& setting) {
    for (const InertValue& row : inert_config_values()) {
      if (row.key != setting.key || row.value != setting.value) continue;
      loaded_.warnings.push_back(fmt::format("{}: '{} = {}' is taken for {}: {}", setting.place, setting.key,
                                             setting.value, row.taken_for, row.reason));
      return row.taken_for;
    }
    return setting.value;
  }

  LoadedConfig loaded_;
  std::set<const ConfigKey*> begun_lists_;
};

/// What no single key can see.
Result<void> check_together(const Config& config) {
  const TlsOptions& tls = config.tls;
  const auto refuse = [](std::string text) { return failure(ErrorCode::invalid_argument, std::move(text)); };
  if (!config.tls_listeners.empty() && (tls.certificate_file.empty() || tls.key_file.empty())) {
    return refuse("listeners.ssl needs ssl_options.certfile and ssl_options.keyfile");
  }
  if (tls.fail_if_no_peer_certificate && tls.verify == PeerVerification::none) {
    return refuse("ssl_options.fail_if_no_peer_cert = true needs ssl_options.verify = verify_peer");
  }
  if (tls.verify == PeerVerification::peer && tls.ca_certificate_file.empty()) {
    return refuse("ssl_options.verify = verify_peer needs ssl_options.cacertfile");
  }
  if (config.cluster_name.size() > cluster::kClusterNameMaxBytes) {
    return refuse(fmt::format("cluster_name has more than {} octets", cluster::kClusterNameMaxBytes));
  }
  const bool is_dns = config.cluster.discovery == PeerDiscovery::dns;
  if (is_dns && config.cluster.discovery_hostname.empty()) {
    return refuse("cluster_formation.peer_discovery_backend = dns needs cluster_formation.dns.hostname");
  }
  if (!is_dns && !config.cluster.discovery_hostname.empty()) {
    return refuse("cluster_formation.dns.hostname needs cluster_formation.peer_discovery_backend = dns");
  }
  return {};
}

Result<LoadedConfig> apply_all(const Settings& settings) {
  Application application;
  std::set<std::string_view> overridden;
  std::vector<const Setting*> effective;
  for (const Setting& setting : std::views::reverse(settings)) {
    if (overridden.insert(setting.key).second) effective.push_back(&setting);
  }
  for (const Setting* setting : std::views::reverse(effective)) {
    if (auto done = application.apply(*setting); !done) return std::unexpected(done.error());
  }
  LoadedConfig loaded = application.take();
  if (auto done = check_together(loaded.config); !done) return std::unexpected(done.error());
  return loaded;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  const std::string_view full = name.data();
  return std::string(full.substr(0, full.find('.')));
}

/// A value as the reader takes it back.
std::string quote(const std::string& value) {
  const bool is_plain =
      value.find_first_of("#\n") == std::string::npos && !value.starts_with('\'') && trim(value) == value;
  if (is_plain) return value;
  const std::string_view mark = value.find('\'') == std::string::npos ? "'" : "'''";
  return fmt::format("{0}{1}{0}", mark, value);
}

}  // namespace

Result<LoadedConfig> load_config(const std::string& file, const std::vector<std::string>& assignments) {
  Settings settings;
  if (!file.empty()) {
    if (auto done = read_file_or_folder(file, settings); !done) return std::unexpected(done.error());
  }
  if (auto done = add_assignments(assignments, settings); !done) return std::unexpected(done.error());
  auto loaded = apply_all(settings);
  if (!loaded) return loaded;
  Config& config = loaded->config;
  if (config.node_name.empty()) config.node_name = "rabbit@" + host_name();
  return loaded;
}

Result<LoadedConfig> parse_config(std::string_view text, const std::string& name,
                                  const std::vector<std::string>& assignments) {
  Settings settings;
  if (auto done = Reader(text, name, 0, settings).read(); !done) return std::unexpected(done.error());
  if (auto done = add_assignments(assignments, settings); !done) return std::unexpected(done.error());
  return apply_all(settings);
}

std::string print_config(const Config& config) {
  std::string text;
  for (const ConfigKey& row : config_keys()) {
    if (row.print == nullptr || row.secrecy == Secrecy::secret) continue;
    for (const KeyValue& line : row.print(config, row.name)) {
      if (!line.value.empty()) text += fmt::format("{} = {}\n", line.key, quote(line.value));
    }
  }
  return text;
}

log::Options log_options(const Config& config) {
  const LogOptions& from = config.log;
  log::Options to;
  to.format = from.format;
  to.console = from.console;
  if (!from.file.empty()) to.file = (std::filesystem::path(from.directory) / from.file).string();
  to.level = log::Level::none;
  if (from.console) to.level = std::min(to.level, from.console_level);
  if (!from.file.empty()) to.level = std::min(to.level, from.file_level);
  const auto set = [&](log::Category category, log::Level level) {
    to.category_levels[static_cast<std::size_t>(category)] = level;
  };
  set(log::Category::general, from.default_level);
  set(log::Category::connection, from.connection_level);
  set(log::Category::channel, from.channel_level);
  set(log::Category::queue, from.queue_level);
  set(log::Category::storage, from.storage_level);
  set(log::Category::user, from.user_level);
  return to;
}

}  // namespace quorate

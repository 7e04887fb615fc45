#include "tests/tidy/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <span>

namespace quorate::tidy {
namespace {

// --- the tables ------------------------------------------------------------------------------------------------------

/// A folder includes itself and what stands before it.
constexpr std::array<std::string_view, 6> kFloors = {"base", "proto", "raft", "storage", "cluster", "broker"};

/// Inside broker/: what a room may include besides itself. "*" is every room.
struct Room {
  std::string_view name;
  std::span<const std::string_view> may_include;
};
constexpr std::string_view kBelowQueues[] = {"message", "metrics"};
constexpr std::string_view kBelowPolicies[] = {"message", "queue", "auth"};
constexpr std::string_view kBelowProtocols[] = {"message", "metrics", "exchange", "queue", "auth", "policy"};
constexpr std::string_view kBelowCommands[] = {"message", "exchange", "queue", "auth", "policy", "http"};
constexpr std::string_view kBelowLoads[] = {"message", "amqp", "http"};
constexpr std::string_view kEverything[] = {"*"};
constexpr Room kRooms[] = {
    {"alarms", {}},
    {"message", {}},
    {"metrics", {}},
    {"exchange", kBelowQueues},
    {"queue", kBelowQueues},
    {"auth", kBelowQueues},
    {"amqp", kBelowProtocols},
    {"http", kBelowProtocols},
    {"policy", kBelowPolicies},
    {"ctl", kBelowCommands},
    {"perf", kBelowLoads},
    {"node", kEverything},
    {"main.cc", kEverything},
};

/// A header of another house, where it may be named (path prefixes), and what to use elsewhere. The first row that the
/// header begins with decides.
struct Foreign {
  std::string_view header;
  std::span<const std::string_view> allowed;
  std::string_view instead;
};
constexpr std::string_view kAnywhere[] = {""};
constexpr std::string_view kBase[] = {"base/"};
constexpr std::string_view kStorage[] = {"storage/"};
constexpr std::string_view kCluster[] = {"cluster/"};
constexpr std::string_view kBroker[] = {"broker/"};
constexpr std::string_view kHttp[] = {"broker/http/"};
constexpr std::string_view kClusterAndBroker[] = {"cluster/", "broker/"};
constexpr std::string_view kRows[] = {"broker/amqp/", "broker/node/"};
constexpr std::string_view kCommandLines[] = {"broker/node/", "broker/ctl/", "broker/perf/"};
constexpr Foreign kForeigners[] = {
    {"CLI/", kCommandLines, "parse words in broker/node/command_line"},
    {"boost/asio", kClusterAndBroker, "post to a cluster/shard.h, or return an effect to the shell"},
    {"boost/beast", kHttp, "HTTP lives in broker/http"},
    {"boost/describe", kRows, "describe rows in broker/amqp or broker/node"},
    {"boost/json", kBroker, "JSON is for clients: broker/ writes it"},
    {"boost/mp11", kRows, "describe rows in broker/amqp or broker/node"},
    {"boost/pfr", kRows, "describe rows in broker/amqp or broker/node"},
    {"fmt/", kAnywhere, ""},
    {"google/", kCluster, "proto messages are converted in cluster/"},
    {"grpc", kCluster, "speak to other nodes through cluster/"},
    {"openssl/", kBroker, "TLS and hashes belong to broker/"},
    {"pcre2", kBroker, "regular expressions belong to broker/auth"},
    {"proto/", kCluster, "proto messages are converted in cluster/"},
    {"rocksdb/", kStorage, "use storage/log_store.h"},
    {"spdlog/", kBase, "use base/log.h"},
};
/// Folders of the operating system's headers.
constexpr std::string_view kSystemFolders[] = {"arpa/", "linux/", "net/", "netinet/", "sys/"};

/// A word of the language that has its place.
struct Word {
  std::string_view word;
  std::span<const std::string_view> allowed;
  std::string_view instead;
};
constexpr std::string_view kThreads[] = {"broker/node/node",
                                         "cluster/mailbox",
                                         "broker/main",
                                         "broker/perf/worker",
                                         "broker/node/cluster_link",
                                         "broker/node/orders",
                                         "cluster/formation",
                                         "cluster/plane/loop",
                                         "cluster/plane/outbound",
                                         "cluster/plane/outgoing_lane",
                                         "cluster/shard",
                                         "storage/info_log",
                                         "storage/log_reader",
                                         "storage/log_store",
                                         "storage/log_writer",
                                         "storage/worker"};
constexpr std::string_view kAtomics[] = {"base/bytes.h",          "base/log",          "cluster/mailbox",
                                         "cluster/shard",         "storage/ballast",   "storage/database",
                                         "storage/log_reader",    "storage/log_store", "storage/log_writer",
                                         "storage/retention",     "storage/worker",    "cluster/plane/incoming",
                                         "broker/node/listeners", "broker/node/node",  "broker/node/startup"};
constexpr std::string_view kUsePost = "post a batch to the owner's shard (cluster/shard.h)";
constexpr std::string_view kUseSnapshot = "publish an immutable snapshot, or keep a counter per shard";
constexpr std::string_view kUseClock = "take the time from the Clock of base/time.h";
constexpr std::string_view kUseRandom = "draw from the Random of base/random.h";
constexpr std::string_view kUseTimer = "wait for an event or a deadline, never for time to pass";
constexpr Word kWords[] = {
    {"rand", kBase, kUseRandom},
    {"sleep", kBase, kUseTimer},
    {"sleep_for", kBase, kUseTimer},
    {"sleep_until", kBase, kUseTimer},
    {"std::atomic", kAtomics, kUseSnapshot},
    {"std::condition_variable", kThreads, kUsePost},
    {"std::condition_variable_any", kThreads, kUsePost},
    {"std::jthread", kThreads, kUsePost},
    {"std::mt19937", kBase, kUseRandom},
    {"std::mt19937_64", kBase, kUseRandom},
    {"std::mutex", kThreads, kUsePost},
    {"std::random_device", kBase, kUseRandom},
    {"std::recursive_mutex", kThreads, kUsePost},
    {"std::shared_mutex", kThreads, kUsePost},
    {"std::thread", kThreads, kUsePost},
    {"system_clock", kBase, kUseClock},
    {"usleep", kBase, kUseTimer},
};

constexpr std::size_t kFileLinesAdvised = 450;
constexpr std::size_t kFunctionLinesAdvised = 60;
constexpr std::size_t kDecisionLinesMax = 60;

// --- small readers ---------------------------------------------------------------------------------------------------

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view trim_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

bool is_word_letter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Whether `word` stands in `line` by itself: not as a part of a longer name.
bool has_word(std::string_view line, std::string_view word) {
  for (std::size_t at = 0; (at = line.find(word, at)) != std::string_view::npos; ++at) {
    const bool begins = at == 0 || !is_word_letter(line[at - 1]);
    const auto end = at + word.size();
    if (begins && (end == line.size() || !is_word_letter(line[end]))) return true;
  }
  return false;
}

bool begins_with_one_of(std::string_view text, std::span<const std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return text.starts_with(prefix); });
}

/// The folder at the front of a path: "base" of "base/log.h".
std::string_view first_folder(std::string_view path) { return path.substr(0, path.find('/')); }

/// "amqp" of "broker/amqp/frame.h", "main.cc" of "broker/main.cc".
std::string_view room_of(std::string_view path) { return first_folder(path.substr(path.find('/') + 1)); }

/// The header that a line includes, and whether by quotes.
struct Include {
  std::string_view header;
  bool is_ours = false;
};
std::optional<Include> read_include(std::string_view raw_line) {
  raw_line = trim_left(raw_line);
  if (!raw_line.starts_with("#")) return std::nullopt;
  raw_line = trim_left(raw_line.substr(1));
  if (!raw_line.starts_with("include")) return std::nullopt;
  raw_line = trim_left(raw_line.substr(7));
  if (raw_line.empty() || (raw_line.front() != '"' && raw_line.front() != '<')) return std::nullopt;
  const bool is_ours = raw_line.front() == '"';
  const auto end = raw_line.find(is_ours ? '"' : '>', 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{raw_line.substr(1, end - 1), is_ours};
}

// --- the rules about includes: nothing, or what to do instead
// ------------------------------------------------------------

using Verdict = std::optional<std::string>;

Verdict judge_room(std::string_view path, std::string_view header) {
  const std::string_view from = room_of(path);
  const std::string_view to = room_of(header);
  if (from == to) return std::nullopt;
  const auto room = std::ranges::find(kRooms, from, &Room::name);
  if (room == std::end(kRooms)) return fmt::format("broker/{} has no row in tests/tidy/rules.cc: add one", from);
  const auto& allowed = room->may_include;
  if (std::ranges::find(allowed, "*") != allowed.end() || std::ranges::find(allowed, to) != allowed.end()) {
    return std::nullopt;
  }
  return fmt::format(
      "broker/{} may not include broker/{}: move the shared part down to broker/message, or let the caller pass what "
      "is "
      "needed (an interface, a value)",
      from, to);
}

Verdict judge_floor(std::string_view path, std::string_view header) {
  const auto from = std::ranges::find(kFloors, first_folder(path));
  const auto to = std::ranges::find(kFloors, first_folder(header));
  if (to == kFloors.end()) return fmt::format("\"{}\": name our headers from the root, others in <>", header);
  if (to > from) {
    return fmt::format("{}/ stands below {}/: pass a callback or a value up, or move \"{}\" down", *from, *to, header);
  }
  if (*from == "raft" && header == "base/log.h") {
    return "raft/ is arithmetic: return what happened as an output, its host logs it";
  }
  return *from == "broker" && *to == "broker" ? judge_room(path, header) : std::nullopt;
}

Verdict judge_foreigner(std::string_view path, const Include& include) {
  const auto row =
      std::ranges::find_if(kForeigners, [&](const Foreign& f) { return include.header.starts_with(f.header); });
  if (row != std::end(kForeigners)) {
    if (begins_with_one_of(path, row->allowed)) return std::nullopt;
    return fmt::format("\"{}\" is off its floor: {}", include.header, row->instead);
  }
  const bool is_system = include.is_ours || include.header.find('/') == std::string_view::npos ||
                         begins_with_one_of(include.header, kSystemFolders);
  if (is_system) return std::nullopt;
  return fmt::format("<{}>: a new library needs a page in docs/decisions and a row in tests/tidy/rules.cc",
                     include.header);
}

// --- the rule about co_await -----------------------------------------------------------------------------------------

/// GCC 12 frees twice what braces make inside a co_await expression. Reads from behind the word to the expression's
/// end.
bool has_braces(std::string_view expression) {
  int depth = 0;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '(') ++depth;
    if (c == ')' && --depth < 0) return false;
    if (c == ';' || (c == ',' && depth == 0)) return false;
    if (c == '{') return true;
  }
  return false;
}

void judge_awaits(const Text& source, std::string_view code, std::vector<Finding>& findings) {
  constexpr std::string_view kAwait = "co_await";
  for (std::size_t at = 0; (at = code.find(kAwait, at)) != std::string_view::npos; at += kAwait.size()) {
    if (!has_braces(code.substr(at + kAwait.size()))) continue;
    const auto line = static_cast<unsigned>(std::ranges::count(code.substr(0, at), '\n') + 1);
    findings.push_back({source.path, line, "braces inside a co_await expression: build the value on the line above"});
  }
}

}  // namespace

std::string print(const Finding& finding) { return fmt::format("{}:{}: {}", finding.path, finding.line, finding.what); }

std::string blank_comments_and_literals(std::string_view content) {
  std::string code(content);
  const auto blank_until = [&](std::size_t begin, std::size_t end) {
    end = std::min(end, code.size());
    for (std::size_t i = begin; i < end; ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
    return end;
  };
  const auto after = [&](std::string_view mark, std::size_t from) {
    const auto at = content.find(mark, from);
    return at == std::string_view::npos ? content.size() : at + mark.size();
  };
  std::size_t i = 0;
  while (i < content.size()) {
    const std::string_view rest = content.substr(i);
    const char before = i == 0 ? ' ' : content[i - 1];
    if (rest.starts_with("//")) {
      i = blank_until(i, content.find('\n', i));
    } else if (rest.starts_with("/*")) {
      i = blank_until(i, after("*/", i + 2));
    } else if (rest.starts_with("R\"") && !is_word_letter(before)) {
      const auto open = std::min(content.find('(', i), content.size());
      const std::string close = fmt::format("){}\"", content.substr(i + 2, open - i - 2));
      i = blank_until(i, after(close, open));
    } else if (rest.front() == '"' || (rest.front() == '\'' && !is_word_letter(before))) {
      std::size_t end = i + 1;
      while (end < content.size() && content[end] != rest.front() && content[end] != '\n') {
        end += content[end] == '\\' ? 2 : 1;
      }
      i = blank_until(i, end + 1);
    } else {
      ++i;
    }
  }
  return code;
}

std::vector<Finding> refusals_in_source(const Text& source) {
  std::vector<Finding> findings;
  const std::string code = blank_comments_and_literals(source.content);
  const auto raw_lines = split_lines(source.content);
  const auto code_lines = split_lines(code);
  for (std::size_t i = 0; i < code_lines.size(); ++i) {
    const auto refuse = [&](std::string what) {
      findings.push_back({source.path, static_cast<unsigned>(i + 1), std::move(what)});
    };
    const bool is_directive = trim_left(code_lines[i]).starts_with('#');
    if (const auto include = is_directive ? read_include(raw_lines[i]) : std::nullopt) {
      Verdict verdict = include->is_ours ? judge_floor(source.path, include->header) : std::nullopt;
      if (!verdict) verdict = judge_foreigner(source.path, *include);
      if (verdict) refuse(std::move(*verdict));
      continue;
    }
    for (const Word& word : kWords) {
      if (begins_with_one_of(source.path, word.allowed) || !has_word(code_lines[i], word.word)) continue;
      refuse(fmt::format("'{}' has no place here: {}", word.word, word.instead));
    }
  }
  judge_awaits(source, code, findings);
  return findings;
}

std::vector<Finding> advice_on_source(const Text& source) {
  std::vector<Finding> findings;
  const auto raw_lines = split_lines(source.content);
  const std::string code = blank_comments_and_literals(source.content);
  const auto code_lines = split_lines(code);
  if (raw_lines.size() > kFileLinesAdvised) {
    findings.push_back({source.path, 1, fmt::format("{} lines: is this one thing?", raw_lines.size())});
  }
  std::size_t function_begin = 0;
  for (std::size_t i = 0; i < code_lines.size(); ++i) {
    const std::string_view line = code_lines[i];
    const bool opens = !line.empty() && line.front() != ' ' && line.ends_with("{") && line.find(')') < line.size();
    if (opens) function_begin = i + 1;
    if (line == "}" && function_begin != 0) {
      const std::size_t length = i + 2 - function_begin;
      if (length > kFunctionLinesAdvised) {
        findings.push_back({source.path, static_cast<unsigned>(function_begin),
                            fmt::format("a function of {} lines: what would name its parts?", length)});
      }
      function_begin = 0;
    }
    if (has_word(raw_lines[i], "TODO") && raw_lines[i].find("TODO(#") == std::string_view::npos) {
      findings.push_back(
          {source.path, static_cast<unsigned>(i + 1), "a bare TODO: name an issue, TODO(#N), or write a decision"});
    }
  }
  const bool needs_head = source.path.ends_with(".h") || source.path.ends_with("_test.cc");
  if (needs_head && !source.content.starts_with("//")) {
    findings.push_back({source.path, 1, "no head comment: what is this file for?"});
  }
  return findings;
}

std::vector<Finding> refusals_in_page(const Text& page) {
  std::vector<Finding> findings;
  const auto lines = split_lines(page.content);
  bool in_code = false;
  std::size_t title_count = 0;
  for (const std::string_view line : lines) {
    if (line.starts_with("```")) in_code = !in_code;
    if (!in_code && line.starts_with("# ")) ++title_count;
  }
  if (title_count != 1) {
    findings.push_back({page.path, 1, fmt::format("{} titles: a page has exactly one line '# …'", title_count)});
  }
  if (page.path.find("docs/decisions/") != std::string::npos && lines.size() > kDecisionLinesMax) {
    findings.push_back(
        {page.path, static_cast<unsigned>(lines.size()),
         fmt::format("a decision says forces, choice, rejected and cost in {} lines", kDecisionLinesMax)});
  }
  return findings;
}

}  // namespace quorate::tidy

#include "broker/alarms/memory_files.h"

#include <charconv>

namespace quorate::alarms {
namespace {

constexpr std::size_t kCgroupPathMaxBytes = 4096;  // PATH_MAX

/// Takes the next line off the front, without its line feed; none when no whole line is left.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// Takes a word and the blanks before it off the front.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> read_number(std::string_view word) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> multiply(std::uint64_t number, std::uint64_t factor) {
  if (factor != 0 && number > std::numeric_limits<std::uint64_t>::max() / factor) return std::nullopt;
  return number * factor;
}

/// Whether a word stands in a list with commas between.
bool has_item(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == item) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

/// A path inside the hierarchy; the kernel writes `/..` for one above the root of our namespace.
std::optional<std::string> inside(std::string_view path) {
  const bool leads_out = path == "/.." || path.starts_with("/../");
  if (!path.starts_with('/') || leads_out || path.size() > kCgroupPathMaxBytes) return std::nullopt;
  return std::string(path);
}

}  // namespace

std::optional<std::uint64_t> parse_statm(std::string_view text, std::uint64_t page_bytes) {
  auto line = take_line(text);
  if (!line) return std::nullopt;
  take_word(*line);  // size of the address space
  const auto resident = read_number(take_word(*line));
  const auto shared = read_number(take_word(*line));
  if (!resident || !shared || *shared > *resident) return std::nullopt;
  return multiply(*resident - *shared, page_bytes);
}

std::optional<std::uint64_t> parse_mem_total(std::string_view text) {
  constexpr std::string_view kKey = "MemTotal:";
  constexpr std::uint64_t kKibibyte = 1024;  // what the file calls kB
  while (auto line = take_line(text)) {
    if (take_word(*line) != kKey) continue;
    const auto number = read_number(take_word(*line));
    if (!number || take_word(*line) != "kB") return std::nullopt;
    return multiply(*number, kKibibyte);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_cgroup_limit(std::string_view text) {
  const auto line = take_line(text);
  if (!line) return std::nullopt;
  return *line == "max" ? kNoLimit : read_number(*line);
}

CgroupPaths parse_cgroup_paths(std::string_view text) {
  CgroupPaths paths;
  while (const auto line = take_line(text)) {  // hierarchy:controllers:path
    const auto first = line->find(':');
    const auto second = first == std::string_view::npos ? first : line->find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line->substr(first + 1, second - first - 1);
    const std::string_view path = line->substr(second + 1);
    if (line->substr(0, first) == "0" && controllers.empty()) {
      paths.unified = inside(path);
    } else if (has_item(controllers, "memory")) {
      paths.v1_memory = inside(path);
    }
  }
  return paths;
}

}  // namespace quorate::alarms

// The process's log: one structured line per event, `event key=value …`, written by spdlog. Called at the shells only
// (connections, storage, start and stop), never per message, and never with a secret or a body.
// Levels: error = someone must act, warn = degraded, info = life cycle, debug = per connection detail.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace quorate::log {

enum class Level : std::uint8_t { debug, info, warning, error, critical, none };
enum class Format : std::uint8_t { text, json };

/// The categories of rabbitmq.conf's log.<category>.level, and what nodes of a cluster have with each other.
enum class Category : std::uint8_t { general, connection, channel, queue, storage, user, cluster };
inline constexpr std::size_t kCategoryCount = 7;
std::string_view category_name(Category category);

struct Options {
  Format format = Format::text;
  bool console = true;
  std::string file;  // empty = none
  Level level = Level::info;
  Level category_levels[kCategoryCount] = {Level::info, Level::info, Level::info, Level::info,
                                           Level::info, Level::info, Level::info};
};

/// Called once by main before any thread starts, and again to change levels; safe while others log.
void configure(const Options& options);
void set_levels(const Options& options);
bool enabled(Category category, Level level);
void write(Category category, Level level, std::string_view line);
void flush();

template <class... Args>
void event(Category category, Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(category, level)) write(category, level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(Category category, fmt::format_string<Args...> format, Args&&... args) {
  event(category, Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(Category category, fmt::format_string<Args...> format, Args&&... args) {
  event(category, Level::warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(Category category, fmt::format_string<Args...> format, Args&&... args) {
  event(category, Level::error, format, std::forward<Args>(args)...);
}
template <class... Args>
void debug(Category category, fmt::format_string<Args...> format, Args&&... args) {
  event(category, Level::debug, format, std::forward<Args>(args)...);
}

}  // namespace quorate::log

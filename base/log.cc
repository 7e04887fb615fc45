#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

namespace quorate::log {
namespace {

std::array<std::atomic<Level>, kCategoryCount> category_levels{};

spdlog::level::level_enum to_spdlog(Level level) {
  static constexpr std::array kLevels = {spdlog::level::debug, spdlog::level::info,     spdlog::level::warn,
                                         spdlog::level::err,   spdlog::level::critical, spdlog::level::off};
  return kLevels[static_cast<std::size_t>(level)];
}

/// The text of a line as the inside of a JSON string.
std::string escape_json(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20) {
      escaped += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

/// What clients call themselves must not begin lines of its own.
std::string escape_controls(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) {
      escaped += fmt::format("\\x{:02x}", octet);
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

std::atomic<Format> current_format{Format::text};

}  // namespace

std::string_view category_name(Category category) {
  static constexpr std::array<std::string_view, kCategoryCount> kNames = {"default", "connection", "channel", "queue",
                                                                          "storage", "user",       "cluster"};
  return kNames[static_cast<std::size_t>(category)];
}

void configure(const Options& options) {
  std::vector<spdlog::sink_ptr> sinks;
  if (options.console) sinks.push_back(std::make_shared<spdlog::sinks::stdout_sink_mt>());
  if (!options.file.empty()) {
    sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
  }
  auto logger = std::make_shared<spdlog::logger>("quorate", sinks.begin(), sinks.end());
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::info);
  logger->set_pattern(options.format == Format::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                                     : "%Y-%m-%d %H:%M:%S.%e %z [%l] %v");
  current_format = options.format;
  set_levels(options);
  spdlog::set_default_logger(std::move(logger));
}

void set_levels(const Options& options) {
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    category_levels[i] = std::max(options.level, options.category_levels[i]);
  }
}

bool enabled(Category category, Level level) {
  return level >= category_levels[static_cast<std::size_t>(category)].load(std::memory_order_relaxed);
}

void write(Category category, Level level, std::string_view line) {
  if (current_format == Format::json) {
    spdlog::log(to_spdlog(level), R"("category":"{}","msg":"{}")", category_name(category), escape_json(line));
  } else {
    spdlog::log(to_spdlog(level), "{} {}", category_name(category), escape_controls(line));
  }
}

void flush() { spdlog::default_logger()->flush(); }

}  // namespace quorate::log

#include "broker/ctl/control.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <ranges>
#include <utility>

#include "broker/http/refusal.h"

namespace quorate::ctl {
namespace {

namespace json = boost::json;

constexpr std::string_view kColumn = "column";

std::unexpected<CommandError> usage(std::string text) {
  return std::unexpected(CommandError{.exit = Exit::usage, .text = std::move(text)});
}

bool is_text_list(const json::value& value) {
  return value.is_array() &&
         std::ranges::all_of(value.get_array(), [](const json::value& item) { return item.is_string(); });
}

/// Every argument that the row names is there and a text; what nobody names is refused.
std::expected<void, CommandError> check(const Command& command, const json::object& arguments) {
  std::vector<std::string_view> known;
  for (std::string_view word : words(command.arguments)) {
    const bool is_many = word.ends_with('*');
    if (is_many || word.ends_with('<')) word.remove_suffix(1);
    known.push_back(word);
    const json::value* value = arguments.if_contains(word);
    if (value == nullptr && is_many) continue;
    if (value == nullptr) return usage("argument '" + std::string(word) + "' is missing");
    const bool is_right = is_many ? is_text_list(*value) : value->is_string();
    if (!is_right) return usage("argument '" + std::string(word) + "' is no text");
  }
  for (const std::string_view word : words(command.options)) {
    const OptionWord option = parse_option(word);
    known.push_back(option.name);
    const json::value* value = arguments.if_contains(option.name);
    if (value == nullptr) continue;
    if (option.has_value ? !value->is_string() : !value->is_bool())
      return usage("option '" + std::string(option.name) + "' is wrong");
  }
  for (const auto& [name, value] : arguments) {
    if (std::ranges::find(known, std::string_view(name)) == known.end()) {
      return usage("'" + std::string(name) + "' is no argument of " + std::string(command.name));
    }
  }
  return {};
}

/// Each argument may name several, separated by commas.
std::vector<std::string> asked_columns(const json::object& arguments) {
  std::vector<std::string> columns;
  const json::value* asked = arguments.if_contains(kColumn);
  if (asked == nullptr) return columns;
  for (const json::value& argument : asked->get_array()) {
    for (const auto part : std::views::split(std::string_view(argument.get_string()), ',')) {
      if (!part.empty()) columns.emplace_back(std::string_view(part));
    }
  }
  return columns;
}

std::expected<std::vector<std::string>, CommandError> columns_of(const Command& command,
                                                                 const json::object& arguments) {
  if (!command.is_list()) return {};
  std::vector<std::string> columns = asked_columns(arguments);
  if (columns.empty()) {
    const auto defaults = default_columns(command);
    return std::vector<std::string>(defaults.begin(), defaults.end());
  }
  const auto all = all_columns(command);
  std::string unknown;
  for (const std::string& column : columns) {
    if (std::ranges::find(all, column) == all.end()) unknown += (unknown.empty() ? "" : ", ") + column;
  }
  if (unknown.empty()) return columns;
  std::string known;
  for (const std::string_view column : all) known += (known.empty() ? "" : ", ") + std::string(column);
  return usage("no such column: " + unknown + ". There are: " + known);
}

/// Keeps the columns asked for, in that order.
void prune(json::value& data, const std::vector<std::string>& columns) {
  json::array pruned;
  for (const json::value& row : data.as_array()) {
    json::object kept;
    for (const std::string& column : columns) {
      const json::value* value = row.as_object().if_contains(column);
      kept[column] = value != nullptr ? *value : json::value(nullptr);
    }
    pruned.push_back(std::move(kept));
  }
  data = std::move(pruned);
}

}  // namespace

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return found;
    const auto end = std::min(text.find(' '), text.size());
    found.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::vector<std::string_view> default_columns(const Command& command) {
  return words(command.columns.substr(0, command.columns.find('|')));
}

std::vector<std::string_view> all_columns(const Command& command) {
  auto all = words(command.columns);
  std::erase(all, "|");
  return all;
}

OptionWord parse_option(std::string_view word) {
  OptionWord option{.name = word};
  if (const auto comma = word.find(','); comma != std::string_view::npos) {
    option.letter = word.substr(0, comma);
    option.name.remove_prefix(comma + 1);
  }
  option.has_value = option.name.ends_with('=');
  if (option.has_value) option.name.remove_suffix(1);
  return option;
}

const Command* find_command(std::span<const Command> commands, std::string_view name) {
  const auto found = std::ranges::find(commands, name, &Command::name);
  return found != commands.end() ? &*found : nullptr;
}

void Control::run(std::string_view name, json::object arguments, Done done) {
  const Command* command = find_command(commands_, name);
  if (command == nullptr) return done(usage("Command '" + std::string(name) + "' not found."));
  if (auto checked = check(*command, arguments); !checked) return done(std::unexpected(checked.error()));
  if (command->here != nullptr) return done(command->here(arguments));
  std::string refusal = command->answers_early ? ""
                        : command->changes     ? http::why_not_changed(view_)
                                               : http::why_not_shown(view_);
  if (!refusal.empty()) {
    return done(std::unexpected(CommandError{.exit = Exit::unavailable, .text = std::move(refusal)}));
  }
  for (std::string_view option : words(command->options)) {
    if (option == "vhost=" && !arguments.contains("vhost")) arguments["vhost"] = "/";
  }
  auto columns = columns_of(*command, arguments);
  if (!columns) return done(std::unexpected(columns.error()));
  if (!command->is_list()) return command->run(view_, arguments, std::move(done));
  auto then = [&view = view_, done = std::move(done), columns = std::move(*columns)](Outcome outcome) mutable {
    if (!outcome) return done(std::move(outcome));
    auto make = [answer = std::move(*outcome), columns = std::move(columns)]() mutable {
      prune(answer.data, columns);
      return std::move(answer);
    };
    http::aside(view, std::move(make), [done = std::move(done)](Answer answer) mutable { done(std::move(answer)); });
  };
  command->run(view_, arguments, std::move(then));
}

}  // namespace quorate::ctl

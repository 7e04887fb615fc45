#include "broker/ctl/commands.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <vector>

namespace quorate::ctl {

std::span<const Command> commands() {
  static const std::vector<Command> all = [] {
    const std::span<const Command> of_change = changing_commands();
    std::vector<Command> changing(of_change.begin(), of_change.end());
    for (Command& command : changing) command.changes = true;
    std::vector<Command> both;
    std::ranges::merge(asking_commands(), changing, std::back_inserter(both), {}, &Command::name, &Command::name);
    return both;
  }();
  return all;
}

std::string text_of(const boost::json::object& arguments, std::string_view name) {
  return std::string(arguments.at(name).as_string());
}

bool is_set(const boost::json::object& arguments, std::string_view name) {
  const boost::json::value* value = arguments.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<std::chrono::milliseconds> limit_of(const boost::json::object& arguments) {
  if (!arguments.contains("within")) return std::nullopt;
  const std::string text = text_of(arguments, "within");
  std::chrono::milliseconds::rep count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc{} || count < 0 || count >= kForever.count()) return std::nullopt;
  return std::chrono::milliseconds(count);
}

}  // namespace quorate::ctl

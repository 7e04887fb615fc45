#include "broker/ctl/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>
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

std::chrono::milliseconds limit_of(const boost::json::object& arguments) {
  if (!arguments.contains("within")) return kWaitMax;
  const std::string text = text_of(arguments, "within");
  std::chrono::milliseconds::rep count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc{} || count < 0) return kWaitMax;
  return std::min(std::chrono::milliseconds(count), kWaitMax);
}

const cluster::Vhost* find_vhost(const http::BrokerView& view, const boost::json::object& arguments, Done& done) {
  const std::string name = text_of(arguments, "vhost");
  const cluster::Vhost* vhost = view.topology()->find_vhost(name);
  if (vhost == nullptr) fail(done, Exit::dataerr, fmt::format("Virtual host '{}' does not exist", name));
  return vhost;
}

void sort_rows(boost::json::array& rows, std::string_view column) {
  std::stable_sort(rows.begin(), rows.end(), [&](const boost::json::value& a, const boost::json::value& b) {
    return a.as_object().at(column).as_string() < b.as_object().at(column).as_string();
  });
}

void answer_rows(Done& done, boost::json::array rows, std::string_view column) {
  sort_rows(rows, column);
  done(Answer{.data = std::move(rows), .text = ""});
}

void submit(http::BrokerView& view, cluster::MetadataCommand command, std::string text, Done done) {
  view.submit(std::move(command), [text = std::move(text), done = std::move(done)](cluster::Outcome outcome) mutable {
    switch (outcome) {
      case cluster::Outcome::done:
      case cluster::Outcome::unknown:  // carried out, and nothing more is known
        return done(Answer{.data = nullptr, .text = std::move(text)});
      case cluster::Outcome::exists:
        return fail(done, Exit::dataerr, "it exists already");
      case cluster::Outcome::not_found:
        return fail(done, Exit::dataerr, "it does not exist any more");
      case cluster::Outcome::in_use:
        return fail(done, Exit::unavailable, "it is in use");
      case cluster::Outcome::refused:
        return fail(
            done, Exit::unavailable,
            "it cannot be done: what it is about has changed meanwhile, or its version does not know the command");
    }
  });
}

}  // namespace quorate::ctl

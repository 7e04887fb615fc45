#include "broker/ctl/door.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <utility>

#include "base/log.h"
#include "broker/ctl/descriptions.h"
#include "broker/http/json_fields.h"

namespace quorate::ctl {
namespace {

namespace json = boost::json;

std::optional<json::object> parse_object(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string body_of(std::string_view node, Outcome outcome) {
  json::object body{{"node", node}};
  if (outcome) {
    body["data"] = std::move(outcome->data);
    body["text"] = http::json_text(outcome->text);
  } else {
    body["exit"] = static_cast<int>(outcome.error().exit);
    body["error"] = http::json_text(outcome.error().text);
  }
  return json::serialize(body);
}

Outcome mistake(Exit exit, std::string text) {
  return std::unexpected(CommandError{.exit = exit, .text = std::move(text)});
}

/// Nothing when it is none.
std::optional<Wish> read_wish(std::string_view words) {
  const auto object = parse_object(words);
  const json::value* arguments = object ? object->if_contains("arguments") : nullptr;
  if (arguments == nullptr || !arguments->is_object()) return std::nullopt;
  return Wish{.command = http::text_at(*object, "command"),
              .node = http::text_at(*object, "node"),
              .arguments = arguments->get_object()};
}

/// The arguments without secrets, and without what only the tool understands.
std::string shown(const Command& command, json::object arguments) {
  for (std::string_view word : words(command.arguments)) {
    if (word.ends_with('<')) arguments.erase(word.substr(0, word.size() - 1));
  }
  for (const std::string_view word : words(command.options)) {
    if (const std::string_view name = parse_option(word).name; is_hidden(name)) arguments.erase(name);
  }
  return json::serialize(arguments);
}

/// Who changed something, and what came of it: a line when it has been answered. A wrong command line changed nothing.
Done noted(const Command& command, const json::object& arguments, const std::string& who, Done done) {
  std::string deed = fmt::format("who={} command={} arguments={}", who, command.name, shown(command, arguments));
  return [deed = std::move(deed), done = std::move(done)](Outcome outcome) mutable {
    constexpr auto kCategory = log::Category::user;
    if (outcome) {
      const bool is_count = outcome->data.is_number();
      log::info(kCategory, "operator.command {} result=ok{}", deed,
                is_count ? " count=" + json::serialize(outcome->data) : "");
    } else if (outcome.error().exit != Exit::usage) {
      log::info(kCategory, "operator.command {} result={} reason=\"{}\"", deed, static_cast<int>(outcome.error().exit),
                outcome.error().text);
    }
    done(std::move(outcome));
  };
}

void grant(Control& control, Wish wish, const std::string& who, Done done) {
  const std::string_view node = control.node_name();
  if (!wish.node.empty() && wish.node != node) {
    return done(mistake(Exit::unavailable, "this is node " + std::string(node) + ", not " + wish.node));
  }
  const Command* command = find_command(control.commands(), wish.command);
  if (command != nullptr && command->changes) done = noted(*command, wish.arguments, who, std::move(done));
  control.run(wish.command, std::move(wish.arguments), std::move(done));
}

}  // namespace

void serve(Control& control, const http::Request& request, http::Reply reply) {
  Done done = [reply = std::move(reply), node = std::string(control.node_name())](Outcome outcome) mutable {
    const unsigned status = outcome ? 200 : 422;
    reply({.status = status, .body = body_of(node, std::move(outcome)), .headers = {}});
  };
  const std::string_view target = request.target;
  if (request.method != "POST" || !target.starts_with(kControlPath)) {
    return done(mistake(Exit::usage, "POST /control/<command>"));
  }
  auto arguments = request.body.empty() ? std::optional(json::object()) : parse_object(request.body);
  if (!arguments) return done(mistake(Exit::usage, "the arguments are no JSON object"));
  grant(control,
        {.command = std::string(target.substr(kControlPath.size())),
         .node = std::string(request.header(kNodeHeader)),
         .arguments = std::move(*arguments)},
        "local", std::move(done));
}

std::string words_of(const Wish& wish) {
  return json::serialize(json::object{{"command", wish.command}, {"node", wish.node}, {"arguments", wish.arguments}});
}

void answer(Control& control, std::string_view words, const std::string& from,
            std::move_only_function<void(std::string)> done) {
  Done then = [done = std::move(done), node = std::string(control.node_name())](Outcome outcome) mutable {
    done(body_of(node, std::move(outcome)));
  };
  auto wish = read_wish(words);
  if (!wish) return then(mistake(Exit::usage, "the question is no command"));
  grant(control, std::move(*wish), from, std::move(then));
}

Heard read_reply(std::string_view body) {
  auto object = parse_object(body);
  if (!object) {
    return {.node = "",
            .outcome = std::unexpected(CommandError{.exit = Exit::software, .text = "the node's answer is no JSON"})};
  }
  Heard heard{.node = http::text_at(*object, "node"), .outcome = Answer{}};
  if (const json::value* exit = object->if_contains("exit"); exit != nullptr) {
    const int code = exit->is_int64() ? static_cast<int>(exit->get_int64()) : static_cast<int>(Exit::software);
    heard.outcome =
        std::unexpected(CommandError{.exit = static_cast<Exit>(code), .text = http::text_at(*object, "error")});
    return heard;
  }
  heard.outcome->text = http::text_at(*object, "text");
  if (const json::value* data = object->if_contains("data"); data != nullptr) heard.outcome->data = *data;
  return heard;
}

}  // namespace quorate::ctl

#include "broker/ctl/door.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <utility>

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

http::Response response_of(std::string_view node, const Outcome& outcome) {
  json::object body{{"node", node}};
  if (outcome) {
    body["data"] = outcome->data;
    body["text"] = http::json_text(outcome->text);
    return {.status = 200, .body = json::serialize(body), .headers = {}};
  }
  body["exit"] = static_cast<int>(outcome.error().exit);
  body["error"] = http::json_text(outcome.error().text);
  return {.status = 422, .body = json::serialize(body), .headers = {}};
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

void serve(Control& control, const http::Request& request, http::Reply reply) {
  const std::string node(control.node_name());
  const auto refuse = [&](std::string text) {
    reply(response_of(node, std::unexpected(CommandError{.exit = Exit::usage, .text = std::move(text)})));
  };
  const std::string_view target = request.target;
  if (request.method != "POST" || !target.starts_with(kControlPath)) return refuse("POST /control/<command>");
  const std::string_view wanted = request.header(kNodeHeader);
  if (!wanted.empty() && wanted != node) {
    return reply(response_of(
        node, std::unexpected(CommandError{.exit = Exit::unavailable,
                                           .text = "this is node " + node + ", not " + std::string(wanted)})));
  }
  auto arguments = request.body.empty() ? std::optional(json::object()) : parse_object(request.body);
  if (!arguments) return refuse("the arguments are no JSON object");
  control.run(target.substr(kControlPath.size()), std::move(*arguments),
              [reply = std::move(reply), node](const Outcome& outcome) mutable { reply(response_of(node, outcome)); });
}

Heard read_reply(std::string_view body) {
  auto object = parse_object(body);
  if (!object) {
    return {.node = "",
            .outcome = std::unexpected(CommandError{.exit = Exit::software, .text = "the node's answer is no JSON"})};
  }
  Heard heard{.node = text_at(*object, "node"), .outcome = Answer{}};
  if (const json::value* exit = object->if_contains("exit"); exit != nullptr) {
    const int code = exit->is_int64() ? static_cast<int>(exit->get_int64()) : static_cast<int>(Exit::software);
    heard.outcome = std::unexpected(CommandError{.exit = static_cast<Exit>(code), .text = text_at(*object, "error")});
    return heard;
  }
  heard.outcome->text = text_at(*object, "text");
  if (const json::value* data = object->if_contains("data"); data != nullptr) heard.outcome->data = *data;
  return heard;
}

}  // namespace quorate::ctl

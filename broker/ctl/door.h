// Control commands on the wire. The unix socket of a node speaks HTTP:
//   POST /control/<command>    {"argument": …}
//   200 {"node": …, "data": …, "text": …}    or    422 {"node": …, "exit": 65, "error": …}
// Who can open the socket may do everything: its file belongs to the node's user alone. From other machines the same
// command is a question on the listener for other nodes, {"command": …, "node": …, "arguments": {…}}, and the answer is
// the same body; who has the cluster's secret or a certificate of its authority may do everything.
#pragma once
#include <boost/json/object.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "broker/ctl/control.h"
#include "broker/http/message.h"

namespace quorate::ctl {

/// In the data directory.
inline constexpr std::string_view kSocketName = "control.sock";
inline constexpr std::string_view kControlPath = "/control/";
/// The name that the node must have, if the client insists on one.
inline constexpr std::string_view kNodeHeader = "x-node";

/// The kind of the question between machines.
inline constexpr std::string_view kControlQuestion = "control";

void serve(Control& control, const http::Request& request, http::Reply reply);

/// What a command is for: `node` is the name that the node must have, or empty.
struct Wish {
  std::string command;
  std::string node;
  boost::json::object arguments;
};
/// A wish as a question, and its answer as the body of a reply. `from` is for the log.
std::string words_of(const Wish& wish);
void answer(Control& control, std::string_view words, const std::string& from,
            std::move_only_function<void(std::string)> done);

/// What a client reads: the node's name, and the answer or the error.
struct Heard {
  std::string node;
  Outcome outcome;
};
/// An answer that is none of ours is an error of its own.
Heard read_reply(std::string_view body);

}  // namespace quorate::ctl

// Control commands over HTTP, as the unix socket of a node speaks them:
//   POST /control/<command>    {"argument": …}
//   200 {"node": …, "data": …, "text": …}    or    422 {"node": …, "exit": 65, "error": …}
// Who can open the socket may do everything: its file belongs to the node's user alone.
#pragma once
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

void serve(Control& control, const http::Request& request, http::Reply reply);

/// What a client reads: the node's name, and the answer or the error.
struct Heard {
  std::string node;
  Outcome outcome;
};
/// An answer that is none of ours is an error of its own.
Heard read_reply(std::string_view body);

}  // namespace quorate::ctl

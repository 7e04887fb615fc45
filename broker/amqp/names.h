// Rules for the names that clients give, and the refusals that more than one class of methods needs.
#pragma once
#include <string>
#include <string_view>

#include "broker/amqp/access.h"

namespace quorate::amqp {

/// RabbitMQ ignores CR and LF in names (features.md P080, P100).
inline std::string strip_line_breaks(std::string_view name) {
  std::string stripped(name);
  std::erase_if(stripped, [](char c) { return c == '\r' || c == '\n'; });
  return stripped;
}

inline bool has_reserved_prefix(std::string_view name) { return name.starts_with("amq."); }

inline Handled check_not_default_exchange(std::string_view name) {
  if (!name.empty()) return {};
  return refuse(ReplyCode::access_refused, "operation not permitted on the default exchange");
}

inline std::unexpected<AmqpError> no_such(auth::ResourceKind kind, std::string_view name, std::string_view vhost) {
  return refuse(ReplyCode::not_found, "no " + auth::describe({.kind = kind, .vhost = vhost, .name = name}));
}

}  // namespace quorate::amqp

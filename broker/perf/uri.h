// Where a broker is and who logs in there:
//   uri := "amqp://" [ user [":" password] "@" ] [ host ] [":" port ] [ "/" vhost ]
// User, password and virtual host may hold %XX. Without a host it is localhost, without a virtual host or with an empty
// one "/", as pika and amqp091-go have it. Pure.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace quorate::perf {

struct Uri {
  std::string user = "guest";
  std::string password = "guest";
  std::string host = "localhost";
  std::string port = "5672";
  std::string vhost = "/";
  bool operator==(const Uri&) const = default;
};

Result<Uri> parse_uri(std::string_view text);

}  // namespace quorate::perf

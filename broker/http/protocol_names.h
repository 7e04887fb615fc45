// The names that health checks may call a listener's protocol by, as RabbitMQ takes them.
#pragma once
#include <string_view>

namespace quorate::http {

/// "amqp" of "amqp091"; a name that is none of them stays.
std::string_view protocol_of(std::string_view asked);

}  // namespace quorate::http

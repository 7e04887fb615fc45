#include "broker/http/protocol_names.h"

#include <algorithm>
#include <iterator>

namespace quorate::http {
namespace {

struct ProtocolAlias {
  std::string_view asked;
  std::string_view protocol;
};
constexpr ProtocolAlias kAliases[] = {
    {"amqp091", "amqp"},
    {"amqp0-9-1", "amqp"},
    {"amqp0.9.1", "amqp"},
    {"amqp0_9_1", "amqp"},
    {"amqp10", "amqp"},
    {"amqp1.0", "amqp"},
    {"amqps", "amqp/ssl"},
    {"mqtt3.1", "mqtt"},
    {"mqtt3.1.1", "mqtt"},
    {"mqtts", "mqtt/ssl"},
    {"stomp1.0", "stomp"},
    {"stomp1.1", "stomp"},
    {"stomp1.2", "stomp"},
    {"management", "http"},
    {"management_ui", "http"},
    {"ui", "http"},
    {"http_api", "http"},
    {"cli", "clustering"},
    {"distribution", "clustering"},
    {"cli/ssl", "clustering/ssl"},
    {"distribution/ssl", "clustering/ssl"},
    {"cli/tls", "clustering/ssl"},
    {"distribution/tls", "clustering/ssl"},
    {"web-mqtt", "http/web-mqtt"},
    {"web-stomp", "http/web-stomp"},
};

}  // namespace

std::string_view protocol_of(std::string_view asked) {
  const auto* found = std::ranges::find(kAliases, asked, &ProtocolAlias::asked);
  return found != std::end(kAliases) ? found->protocol : asked;
}

}  // namespace quorate::http

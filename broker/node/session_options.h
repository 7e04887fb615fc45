// What of the configuration an AMQP session needs.
#pragma once
#include "broker/amqp/surroundings.h"
#include "broker/node/config.h"

namespace quorate {

inline amqp::SessionOptions session_options(const Config& config) {
  return {.node_name = config.node_name,
          .heartbeat_seconds = static_cast<std::uint16_t>(config.heartbeat.count()),
          .frame_max_bytes = config.frame_max_bytes,
          .initial_frame_max_bytes = config.initial_frame_max_bytes,
          .channel_max = static_cast<std::uint16_t>(config.channel_max),
          .consumer_max_per_channel = config.consumer_max_per_channel,
          .connection_max = config.connection_max,
          .channel_max_per_node = config.channel_max_per_node,
          .message_size_max_bytes = config.message_size_max_bytes,
          .default_queue_type =
              config.default_queue_type == "quorum" ? cluster::QueueType::quorum : cluster::QueueType::classic,
          .balances_leaders = config.balances_leaders,
          .relaxed_redeclaration = config.relaxed_redeclaration,
          .handshake_timeout = config.handshake_timeout,
          .consumer_timeout = config.consumer_timeout_ms == kUnlimited
                                  ? Duration::max()
                                  : Duration(std::chrono::milliseconds(config.consumer_timeout_ms)),
          .auth_mechanisms = config.auth_mechanisms,
          .anonymous_user = config.anonymous_login_user,
          .anonymous_password = config.anonymous_login_pass,
          .loopback_users = config.loopback_users};
}

}  // namespace quorate

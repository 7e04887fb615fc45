// The handshake of a connection: who we are, who the client is, what both agree on, and which vhost it enters
// (features.md P007-P022).
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "broker/amqp/session.h"
#include "broker/amqp/table_codec.h"
#include "broker/auth/password.h"
#include "broker/auth/sasl.h"
#include "broker/message/compatible_version.h"

namespace quorate::amqp {
namespace {

/// What clients take us for.
constexpr std::string_view kProduct = "RabbitMQ";
constexpr std::array<std::string_view, 9> kCapabilities = {
    "publisher_confirms",           "exchange_exchange_bindings", "basic.nack",
    "consumer_cancel_notify",       "connection.blocked",         "consumer_priorities",
    "authentication_failure_close", "per_consumer_qos",           "direct_reply_to"};

}  // namespace

Table Session::server_properties() const {
  Table capabilities;
  for (const std::string_view name : kCapabilities) capabilities.fields.emplace_back(std::string(name), Value(true));
  Table properties;
  properties.fields = {
      {"capabilities", Value(std::move(capabilities))},
      {"cluster_name", Value(std::string(surroundings_.topology()->cluster_name_or(options_.node_name)))},
      {"copyright", Value(std::string("Copyright (c) the Quorate authors"))},
      {"information", Value(std::string("Quorate " QUORATE_VERSION))},
      {"platform", Value(std::string("C++"))},
      {"product", Value(std::string(kProduct))},
      {"version", Value(std::string(kCompatibleVersion))}};
  return properties;
}

void Session::read_capabilities(const Table& client_properties) {
  if (const Value* name = client_properties.find("connection_name"); name != nullptr) {
    if (const auto* text = name->get_if<std::string>()) client_name_ = *text;
  }
  const Value* found = client_properties.find("capabilities");
  const Table* capabilities = found != nullptr ? found->get_if<Table>() : nullptr;
  const auto has = [&](std::string_view name) {
    const Value* value = capabilities != nullptr ? capabilities->find(name) : nullptr;
    const bool* on = value != nullptr ? value->get_if<bool>() : nullptr;
    return on != nullptr && *on;
  };
  can_fail_authentication_ = has("authentication_failure_close");
  can_be_blocked_ = has("connection.blocked");
  can_cancel_notify_ = has("consumer_cancel_notify");
}

auth::SaslOptions Session::sasl_options() const {
  auth::SaslOptions sasl{.mechanisms = options_.auth_mechanisms,
                         .anonymous_login = std::nullopt,
                         .is_tls = peer_.is_tls,
                         .peer_name = peer_.certificate_name};
  if (!options_.anonymous_user.empty()) {
    sasl.anonymous_login = {.user = options_.anonymous_user, .password = options_.anonymous_password};
  }
  return sasl;
}

Handled Session::on(const ConnectionStartOk& method) {
  const auto properties = decode_table(method.client_properties.encoded);
  if (!properties) return refuse(ReplyCode::syntax_error, properties.error().text);
  read_capabilities(*properties);
  client_properties_ = as_text(method.client_properties.encoded);
  mechanism_ = method.mechanism.text;
  return on_secure_login(method.mechanism.text, as_bytes(method.response.text));
}

Handled Session::on_secure_login(std::string_view mechanism, ByteView response) {
  const auto credentials = auth::parse_response(mechanism, response, sasl_options());
  if (credentials) return log_in(*credentials, mechanism);
  switch (credentials.error().kind) {
    case auth::SaslError::Kind::unknown_mechanism:
      return refuse(ReplyCode::command_invalid, credentials.error().text);
    case auth::SaslError::Kind::malformed:
      return refuse(ReplyCode::syntax_error, credentials.error().text);
    case auth::SaslError::Kind::refused:
      break;
  }
  return refuse_login(mechanism, credentials.error().text);
}

Handled Session::log_in(const auth::Credentials& credentials, std::string_view mechanism) {
  const cluster::User* user = surroundings_.topology()->users.find(credentials.user);
  if (credentials.kind == auth::Credentials::Kind::password) {
    const std::string_view hash = user != nullptr ? user->password_hash : auth::kNobodysHash;
    const bool is_right = auth::verify_password(credentials.password, hash);
    if (user == nullptr || !is_right) {
      return refuse_login(mechanism, "user '" + credentials.user + "': invalid credentials");
    }
  } else if (user == nullptr) {
    return refuse_login(mechanism, "user '" + credentials.user + "' does not exist");
  }
  const bool is_loopback_user =
      std::ranges::find(options_.loopback_users, credentials.user) != options_.loopback_users.end();
  if (is_loopback_user && !peer_.is_loopback) {
    return refuse_login(mechanism, "user '" + credentials.user + "' can only connect via localhost");
  }
  access_.enter(credentials.user, {});
  send_tune();
  return {};
}

Handled Session::refuse_login(std::string_view mechanism, std::string reason) {
  const AmqpError error{.code = ReplyCode::access_refused, .text = auth::login_refusal(mechanism)};
  if (can_fail_authentication_) {
    send_close(error);
  } else {
    hang_up(reason);
  }
  ended_by_error_ = true;
  close_reason_ = std::move(reason);
  return {};
}

void Session::send_tune() {
  send0(ConnectionTune{.channel_max = options_.channel_max,
                       .frame_max = options_.frame_max_bytes,
                       .heartbeat = options_.heartbeat_seconds});
  state_ = State::tuning;
}

Handled Session::on(const ConnectionTuneOk& method) {
  const auto refuse_value = [](std::string_view what, std::uint32_t value, std::string_view relation,
                               std::uint32_t bound) {
    return refuse(ReplyCode::not_allowed, "negotiated " + std::string(what) + " = " + std::to_string(value) +
                                              (value == 0 ? " (no limit)" : "") + " is " + std::string(relation) +
                                              " allowed value (" + std::to_string(bound) + ")");
  };
  const auto exceeds = [](std::uint32_t value, std::uint32_t bound) {
    return bound != 0 && (value == 0 || value > bound);
  };
  if (exceeds(method.frame_max, options_.frame_max_bytes)) {
    return refuse_value("frame_max", method.frame_max, "higher than the maximum", options_.frame_max_bytes);
  }
  if (method.frame_max != 0 && method.frame_max < limits::kFrameMinBytes) {
    return refuse_value("frame_max", method.frame_max, "lower than the minimum", limits::kFrameMinBytes);
  }
  if (exceeds(method.channel_max, options_.channel_max)) {
    return refuse_value("channel_max", method.channel_max, "higher than the maximum", options_.channel_max);
  }
  frame_max_ = method.frame_max;
  channel_max_ = method.channel_max;
  decoder_.set_frame_max(frame_max_);
  outbox_.set_frame_max(frame_max_);
  heartbeat_ = std::chrono::seconds(method.heartbeat);
  state_ = State::opening;
  return {};
}

Handled Session::on(const ConnectionOpen& method) {
  const std::string vhost(method.virtual_host.text);
  if (!surroundings_.admit(Surroundings::Counted::connection, options_.connection_max)) {
    return refuse(ReplyCode::not_allowed, "connection refused: node connection limit (" +
                                              std::to_string(options_.connection_max) + ") is reached");
  }
  admitted_ = true;
  const cluster::TopologyPtr& topology = surroundings_.topology();
  if (topology->find_vhost(vhost) == nullptr) {
    return refuse(ReplyCode::not_allowed, "vhost " + vhost + " not found");
  }
  const cluster::User* user = topology->users.find(access_.user());
  if (user == nullptr || user->permissions.find(vhost) == nullptr) {
    return refuse(ReplyCode::not_allowed, "access to vhost '" + vhost + "' refused for user '" + access_.user() + "'");
  }
  access_.enter(access_.user(), vhost);
  state_ = State::running;
  tick_at_ = now_ + limits::kChannelTickMax;
  send0(ConnectionOpenOk{});
  return {};
}

Handled Session::on(const ConnectionUpdateSecret&) {
  send0(ConnectionUpdateSecretOk{});
  return {};
}

}  // namespace quorate::amqp

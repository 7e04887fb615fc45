// What the user of a connection may do in its vhost. Follows the topology: a changed permission counts from the next
// request on.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "broker/amqp/reply.h"
#include "broker/auth/permissions.h"
#include "cluster/metadata/topology.h"

namespace quorate::amqp {

/// A request is done or refused.
using Handled = std::expected<void, AmqpError>;

inline std::unexpected<AmqpError> refuse(ReplyCode code, std::string text) {
  return std::unexpected(AmqpError{.code = code, .text = std::move(text)});
}

class Access {
 public:
  void enter(std::string user, std::string vhost) {
    user_ = std::move(user);
    vhost_ = std::move(vhost);
  }
  const std::string& user() const { return user_; }
  const std::string& vhost() const { return vhost_; }

  /// 403 with RabbitMQ's text unless the user may.
  Handled require(const cluster::Topology& topology, auth::Permission permission, auth::ResourceKind kind,
                  std::string_view name);
  /// Passive declarations need any of the three.
  Handled require_any(const cluster::Topology& topology, auth::ResourceKind kind, std::string_view name);

 private:
  void follow(const cluster::Topology& topology);

  std::string user_;
  std::string vhost_;
  std::uint64_t version_ = 0;  // of the topology that patterns_ were taken from
  cluster::PermissionPatterns patterns_;
  bool has_permissions_ = false;
  auth::Permissions permissions_;  // patterns_ compiled
  auth::PermissionCache cache_;
};

}  // namespace quorate::amqp

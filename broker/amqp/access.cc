#include "broker/amqp/access.h"

namespace quorate::amqp {

Handled Access::require(const cluster::Topology& topology, auth::Permission permission, auth::ResourceKind kind,
                        std::string_view name) {
  follow(topology);
  const auth::Resource resource{.kind = kind, .vhost = vhost_, .name = name};
  if (cache_.contains(permission, resource)) return {};
  if (!has_permissions_ || !permissions_.allow(permission, resource)) {
    return refuse(ReplyCode::access_refused, auth::refusal(permission, resource, user_));
  }
  cache_.remember(permission, resource);
  return {};
}

Handled Access::require_any(const cluster::Topology& topology, auth::ResourceKind kind, std::string_view name) {
  Handled verdict;
  for (const auto permission : {auth::Permission::read, auth::Permission::write, auth::Permission::configure}) {
    verdict = require(topology, permission, kind, name);
    if (verdict) return verdict;
  }
  return verdict;
}

void Access::follow(const cluster::Topology& topology) {
  if (topology.version == version_ && version_ != 0) return;
  version_ = topology.version;
  const cluster::User* user = topology.users.find(user_);
  const cluster::PermissionPatterns* patterns = user != nullptr ? user->permissions.find(vhost_) : nullptr;
  if (patterns == nullptr) {
    has_permissions_ = false;
    cache_.clear();
    return;
  }
  if (has_permissions_ && *patterns == patterns_) return;
  auto compiled = auth::Permissions::compile(patterns->configure, patterns->write, patterns->read);
  has_permissions_ = compiled.has_value();
  if (has_permissions_) permissions_ = std::move(*compiled);
  patterns_ = *patterns;
  cache_.clear();
}

}  // namespace quorate::amqp

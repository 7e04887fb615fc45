// A virtual host, and who may do what in it, as the HTTP API and the control commands show them.
#pragma once
#include <boost/json/object.hpp>
#include <string>

#include "broker/http/broker_view.h"

namespace quorate::http {

/// Its name, what operators say of it (`metadata`, and each key of that beside it), and the node's default queue type
/// where they say nothing.
boost::json::object vhost_json(const cluster::Vhost& vhost, const BrokerView& view);

boost::json::object permission_json(const std::string& user, const std::string& vhost,
                                    const cluster::PermissionPatterns& patterns);

}  // namespace quorate::http

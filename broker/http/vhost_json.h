// A virtual host as the HTTP API and the control commands show it.
#pragma once
#include <boost/json/object.hpp>

#include "broker/http/broker_view.h"

namespace quorate::http {

/// description, tags and default_queue_type: what operators say of it, and the node where they say nothing.
boost::json::object vhost_metadata_json(const cluster::Vhost& vhost, const BrokerView& view);

}  // namespace quorate::http

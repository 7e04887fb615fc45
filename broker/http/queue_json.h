// A queue and its parts as the HTTP API and the control commands show them.
#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "broker/http/broker_view.h"
#include "broker/policy/policy_book.h"

namespace quorate::http {

/// "classic" or "quorum"; of a queue: what it is now.
std::string_view queue_type(cluster::QueueType type);
inline std::string queue_type(const cluster::Queue& queue) { return std::string(queue_type(queue.type)); }

/// The common keys of management.md §1.6.7, and for a replicated queue those of §1.6.9.
boost::json::object queue_json(const QueueRow& queue, const policy::PolicyBook& policies);

}  // namespace quorate::http

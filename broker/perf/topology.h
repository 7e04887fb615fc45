// Declares the exchange, the queues and the bindings of a plan, on a connection of its own.
#pragma once
#include <boost/asio/awaitable.hpp>

#include "base/result.h"
#include "broker/perf/connection.h"
#include "broker/perf/plan.h"

namespace quorate::perf {

/// Opens `connection` and, if all went well, closes it.
boost::asio::awaitable<Result<void>> declare_topology(const Plan& plan, Connection& connection);

}  // namespace quorate::perf

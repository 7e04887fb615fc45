// Declares the exchange, the queues and the bindings of a plan, and deletes its queues, on connections of their own.
#pragma once
#include <boost/asio/awaitable.hpp>

#include "base/result.h"
#include "broker/perf/connection.h"
#include "broker/perf/plan.h"

namespace quorate::perf {

/// Opens `connection` and, if all went well, closes it.
boost::asio::awaitable<Result<void>> declare_topology(const Plan& plan, Connection& connection);

/// Deletes the queues that should go with their last consumer, for brokers do so some time after that: the next run's
/// declaration might find a queue that is about to go. Stops at one that somebody else uses.
boost::asio::awaitable<Result<void>> delete_queues(const Plan& plan, Connection& connection);

}  // namespace quorate::perf

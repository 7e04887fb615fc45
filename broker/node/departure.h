// Departure: a node that does not run leaves its cluster for good, and its data directory becomes that of a new node.
#pragma once
#include "base/result.h"
#include "broker/http/broker_view.h"
#include "broker/node/config.h"
#include "broker/node/orders.h"

namespace quorate {

/// Carries out reset or join_cluster. One of the others is asked to forget this node first, if they have not done so;
/// that blocks, for some seconds for each that does not answer. With force the node goes whether or not anybody could
/// be told.
Result<void> reset_node(const Config& config, const http::Order& order, const Situation& situation);

}  // namespace quorate

// What a node that has lost its cluster refuses, and in which words.
#pragma once
#include <string>

#include "broker/http/broker_view.h"

namespace quorate::http {

/// "this node is still starting: 1 of 3, waiting for rabbit@n2"
std::string what_it_is(const BrokerView& view);
/// Why an operator is shown nothing of users and queues; empty: he is. What a node knows that is cut off may be old.
std::string why_not_shown(const BrokerView& view);
/// Why nothing can be changed through this node now; empty: it can. Without a majority nobody decides.
std::string why_not_changed(const BrokerView& view);

}  // namespace quorate::http

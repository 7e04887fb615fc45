// Bindings as the HTTP API and the control commands show them (management.md §1.6.12), those that the default exchange
// has with every queue included.
#pragma once
#include <boost/json/object.hpp>
#include <string>

#include "cluster/metadata/topology.h"

namespace quorate::http {

boost::json::object binding_json(const cluster::Binding& binding);

/// What names a binding among those of the same two ends: its key, and a hash of its arguments if it has any.
std::string properties_key(const cluster::Binding& binding);

template <class Visit>
void for_each_binding(const cluster::Vhost& vhost, Visit&& visit) {
  vhost.queues.for_each([&](const std::string& name, const cluster::QueuePtr&) {
    visit(cluster::Binding{.vhost = vhost.name,
                           .source = "",
                           .kind = cluster::Destination::Kind::queue,
                           .destination = name,
                           .key = {.routing_key = name, .arguments = {}}});
  });
  vhost.exchanges.for_each([&](const std::string&, const cluster::ExchangePtr& exchange) {
    exchange->bindings.for_each([&](const std::string&, const cluster::BindingPtr& binding) { visit(*binding); });
  });
}

}  // namespace quorate::http

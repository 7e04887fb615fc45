// Every endpoint of the HTTP API: one function each, by subject in endpoints_<subject>.cc, and one row in endpoints.cc.
#pragma once
#include <span>

#include "broker/http/call.h"

namespace quorate::http {

std::span<const Route> api_routes();

namespace endpoints {

// --- health (management.md §1.3) ---
void is_in_service(Call call);
void ready_to_serve_clients(Call call);
void node_is_quorum_critical(Call call);
void alarms(Call call);
void local_alarms(Call call);
void reached_target_cluster_size(Call call);
void below_node_connection_limit(Call call);
void aliveness_test(Call call);
void virtual_hosts(Call call);
void port_listener(Call call);
void protocol_listener(Call call);

// --- nodes ---
void version(Call call);
void overview(Call call);
void cluster_name(Call call);
void set_cluster_name(Call call);
void nodes(Call call);
void node(Call call);

// --- queues ---
void queues(Call call);
void queue(Call call);

// --- names: what the topology knows ---
void whoami(Call call);
void vhosts(Call call);
void users(Call call);
void permissions(Call call);
void exchanges(Call call);
void bindings(Call call);

// --- policies ---
void policies(Call call);
void put_policy(Call call);
void clear_policy(Call call);
void operator_policies(Call call);
void put_operator_policy(Call call);
void clear_operator_policy(Call call);

// --- clients ---
void connections(Call call);
void close_connection(Call call);
void channels(Call call);
void consumers(Call call);

}  // namespace endpoints
}  // namespace quorate::http

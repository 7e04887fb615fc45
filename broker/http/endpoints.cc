#include "broker/http/endpoints.h"

namespace quorate::http {
namespace {

using namespace endpoints;

/// By path. Of two rows that fit, the first counts: a fixed word stands before a ":name".
constexpr Route kRoutes[] = {
    {"GET", "/api/aliveness-test/:vhost", &aliveness_test, Access::management},
    {"GET", "/api/bindings", &bindings, Access::management},
    {"GET", "/api/bindings/:vhost", &bindings, Access::management},
    {"GET", "/api/channels", &channels, Access::management},
    {"GET", "/api/channels/:name", &channels, Access::management},
    {"GET", "/api/cluster-name", &cluster_name, Access::management},
    {"PUT", "/api/cluster-name", &set_cluster_name, Access::administrator},
    {"GET", "/api/connections", &connections, Access::management},
    {"GET", "/api/connections/:name", &connections, Access::management},
    {"DELETE", "/api/connections/:name", &close_connection, Access::management},
    {"GET", "/api/consumers", &consumers, Access::management},
    {"GET", "/api/consumers/:vhost", &consumers, Access::management},
    {"GET", "/api/exchanges", &exchanges, Access::management},
    {"GET", "/api/exchanges/:vhost", &exchanges, Access::management},
    {"GET", "/api/exchanges/:vhost/:name", &exchanges, Access::management},
    {"GET", "/api/health/checks/alarms", &alarms, Access::management},
    {"GET", "/api/health/checks/below-node-connection-limit", &below_node_connection_limit, Access::anyone},
    {"GET", "/api/health/checks/is-in-service", &is_in_service, Access::anyone},
    {"GET", "/api/health/checks/local-alarms", &local_alarms, Access::management},
    {"GET", "/api/health/checks/node-is-quorum-critical", &node_is_quorum_critical, Access::management},
    {"GET", "/api/health/checks/port-listener/:port", &port_listener, Access::management},
    {"GET", "/api/health/checks/protocol-listener/:protocols", &protocol_listener, Access::management},
    {"GET", "/api/health/checks/ready-to-serve-clients", &ready_to_serve_clients, Access::anyone},
    {"GET", "/api/health/checks/reached-target-cluster-size", &reached_target_cluster_size, Access::anyone},
    {"GET", "/api/health/checks/virtual-hosts", &virtual_hosts, Access::management},
    {"GET", "/api/nodes", &nodes, Access::monitoring},
    {"GET", "/api/nodes/:name", &node, Access::monitoring},
    {"GET", "/api/operator-policies", &operator_policies, Access::management},
    {"GET", "/api/operator-policies/:vhost", &operator_policies, Access::management},
    {"GET", "/api/operator-policies/:vhost/:name", &operator_policies, Access::management},
    {"PUT", "/api/operator-policies/:vhost/:name", &put_operator_policy, Access::administrator},
    {"DELETE", "/api/operator-policies/:vhost/:name", &clear_operator_policy, Access::administrator},
    {"GET", "/api/overview", &overview, Access::management},
    {"GET", "/api/permissions", &permissions, Access::administrator},
    {"GET", "/api/permissions/:vhost/:user", &permissions, Access::administrator},
    {"GET", "/api/policies", &policies, Access::management},
    {"GET", "/api/policies/:vhost", &policies, Access::management},
    {"GET", "/api/policies/:vhost/:name", &policies, Access::management},
    {"PUT", "/api/policies/:vhost/:name", &put_policy, Access::policymaker},
    {"DELETE", "/api/policies/:vhost/:name", &clear_policy, Access::policymaker},
    {"GET", "/api/queues", &queues, Access::management},
    {"GET", "/api/queues/detailed", &queues, Access::management},
    {"GET", "/api/queues/:vhost", &queues, Access::management},
    {"GET", "/api/queues/:vhost/:name", &queue, Access::management},
    {"GET", "/api/users", &users, Access::administrator},
    {"GET", "/api/users/:user", &users, Access::administrator},
    {"GET", "/api/version", &version, Access::anyone},
    {"GET", "/api/vhosts", &vhosts, Access::management},
    {"GET", "/api/vhosts/:vhost", &vhosts, Access::management},
    {"GET", "/api/whoami", &whoami, Access::management},
};

}  // namespace

std::span<const Route> api_routes() { return kRoutes; }

}  // namespace quorate::http

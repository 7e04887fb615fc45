// Every control command: one function each, by subject in commands_<subject>.cc, and one row in commands_that_ask.cc
// or commands_that_change.cc. Names, arguments, columns and banners are those of rabbitmqctl and its sisters.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker/ctl/control.h"

namespace quorate::ctl {

/// All, by name.
std::span<const Command> commands();
std::span<const Command> asking_commands();
std::span<const Command> changing_commands();

/// An argument that Control has checked.
std::string text_of(const boost::json::object& arguments, std::string_view name);
/// Whether an option without value was given.
bool is_set(const boost::json::object& arguments, std::string_view name);

/// Longer than this nobody waits, whatever the tool says: it may be gone.
inline constexpr std::chrono::milliseconds kWaitMax = std::chrono::hours(24);
/// Until when the tool listens, less what the answer needs to get there: the hidden option "within", in milliseconds.
std::chrono::milliseconds limit_of(const boost::json::object& arguments);

/// The queue of the arguments, or null after `done` has been told.
const cluster::Queue* find_queue(const http::BrokerView& view, const boost::json::object& arguments, Done& done);

std::optional<cluster::ClusterNode> find_node(const http::BrokerView& view, std::string_view name);
/// The node of the arguments, or nothing after `done` has been told.
std::optional<cluster::ClusterNode> find_target(const http::BrokerView& view, const boost::json::object& arguments,
                                                Done& done);
/// The quorum queue of the arguments, or null after `done` has been told that it is none to `verb`.
const cluster::Queue* find_quorum_queue(const http::BrokerView& view, const boost::json::object& arguments,
                                        std::string_view verb, Done& done);

/// The virtual host of the arguments, or null after `done` has been told.
const cluster::Vhost* find_vhost(const http::BrokerView& view, const boost::json::object& arguments, Done& done);

void sort_rows(boost::json::array& rows, std::string_view column);
/// A list, in the order of what stands in `column`.
void answer_rows(Done& done, boost::json::array rows, std::string_view column);
/// `text` when the command was carried out. What was looked up before may have gone meanwhile.
void submit(http::BrokerView& view, cluster::MetadataCommand command, std::string text, Done done);
void answer_nothing(Done& done);
inline void fail(Done& done, Exit exit, std::string text) {
  done(std::unexpected(CommandError{.exit = exit, .text = std::move(text)}));
}

namespace run {

using http::BrokerView;
using Arguments = boost::json::object;

// --- the node ---
void alarms(BrokerView& view, const Arguments& arguments, Done done);
void await_online_nodes(BrokerView& view, const Arguments& arguments, Done done);
void await_startup(BrokerView& view, const Arguments& arguments, Done done);
void check_local_alarms(BrokerView& view, const Arguments& arguments, Done done);
void check_port_listener(BrokerView& view, const Arguments& arguments, Done done);
void check_protocol_listener(BrokerView& view, const Arguments& arguments, Done done);
void check_virtual_hosts(BrokerView& view, const Arguments& arguments, Done done);
void check_port_connectivity(BrokerView& view, const Arguments& arguments, Done done);
void check_running(BrokerView& view, const Arguments& arguments, Done done);
void cluster_status(BrokerView& view, const Arguments& arguments, Done done);
void enable_feature_flag(BrokerView& view, const Arguments& arguments, Done done);
void is_running(BrokerView& view, const Arguments& arguments, Done done);
void list_feature_flags(BrokerView& view, const Arguments& arguments, Done done);
void listeners(BrokerView& view, const Arguments& arguments, Done done);
void server_version(BrokerView& view, const Arguments& arguments, Done done);
void ping(BrokerView& view, const Arguments& arguments, Done done);
void status(BrokerView& view, const Arguments& arguments, Done done);

// --- the cluster ---
void add_member(BrokerView& view, const Arguments& arguments, Done done);
void await_online_quorum_plus_one(BrokerView& view, const Arguments& arguments, Done done);
void check_if_node_is_quorum_critical(BrokerView& view, const Arguments& arguments, Done done);
void delete_member(BrokerView& view, const Arguments& arguments, Done done);
void drain(BrokerView& view, const Arguments& arguments, Done done);
void forget_cluster_node(BrokerView& view, const Arguments& arguments, Done done);
void grow(BrokerView& view, const Arguments& arguments, Done done);
void quorum_status(BrokerView& view, const Arguments& arguments, Done done);
void rebalance(BrokerView& view, const Arguments& arguments, Done done);
void revive(BrokerView& view, const Arguments& arguments, Done done);
void set_cluster_name(BrokerView& view, const Arguments& arguments, Done done);
void set_queue_type(BrokerView& view, const Arguments& arguments, Done done);
void shrink(BrokerView& view, const Arguments& arguments, Done done);
void transfer_leadership(BrokerView& view, const Arguments& arguments, Done done);

// --- without a node ---
Outcome change_cluster_node_type(const Arguments& arguments);
Outcome force_boot(const Arguments& arguments);
Outcome hash_password(const Arguments& arguments);
Outcome rename_cluster_node(const Arguments& arguments);
Outcome update_cluster_nodes(const Arguments& arguments);
Outcome version(const Arguments& arguments);

// --- the whole node, while its process goes on ---
void force_reset(BrokerView& view, const Arguments& arguments, Done done);
void force_standalone_khepri_boot(BrokerView& view, const Arguments& arguments, Done done);
void join_cluster(BrokerView& view, const Arguments& arguments, Done done);
void reset(BrokerView& view, const Arguments& arguments, Done done);
void start_app(BrokerView& view, const Arguments& arguments, Done done);
void stop_app(BrokerView& view, const Arguments& arguments, Done done);

// --- policies ---
void clear_operator_policy(BrokerView& view, const Arguments& arguments, Done done);
void clear_policy(BrokerView& view, const Arguments& arguments, Done done);
void list_operator_policies(BrokerView& view, const Arguments& arguments, Done done);
void list_policies(BrokerView& view, const Arguments& arguments, Done done);
void set_operator_policy(BrokerView& view, const Arguments& arguments, Done done);
void set_policy(BrokerView& view, const Arguments& arguments, Done done);

// --- users, vhosts, permissions ---
void add_user(BrokerView& view, const Arguments& arguments, Done done);
void add_vhost(BrokerView& view, const Arguments& arguments, Done done);
void authenticate_user(BrokerView& view, const Arguments& arguments, Done done);
void change_password(BrokerView& view, const Arguments& arguments, Done done);
void clear_permissions(BrokerView& view, const Arguments& arguments, Done done);
void delete_user(BrokerView& view, const Arguments& arguments, Done done);
void delete_vhost(BrokerView& view, const Arguments& arguments, Done done);
void set_permissions(BrokerView& view, const Arguments& arguments, Done done);
void set_user_tags(BrokerView& view, const Arguments& arguments, Done done);
void update_vhost_metadata(BrokerView& view, const Arguments& arguments, Done done);

// --- queues and connections ---
void close_connection(BrokerView& view, const Arguments& arguments, Done done);
void delete_queue(BrokerView& view, const Arguments& arguments, Done done);
void purge_queue(BrokerView& view, const Arguments& arguments, Done done);

// --- lists ---
void list_bindings(BrokerView& view, const Arguments& arguments, Done done);
void list_channels(BrokerView& view, const Arguments& arguments, Done done);
void list_connections(BrokerView& view, const Arguments& arguments, Done done);
void list_consumers(BrokerView& view, const Arguments& arguments, Done done);
void list_exchanges(BrokerView& view, const Arguments& arguments, Done done);
void list_permissions(BrokerView& view, const Arguments& arguments, Done done);
void list_queues(BrokerView& view, const Arguments& arguments, Done done);
void list_user_permissions(BrokerView& view, const Arguments& arguments, Done done);
void list_users(BrokerView& view, const Arguments& arguments, Done done);
void list_vhosts(BrokerView& view, const Arguments& arguments, Done done);

}  // namespace run
}  // namespace quorate::ctl

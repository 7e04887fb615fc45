// BrokerView: the node as those who run it may see and change it. The HTTP API and the control commands know nothing
// else. It lives on one thread, that of the HTTP listener; every answer comes on that thread, possibly before the call
// returns. Rows are copies: nobody waits for their reader.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/metadata/commands.h"
#include "cluster/metadata/topology.h"
#include "cluster/seed.h"

namespace quorate::http {

struct QueueRow {
  cluster::QueuePtr definition;
  std::string node;   // where its leader is; "" = nobody knows
  std::string state;  // "running", also without a leader; "minority" of its members is there; "down": none answers
  bool is_answered = true;  // by its leader: otherwise what is counted is not known
  std::uint64_t ready = 0;
  std::uint64_t unacknowledged = 0;
  std::uint64_t delayed = 0;  // given back, to be tried again later
  std::uint64_t message_bytes = 0;
  std::size_t consumers = 0;
  bool has_single_active_consumer = false;
  std::string active_consumer;  // its ConsumerRow::id; "" = none

  std::uint64_t messages() const { return ready + unacknowledged + delayed; }
  std::vector<std::string> members;  // of a replicated queue, by node
  std::vector<std::string> online;   // those of them that are there
};

struct ConsumerRow {
  std::string id;  // what its queue knows it by
  std::string tag;
  std::string queue;
  bool ack_required = true;
  std::int64_t timeout_ms = 0;  // for a delivery to be settled
  bool exclusive = false;
  std::uint32_t prefetch = 0;
  std::string arguments;  // encoded AMQP table
};

struct ChannelRow {
  std::uint16_t number = 0;
  bool transactional = false;
  bool confirm = false;
  std::uint32_t prefetch = 0;         // of new consumers
  std::uint32_t global_prefetch = 0;  // of the channel
  std::uint64_t unacknowledged = 0;
  std::uint64_t unconfirmed = 0;
  std::uint64_t uncommitted = 0;       // publications of an open transaction
  std::uint64_t acks_uncommitted = 0;  // settlements of an open transaction
  std::vector<ConsumerRow> consumers;
};

struct ConnectionRow {
  std::string name;  // "127.0.0.1:40000 -> 127.0.0.1:5672"
  std::string node;
  std::string user;
  std::string vhost;
  std::string client_name;  // "" = none
  std::string state;        // "running", "blocked" …
  std::string mechanism;
  std::string client_properties;  // encoded AMQP table
  bool is_tls = false;
  std::chrono::seconds heartbeat{};
  std::uint32_t frame_max = 0;
  std::uint32_t channel_max = 0;
  WallTime connected_at;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t waiting_bytes = 0;  // to be read by the client
  std::vector<ChannelRow> channels;
};

struct ListenerRow {
  std::string protocol;  // "amqp", "amqp/ssl", "http", "clustering", "clustering/ssl"
  std::string address;
  std::uint16_t port = 0;
  bool is_tls = false;
};

/// What has just its majority: a quorum queue, or the metadata of the cluster.
struct CriticalRow {
  std::string name;
  std::string vhost;
  bool is_queue = true;  // else `vhost` is empty
  bool operator==(const CriticalRow&) const = default;
};

/// A resource that ran out, and where: publishers of the cluster are blocked by it.
struct AlarmRow {
  std::string node;
  std::string resource;  // "memory" or "disk"
};

/// A member of the cluster. What stands behind `running` is known of running nodes only.
struct NodeRow {
  std::string name;
  bool running = false;
  bool being_drained = false;
  std::uint64_t os_pid = 0;
  std::chrono::milliseconds uptime{};
  std::uint32_t processors = 0;
  std::uint64_t files_open = 0;
  std::uint64_t files_max = 0;
  std::uint64_t sockets_open = 0;
  std::uint64_t memory_used = 0;
  std::uint64_t memory_limit = 0;    // where the alarm is raised; 0 = nowhere
  std::string memory_limit_setting;  // as it was decided: "0.6 of available memory", "2000000000 bytes"
  bool memory_alarm = false;
  std::uint64_t disk_free = 0;
  std::uint64_t disk_free_limit = 0;  // where the alarm is raised; 0 = nowhere
  bool disk_alarm = false;
  std::string data_dir;
  std::vector<std::string> log_files;
  std::vector<std::string> config_files;
  std::vector<ListenerRow> listeners;
};

/// One replica of a queue, as its node knows it (`quorum_status`).
struct ReplicaRow {
  std::string node;
  std::string state;       // "leader", "follower", "candidate", "recovering", or "noproc" where nobody answers
  std::string membership;  // "voter", "promotable" (catches up and will vote), "non_voter"
  std::uint64_t last_index = 0;
  std::uint64_t last_written = 0;
  std::uint64_t last_applied = 0;
  std::uint64_t commit_index = 0;
  std::uint64_t snapshot_index = 0;
  std::uint64_t term = 0;
  std::uint32_t machine_version = 0;
};

/// How far this node is. Clients are served in `serving` alone.
enum class ServiceState : std::uint8_t {
  starting,
  serving,
  draining,  // maintenance: no new clients
  stopped,   // by stop_app: the process answers operators and does nothing else
  paused,    // no majority is reachable
};

/// What became of a request to delete or purge a queue.
enum class QueueOutcome : std::uint8_t { done, not_found, unreachable, in_use, not_empty };
struct QueueAnswer {
  QueueOutcome outcome = QueueOutcome::done;
  std::uint64_t messages = 0;  // that went with it
  bool is_counted = true;      // otherwise nobody knows how many went
};
struct DeleteQueueOptions {
  bool if_unused = false;
  bool if_empty = false;
  bool force = false;  // whether its node or its members answer or not; goes without conditions
};

/// What an operator wants of the whole node. It closes the doors it came through: who asks again with the same ticket
/// hears what became of it.
struct Order {
  enum class Kind : std::uint8_t { stop_app, start_app, reset, join_cluster, stand_alone };
  Kind kind = Kind::stop_app;
  std::string ticket;  // made up by who gives the order
  bool force = false;  // whatever is lost by it
  cluster::Seed join;
};

class BrokerView {
 public:
  template <class... Answer>
  using Done = std::move_only_function<void(Answer...)>;

  virtual ~BrokerView() = default;

  // At hand:
  virtual const cluster::TopologyPtr& topology() const = 0;
  virtual std::string_view node_name() const = 0;
  std::string_view cluster_name() const { return topology()->cluster_name_or(node_name()); }
  /// The version of RabbitMQ that clients may take this broker for.
  virtual std::string_view rabbitmq_version() const = 0;
  virtual ServiceState service_state() const = 0;
  /// Why clients should rather go to another node although this one serves them; empty: no reason.
  virtual std::string stalls() const { return ""; }
  /// This node's; other members' may be as old as their last word.
  virtual std::vector<AlarmRow> alarms() const = 0;
  virtual bool is_loopback_user(std::string_view name) const = 0;
  /// What would lose its majority without this node.
  virtual std::vector<CriticalRow> quorum_critical() const = 0;
  /// More than half of the cluster answers this node.
  virtual bool has_majority() const = 0;
  /// The node answers, or is this one.
  virtual bool is_live(NodeId node) const = 0;
  /// For whom a node that does not serve yet waits; empty when nothing is missing.
  virtual std::string waits_for() const = 0;
  virtual NodeRow this_node() const = 0;
  /// So many nodes are meant to be there.
  virtual std::size_t target_cluster_size() const = 0;
  /// One more client may connect to this node.
  virtual bool is_below_connection_limit() const = 0;
  virtual std::string_view default_queue_type() const = 0;

  /// `done`: whether this node serves clients, at last; false when the limit is over.
  virtual void when_serving(Duration limit, Done<bool> done) = 0;
  /// Connects to every listener of this node; `done`: those that refused, within seconds.
  virtual void probe_listeners(Done<std::vector<ListenerRow>> done) = 0;

  /// `done`: whether this node is not critical for any queue, at last; false when the limit is over.
  virtual void when_not_quorum_critical(Duration limit, Done<bool> done) = 0;
  /// `done`: whether so many nodes of the cluster answer, this one included; false when the limit is over.
  virtual void when_online(std::size_t nodes, Duration limit, Done<bool> done) = 0;
  /// `done`: whether no change of the queue's members is under way (any more); false when the limit is over.
  virtual void when_placed(GroupId queue, Duration limit, Done<bool> done) = 0;
  /// `done`, within seconds: whether the node does not answer (any more).
  virtual void when_silent(NodeId node, Done<bool> done) = 0;
  /// `done`: how many replicated queues this node still leads; when nobody else can lead what is left, or the limit is
  /// over.
  virtual void when_leading_nothing(Done<std::size_t> done) = 0;

  // Collected:
  /// Every member, the dead ones as well.
  virtual void collect_nodes(Done<std::vector<NodeRow>> done) = 0;
  virtual void collect_queues(Done<std::vector<QueueRow>> done) = 0;
  /// One of them, without asking about the others; nothing when it is not there any more.
  virtual void collect_queue(GroupId queue, Done<std::optional<QueueRow>> done) = 0;
  /// Every member of a queue, also those that do not answer; nothing when it is not there any more.
  virtual void collect_replicas(GroupId queue, Done<std::vector<ReplicaRow>> done) = 0;
  /// Connections with their channels and consumers.
  virtual void collect_connections(Done<std::vector<ConnectionRow>> done) = 0;

  // Changed:
  virtual void submit(cluster::MetadataCommand command, Done<cluster::Outcome> done) = 0;
  /// A quorum queue that has lost its majority goes as well, if there are no conditions.
  virtual void delete_queue(GroupId queue, DeleteQueueOptions options, Done<QueueAnswer> done) = 0;
  /// How many messages went; nothing when the queue is not there any more.
  virtual void purge_queue(GroupId queue, Done<QueueAnswer> done) = 0;
  /// Of a replicated queue, to its member on that node; `done` when that leads, or when it could not.
  virtual void transfer_leadership(GroupId queue, NodeId to, Done<Result<void>> done) = 0;
  /// Asks the clients of that name to go: 320 CONNECTION_FORCED with `reason`. `done`: how many there were.
  virtual void close_connections(std::string name, std::string reason, Done<std::size_t> done) = 0;
  /// Takes a node that does not answer out of the cluster; `done` within seconds. Without `force` not if quorum queues
  /// would have no majority without it.
  virtual void forget_node(NodeId node, bool force, Done<Result<void>> done) = 0;
  /// The outcome, ErrorCode::already_exists when all was so already; nothing while the order is being carried out.
  virtual std::optional<Result<void>> order(const Order& order) = 0;
  /// Octets for a password's hash.
  virtual std::uint64_t random() = 0;

  /// Runs `work` where nobody waits for it, then `then` here. `work` touches nothing but what it brings along.
  virtual void aside(Done<> work, Done<> then) {
    work();
    then();
  }
};

/// `then(make())`, with make() aside.
template <class Make, class Then>
void aside(BrokerView& view, Make make, Then then) {
  auto made = std::make_shared<std::optional<std::invoke_result_t<Make>>>();
  view.aside([made, make = std::move(make)]() mutable { made->emplace(make()); },
             [made, then = std::move(then)]() mutable { then(std::move(**made)); });
}

/// It knows its cluster, and so users and queues.
inline bool knows_cluster(ServiceState state) {
  return state != ServiceState::starting && state != ServiceState::stopped;
}
/// How far the node is, as the end of a sentence: "is still starting: 1 of 3, waiting for rabbit@n2, rabbit@n3".
std::string describe_state(const BrokerView& view);
/// "queue 'q' in vhost '/'"
std::string describe(const CriticalRow& row);

}  // namespace quorate::http

// What a connection machine knows of the world: the options of its listener, who is at the other end, and the ways out.
// Everything that leaves is gathered behind Surroundings and carried out after the machine has returned.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "broker/auth/sasl.h"
#include "broker/policy/policy_book.h"
#include "broker/queue/mail.h"
#include "cluster/metadata/commands.h"
#include "cluster/metadata/topology.h"

namespace quorate::amqp {

class Session;

struct SessionOptions {
  std::string node_name;
  std::uint16_t heartbeat_seconds = 60;
  std::uint32_t frame_max_bytes = 131'072;
  std::uint32_t initial_frame_max_bytes = 8'192;
  std::uint16_t channel_max = 2'047;  // 0 = no limit
  std::uint32_t consumer_max_per_channel = UINT32_MAX;
  std::uint32_t connection_max = UINT32_MAX;  // on the node
  std::uint32_t channel_max_per_node = UINT32_MAX;
  std::uint64_t message_size_max_bytes = 16'777'216;
  cluster::QueueType default_queue_type = cluster::QueueType::classic;  // where the vhost says nothing else
  bool balances_leaders = false;                                        // of queues that do not say
  bool relaxed_redeclaration = false;                                   // of a quorum queue as a classic one
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration consumer_timeout = std::chrono::minutes(30);  // for a delivery to be settled; max() = any time
  std::vector<std::string> auth_mechanisms = {"PLAIN", "AMQPLAIN"};
  std::string anonymous_user;  // empty = nobody logs in anonymously
  std::string anonymous_password;
  std::vector<std::string> loopback_users;
};

/// The other end of the connection.
struct Peer {
  std::string name;  // "127.0.0.1:40000 -> 127.0.0.1:5672"
  bool is_loopback = false;
  bool is_tls = false;
  WallTime connected_at{};
  std::optional<std::string> certificate_name;  // who the client's certificate says it is
};

/// The metadata has carried out a command; `topology` is the version it led to.
struct MetadataReply {
  cluster::Outcome outcome = cluster::Outcome::done;
  cluster::TopologyPtr topology;
  bool timed_out = false;  // no majority has done it or, of a fence, could say what the newest version is
};

/// One per shard; outlives its sessions.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual const cluster::TopologyPtr& topology() const = 0;
  /// Those of topology().
  virtual const policy::PolicyBook& policies() const = 0;
  virtual Random& random() = 0;
  virtual NodeId node() const = 0;

  /// A new session id, whose mail and replies go to `session` until end().
  virtual queue::SessionId begin(Session& session) = 0;
  virtual void end(const queue::SessionId& id) = 0;

  /// What the node counts as a whole. False when `limit` of them are there already; otherwise leave() must follow.
  enum class Counted : std::uint8_t { connection, channel };
  virtual bool admit(Counted what, std::uint32_t limit) = 0;
  virtual void leave(Counted what) = 0;

  /// Nodes for the members of a new queue: this one, then others, those that are away last. Fewer than `count` when
  /// there are not so many.
  virtual std::vector<NodeId> place(std::size_t count) = 0;
  virtual std::size_t initial_quorum_size() const = 0;
  /// Of these, the one that a queue which is to be led anywhere begins with.
  virtual NodeId choose_leader(cluster::QueueType type, const std::vector<NodeId>& members) = 0;
  /// More than half of the cluster answers this node, but no majority of the members of this quorum queue does.
  virtual bool has_lost_majority(const cluster::Queue& queue) const = 0;

  /// That session has ended, as far as this shard knows: of the other shards it knows nothing, of other nodes only
  /// whether they answer.
  virtual bool has_ended(const queue::SessionId& session) const = 0;

  /// Something an operator should know about what a client does; goes to the log.
  virtual void remark(std::string text) = 0;

  /// Of a publication, gives the bytes that are in flight until a Taken brings as many back.
  virtual std::size_t send(queue::QueueMail mail) = 0;
  /// From session to session: a direct reply.
  virtual void send(queue::SessionMail mail) = 0;
  /// The log is behind: publishers are not read until it has caught up.
  virtual bool is_congested() const = 0;
  /// Answered by Session::on_metadata(from, …) once it is durable, after the shard has seen the new topology, or when
  /// that has taken too long.
  virtual void submit(const queue::SessionId& from, cluster::MetadataCommand command) = 0;
  /// Other nodes or shards may know names that topology() does not know yet.
  virtual bool may_lag() const = 0;
  /// Answered by Session::on_metadata(from, …) once topology() has everything that was committed before.
  virtual void fence(const queue::SessionId& from) = 0;
};

}  // namespace quorate::amqp

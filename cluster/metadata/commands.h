// What can be asked of the metadata. These structs are what the broker speaks; proto/metadata.proto is how they lie in
// the log, and codec.h stands between the two.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "cluster/metadata/topology.h"

namespace quorate::cluster {

struct PutVhost {
  std::string name;
  VhostMetadata metadata;
};
struct DeleteVhost {
  std::string name;
};
/// Creates the user or replaces password and tags; permissions stay.
struct PutUser {
  std::string name;
  std::string password_hash;
  std::vector<std::string> tags;
};
struct DeleteUser {
  std::string name;
};
struct SetPermissions {
  std::string user;
  std::string vhost;
  PermissionPatterns patterns;
};
struct ClearPermissions {
  std::string user;
  std::string vhost;
};
/// Of `exchange`, id, index and bindings are the machine's to fill in.
struct DeclareExchange {
  Exchange exchange;
};
struct DeleteExchange {
  std::string vhost;
  std::string name;
  bool if_unused = false;
};
/// Of `queue`, id and members are the machine's to fill in: a durable one gets a member on each of `nodes`.
struct DeclareQueue {
  Queue queue;
  std::vector<NodeId> nodes;
};
struct DeleteQueue {
  GroupId id;
};
struct Bind {
  Binding binding;
};
struct Unbind {
  Binding binding;
};
struct NodeStarted {
  NodeId node;
  Epoch epoch;
  std::string zone;
};
struct ConnectionClosed {
  Owner owner;
};

/// A node joins, or is reached elsewhere from now on. Its epoch, its zone and whether it is drained are the machine's
/// to keep.
struct PutNode {
  ClusterNode node;
};
/// The node never comes back: what lived there only is gone.
struct ForgetNode {
  NodeId id;
};
/// Its group is to have a member on each of these nodes and nowhere else. If that is a change it is a quorum queue.
struct PlaceQueue {
  GroupId id;
  std::vector<NodeId> nodes;
};
/// Its group has these members now.
struct QueuePlaced {
  GroupId id;
  std::vector<raft::ReplicaId> members;
};
struct DrainNode {
  NodeId id;
  bool drained = true;
};
/// Nobody has heard of the node for so long that what this epoch of it held in memory only is given up. One that runs
/// on in that epoch loses it as by a deletion.
struct GiveUpNode {
  NodeId id;
  Epoch epoch;
};
/// A quorum queue needs no more than one member; a classic one cannot have more.
struct SetQueueType {
  GroupId id;
  QueueType type = QueueType::classic;
};
/// All of it, what is not said included.
struct SetVhostMetadata {
  std::string name;
  VhostMetadata metadata;
};

/// One of that name and kind is replaced.
struct SetPolicy {
  Policy policy;
};
struct ClearPolicy {
  std::string vhost;
  std::string name;
  bool is_operators = false;
};

/// Of a cluster that has neither users nor virtual hosts yet; otherwise nothing happens.
struct CreateDefaults {
  PutVhost vhost;
  PutUser user;
  PermissionPatterns patterns;  // of the user in the virtual host
};

/// It has to fit into what a connection begins with, before a size is agreed on.
inline constexpr std::size_t kClusterNameMaxBytes = 255;
struct SetClusterName {
  std::string name;         // 1 to kClusterNameMaxBytes octets
  bool unless_set = false;  // the name it has stays
};

using MetadataCommand =
    std::variant<PutVhost, DeleteVhost, PutUser, DeleteUser, SetPermissions, ClearPermissions, DeclareExchange,
                 DeleteExchange, DeclareQueue, DeleteQueue, Bind, Unbind, NodeStarted, ConnectionClosed, PutNode,
                 ForgetNode, PlaceQueue, QueuePlaced, DrainNode, SetVhostMetadata, CreateDefaults, SetQueueType,
                 SetPolicy, ClearPolicy, SetClusterName, GiveUpNode>;

/// What became of a command.
enum class Outcome : std::uint8_t {
  done,
  exists,     // a declaration met the same name; compare and decide
  not_found,  // something that it names is missing
  in_use,     // if_unused, and bindings are there; or another change of the queue's members is under way
  refused,    // it cannot be done as it stands, or this version does not know how
  unknown,    // carried out, but the answer is lost: look at the topology. Without one: given up, and nobody can tell
};

/// One entry holds no more commands than this; decode_commands() refuses it.
inline constexpr std::size_t kMetadataCommandsMax = 64;

/// The payload of one log entry. Without an origin it is applied as often as it is logged.
struct MetadataEntry {
  std::vector<MetadataCommand> commands;
  std::optional<Origin> origin;
};
Bytes encode_entry(const MetadataEntry& entry);
Result<MetadataEntry> decode_entry(ByteView payload);

}  // namespace quorate::cluster

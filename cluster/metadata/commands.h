// What can be asked of the metadata. These structs are what the broker speaks; proto/metadata.proto is how they lie in
// the log, and codec.h stands between the two.
#pragma once
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
/// Of `queue`, the id is the machine's to fill in.
struct DeclareQueue {
  Queue queue;
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
};
struct ConnectionClosed {
  Owner owner;
};

using MetadataCommand =
    std::variant<PutVhost, DeleteVhost, PutUser, DeleteUser, SetPermissions, ClearPermissions, DeclareExchange,
                 DeleteExchange, DeclareQueue, DeleteQueue, Bind, Unbind, NodeStarted, ConnectionClosed>;

/// What became of a command.
enum class Outcome : std::uint8_t {
  done,
  exists,     // a declaration met the same name; compare and decide
  not_found,  // the vhost, user, source or destination is missing
  in_use,     // if_unused, and bindings are there
  refused,    // the type of the exchange is unknown to this version
};

/// One entry holds no more commands than this; decode_commands() refuses it.
inline constexpr std::size_t kMetadataCommandsMax = 8;

/// The payload of one log entry.
Bytes encode_commands(const std::vector<MetadataCommand>& commands);
Result<std::vector<MetadataCommand>> decode_commands(ByteView payload);

}  // namespace quorate::cluster

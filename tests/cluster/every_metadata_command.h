// One metadata command of each kind with every field set.
#pragma once
#include <vector>

#include "cluster/metadata/commands.h"

namespace quorate::cluster {

inline std::vector<MetadataCommand> every_metadata_command() {
  const Owner owner{.node = NodeId(3), .epoch = Epoch(4), .connection = ConnectionId(5)};
  const VhostMetadata metadata{.description = "d\xff",
                               .tags = {"a", "b"},
                               .default_queue_type = QueueType::quorum,
                               .relaxed_redeclaration = true};
  const Binding binding{.vhost = "v",
                        .source = "e",
                        .kind = Destination::Kind::exchange,
                        .destination = "f",
                        .key = {.routing_key = "\xff.k", .arguments = std::string("\x01x\0", 3)}};
  return {
      PutVhost{.name = "v", .metadata = metadata},
      DeleteVhost{.name = "v"},
      PutUser{.name = "u", .password_hash = "hash", .tags = {"administrator", "management"}},
      DeleteUser{.name = "u"},
      SetPermissions{.user = "u", .vhost = "v", .patterns = {.configure = "c", .write = "w", .read = "r"}},
      ClearPermissions{.user = "u", .vhost = "v"},
      DeclareExchange{.exchange = {.vhost = "v",
                                   .name = "e",
                                   .type = "topic",
                                   .durable = true,
                                   .auto_delete = true,
                                   .internal = true,
                                   .arguments = "args",
                                   .alternate_exchange = "alt"}},
      DeleteExchange{.vhost = "v", .name = "e", .if_unused = true},
      DeclareQueue{.queue = {.vhost = "v",
                             .name = "q\xff",
                             .durable = true,
                             .auto_delete = true,
                             .owner = owner,
                             .arguments = "args",
                             .node = NodeId(2),
                             .type = QueueType::quorum},
                   .nodes = {NodeId(2), NodeId(3)}},
      DeleteQueue{.id = GroupId(77)},
      Bind{.binding = binding},
      Unbind{.binding = binding},
      NodeStarted{.node = NodeId(3), .epoch = Epoch(5), .zone = "z"},
      ConnectionClosed{.owner = owner},
      PutNode{.node = {.id = NodeId(3),
                       .name = "rabbit@n3",
                       .host = "n3",
                       .port = 25'672,
                       .directory = "d",
                       .epoch = Epoch(5),
                       .drained = true,
                       .replica = raft::replica_on(NodeId(3), 1),
                       .zone = "z"}},
      ForgetNode{.id = NodeId(3)},
      PlaceQueue{.id = GroupId(77), .nodes = {NodeId(1), NodeId(3)}},
      QueuePlaced{.id = GroupId(77), .members = {raft::replica_on(NodeId(1), 1)}},
      DrainNode{.id = NodeId(3), .drained = true},
      SetVhostMetadata{.name = "v", .metadata = metadata},
      CreateDefaults{.vhost = {.name = "v", .metadata = metadata},
                     .user = {.name = "u", .password_hash = "hash", .tags = {"administrator"}},
                     .patterns = {.configure = "c", .write = "w", .read = "r"}},
      SetQueueType{.id = GroupId(77), .type = QueueType::quorum},
      SetPolicy{.policy = {.vhost = "v",
                           .name = "p",
                           .is_operators = true,
                           .pattern = "^a\xff",
                           .definition = {{.key = "max-length", .value = std::int64_t{-7}},
                                          {.key = "overflow", .value = "reject-publish"}},
                           .priority = -3,
                           .apply_to = PolicyScope::quorum_queues}},
      ClearPolicy{.vhost = "v", .name = "p", .is_operators = true},
      SetClusterName{.name = "c\xff", .unless_set = true},
      GiveUpNode{.id = NodeId(3), .epoch = Epoch(5)},
  };
}

}  // namespace quorate::cluster

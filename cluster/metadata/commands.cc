#include "cluster/metadata/commands.h"

#include "base/check.h"
#include "cluster/metadata/codec.h"

namespace quorate::cluster {
namespace {

using codec::from_proto;
using codec::to_proto;

void put(const PutVhost& command, proto::MetadataCommand& out) {
  *out.mutable_put_vhost() = to_proto(command.name, command.metadata);
}
void put(const DeleteVhost& command, proto::MetadataCommand& out) {
  out.mutable_delete_vhost()->set_name(command.name);
}
proto::User to_proto(const PutUser& command) {
  proto::User user;
  user.set_name(command.name);
  user.set_password_hash(command.password_hash);
  for (const std::string& tag : command.tags) user.add_tags(tag);
  return user;
}
void put(const PutUser& command, proto::MetadataCommand& out) { *out.mutable_put_user() = to_proto(command); }
void put(const DeleteUser& command, proto::MetadataCommand& out) { out.mutable_delete_user()->set_name(command.name); }
void put(const SetPermissions& command, proto::MetadataCommand& out) {
  *out.mutable_set_permissions() = to_proto(command.user, command.vhost, command.patterns);
}
void put(const ClearPermissions& command, proto::MetadataCommand& out) {
  out.mutable_clear_permissions()->set_user(command.user);
  out.mutable_clear_permissions()->set_vhost(command.vhost);
}
void put(const DeclareExchange& command, proto::MetadataCommand& out) {
  *out.mutable_declare_exchange() = to_proto(command.exchange);
}
void put(const DeleteExchange& command, proto::MetadataCommand& out) {
  proto::DeleteExchange& words = *out.mutable_delete_exchange();
  words.set_vhost(command.vhost);
  words.set_name(command.name);
  words.set_if_unused(command.if_unused);
}
void put(const DeclareQueue& command, proto::MetadataCommand& out) {
  *out.mutable_declare_queue() = to_proto(command.queue);
  for (const NodeId node : command.nodes) out.mutable_declare_queue()->add_nodes(node.value());
}
void put(const DeleteQueue& command, proto::MetadataCommand& out) {
  out.mutable_delete_queue()->set_id(command.id.value());
}
void put(const Bind& command, proto::MetadataCommand& out) { *out.mutable_bind() = to_proto(command.binding); }
void put(const Unbind& command, proto::MetadataCommand& out) { *out.mutable_unbind() = to_proto(command.binding); }
void put(const NodeStarted& command, proto::MetadataCommand& out) {
  out.mutable_node_started()->set_node(command.node.value());
  out.mutable_node_started()->set_epoch(command.epoch.value());
  out.mutable_node_started()->set_zone(command.zone);
}
void put(const ConnectionClosed& command, proto::MetadataCommand& out) {
  *out.mutable_connection_closed()->mutable_owner() = to_proto(command.owner);
}
void put(const PutNode& command, proto::MetadataCommand& out) { *out.mutable_put_node() = to_proto(command.node); }
void put(const ForgetNode& command, proto::MetadataCommand& out) {
  out.mutable_forget_node()->set_id(command.id.value());
}
void put(const PlaceQueue& command, proto::MetadataCommand& out) {
  out.mutable_place_queue()->set_id(command.id.value());
  for (const NodeId node : command.nodes) out.mutable_place_queue()->add_nodes(node.value());
}
void put(const QueuePlaced& command, proto::MetadataCommand& out) {
  out.mutable_queue_placed()->set_id(command.id.value());
  for (const raft::ReplicaId member : command.members) out.mutable_queue_placed()->add_members(member.value());
}
void put(const DrainNode& command, proto::MetadataCommand& out) {
  out.mutable_drain_node()->set_id(command.id.value());
  out.mutable_drain_node()->set_drained(command.drained);
}
void put(const GiveUpNode& command, proto::MetadataCommand& out) {
  out.mutable_give_up_node()->set_id(command.id.value());
  out.mutable_give_up_node()->set_epoch(command.epoch.value());
}
void put(const SetQueueType& command, proto::MetadataCommand& out) {
  out.mutable_set_queue_type()->set_id(command.id.value());
  out.mutable_set_queue_type()->set_type(to_proto(command.type));
}
void put(const SetClusterName& command, proto::MetadataCommand& out) {
  out.mutable_set_cluster_name()->set_name(command.name);
  out.mutable_set_cluster_name()->set_unless_set(command.unless_set);
}
void put(const SetVhostMetadata& command, proto::MetadataCommand& out) {
  *out.mutable_set_vhost_metadata() = to_proto(command.name, command.metadata);
}
void put(const SetPolicy& command, proto::MetadataCommand& out) {
  *out.mutable_set_policy() = to_proto(command.policy);
}
void put(const ClearPolicy& command, proto::MetadataCommand& out) {
  out.mutable_clear_policy()->set_vhost(command.vhost);
  out.mutable_clear_policy()->set_name(command.name);
  out.mutable_clear_policy()->set_is_operators(command.is_operators);
}

void put(const CreateDefaults& command, proto::MetadataCommand& out) {
  proto::CreateDefaults& words = *out.mutable_create_defaults();
  *words.mutable_vhost() = to_proto(command.vhost.name, command.vhost.metadata);
  *words.mutable_user() = to_proto(command.user);
  *words.mutable_permissions() = to_proto(command.user.name, command.vhost.name, command.patterns);
}

PutVhost vhost_from(const proto::Vhost& in) { return {.name = in.name(), .metadata = codec::metadata_from(in)}; }
PutUser user_from(const proto::User& in) {
  return {.name = in.name(), .password_hash = in.password_hash(), .tags = {in.tags().begin(), in.tags().end()}};
}

std::vector<NodeId> nodes_from(const auto& numbers) {
  std::vector<NodeId> nodes;
  for (const std::uint32_t number : numbers) nodes.emplace_back(number);
  return nodes;
}

Result<MetadataCommand> get(const proto::MetadataCommand& in) {
  using Words = proto::MetadataCommand;
  switch (in.command_case()) {
    case Words::kPutVhost:
      return vhost_from(in.put_vhost());
    case Words::kDeleteVhost:
      return DeleteVhost{.name = in.delete_vhost().name()};
    case Words::kPutUser:
      return user_from(in.put_user());
    case Words::kDeleteUser:
      return DeleteUser{.name = in.delete_user().name()};
    case Words::kSetPermissions:
      return SetPermissions{.user = in.set_permissions().user(),
                            .vhost = in.set_permissions().vhost(),
                            .patterns = codec::patterns_from(in.set_permissions())};
    case Words::kClearPermissions:
      return ClearPermissions{.user = in.clear_permissions().user(), .vhost = in.clear_permissions().vhost()};
    case Words::kDeclareExchange:
      return DeclareExchange{.exchange = from_proto(in.declare_exchange())};
    case Words::kDeleteExchange:
      return DeleteExchange{.vhost = in.delete_exchange().vhost(),
                            .name = in.delete_exchange().name(),
                            .if_unused = in.delete_exchange().if_unused()};
    case Words::kDeclareQueue:
      return DeclareQueue{.queue = from_proto(in.declare_queue()), .nodes = nodes_from(in.declare_queue().nodes())};
    case Words::kDeleteQueue:
      return DeleteQueue{.id = GroupId(in.delete_queue().id())};
    case Words::kBind:
      return Bind{.binding = from_proto(in.bind())};
    case Words::kUnbind:
      return Unbind{.binding = from_proto(in.unbind())};
    case Words::kNodeStarted:
      return NodeStarted{.node = NodeId(in.node_started().node()),
                         .epoch = Epoch(in.node_started().epoch()),
                         .zone = in.node_started().zone()};
    case Words::kConnectionClosed:
      return ConnectionClosed{.owner = from_proto(in.connection_closed().owner())};
    case Words::kPutNode:
      return PutNode{.node = from_proto(in.put_node())};
    case Words::kForgetNode:
      return ForgetNode{.id = NodeId(in.forget_node().id())};
    case Words::kPlaceQueue:
      return PlaceQueue{.id = GroupId(in.place_queue().id()), .nodes = nodes_from(in.place_queue().nodes())};
    case Words::kQueuePlaced:
      return QueuePlaced{.id = GroupId(in.queue_placed().id()),
                         .members = codec::replicas_from(in.queue_placed().members())};
    case Words::kDrainNode:
      return DrainNode{.id = NodeId(in.drain_node().id()), .drained = in.drain_node().drained()};
    case Words::kGiveUpNode:
      return GiveUpNode{.id = NodeId(in.give_up_node().id()), .epoch = Epoch(in.give_up_node().epoch())};
    case Words::kSetVhostMetadata:
      return SetVhostMetadata{.name = in.set_vhost_metadata().name(),
                              .metadata = codec::metadata_from(in.set_vhost_metadata())};
    case Words::kCreateDefaults:
      return CreateDefaults{.vhost = vhost_from(in.create_defaults().vhost()),
                            .user = user_from(in.create_defaults().user()),
                            .patterns = codec::patterns_from(in.create_defaults().permissions())};
    case Words::kSetQueueType:
      return SetQueueType{.id = GroupId(in.set_queue_type().id()), .type = from_proto(in.set_queue_type().type())};
    case Words::kSetPolicy:
      return SetPolicy{.policy = from_proto(in.set_policy())};
    case Words::kClearPolicy:
      return ClearPolicy{.vhost = in.clear_policy().vhost(),
                         .name = in.clear_policy().name(),
                         .is_operators = in.clear_policy().is_operators()};
    case Words::kSetClusterName:
      return SetClusterName{.name = in.set_cluster_name().name(), .unless_set = in.set_cluster_name().unless_set()};
    case Words::COMMAND_NOT_SET:
      break;
  }
  return failure(ErrorCode::corruption, "holds a command that this version does not know");
}

}  // namespace

Bytes encode_entry(const MetadataEntry& entry) {
  CHECK_LE(entry.commands.size(), kMetadataCommandsMax);
  proto::MetadataCommands words;
  if (entry.origin) *words.mutable_origin() = to_proto(*entry.origin);
  for (const MetadataCommand& command : entry.commands) {
    std::visit([&](const auto& c) { put(c, *words.add_commands()); }, command);
  }
  Bytes out = Bytes::allocate(words.ByteSizeLong());
  CHECK(words.SerializeToArray(out.mutable_data(), static_cast<int>(out.size())));
  return out;
}

Result<MetadataEntry> decode_entry(ByteView payload) {
  proto::MetadataCommands words;
  if (!words.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return failure(ErrorCode::corruption, "does not parse");
  }
  if (words.commands().size() > static_cast<int>(kMetadataCommandsMax)) {
    return failure(ErrorCode::corruption, "holds too many commands");
  }
  MetadataEntry entry;
  if (words.has_origin()) entry.origin = from_proto(words.origin());
  for (const proto::MetadataCommand& in : words.commands()) {
    auto command = get(in);
    if (!command) return std::unexpected(command.error());
    entry.commands.push_back(std::move(*command));
  }
  return entry;
}

}  // namespace quorate::cluster

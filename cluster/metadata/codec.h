// Between the structs of the metadata and their words in proto/metadata.proto. Only commands.cc and snapshot.cc of this
// folder include it.
#pragma once
#include "cluster/metadata/commands.h"
#include "proto/metadata.pb.h"

namespace quorate::cluster::codec {

inline proto::Owner to_proto(const Owner& owner) {
  proto::Owner out;
  out.set_node(owner.node.value());
  out.set_epoch(owner.epoch.value());
  out.set_connection(owner.connection.value());
  return out;
}
inline Owner from_proto(const proto::Owner& in) {
  return {.node = NodeId(in.node()), .epoch = Epoch(in.epoch()), .connection = ConnectionId(in.connection())};
}

inline proto::Exchange to_proto(const Exchange& exchange) {
  proto::Exchange out;
  out.set_id(exchange.id);
  out.set_vhost(exchange.vhost);
  out.set_name(exchange.name);
  out.set_type(exchange.type);
  out.set_durable(exchange.durable);
  out.set_auto_delete(exchange.auto_delete);
  out.set_internal(exchange.internal);
  out.set_arguments(exchange.arguments);
  out.set_alternate_exchange(exchange.alternate_exchange);
  return out;
}
inline Exchange from_proto(const proto::Exchange& in) {
  return {.id = in.id(),
          .vhost = in.vhost(),
          .name = in.name(),
          .type = in.type(),
          .durable = in.durable(),
          .auto_delete = in.auto_delete(),
          .internal = in.internal(),
          .arguments = in.arguments(),
          .alternate_exchange = in.alternate_exchange()};
}

inline proto::Queue to_proto(const Queue& queue) {
  proto::Queue out;
  out.set_id(queue.id.value());
  out.set_vhost(queue.vhost);
  out.set_name(queue.name);
  out.set_durable(queue.durable);
  out.set_auto_delete(queue.auto_delete);
  if (queue.owner) *out.mutable_owner() = to_proto(*queue.owner);
  out.set_arguments(queue.arguments);
  out.set_node(queue.node.value());
  return out;
}
inline Queue from_proto(const proto::Queue& in) {
  Queue out{.id = GroupId(in.id()),
            .vhost = in.vhost(),
            .name = in.name(),
            .durable = in.durable(),
            .auto_delete = in.auto_delete(),
            .arguments = in.arguments(),
            .node = NodeId(in.node())};
  if (in.has_owner()) out.owner = from_proto(in.owner());
  return out;
}

inline proto::Binding to_proto(const Binding& binding) {
  proto::Binding out;
  out.set_vhost(binding.vhost);
  out.set_source(binding.source);
  out.set_destination_kind(binding.kind == Destination::Kind::queue ? proto::Binding::QUEUE : proto::Binding::EXCHANGE);
  out.set_destination(binding.destination);
  out.set_routing_key(binding.key.routing_key);
  out.set_arguments(binding.key.arguments);
  return out;
}
inline Binding from_proto(const proto::Binding& in) {
  return {
      .vhost = in.vhost(),
      .source = in.source(),
      .kind = in.destination_kind() == proto::Binding::QUEUE ? Destination::Kind::queue : Destination::Kind::exchange,
      .destination = in.destination(),
      .key = {.routing_key = in.routing_key(), .arguments = in.arguments()}};
}

inline proto::Permissions to_proto(std::string_view user, std::string_view vhost, const PermissionPatterns& patterns) {
  proto::Permissions out;
  out.set_user(std::string(user));
  out.set_vhost(std::string(vhost));
  out.set_configure(patterns.configure);
  out.set_write(patterns.write);
  out.set_read(patterns.read);
  return out;
}
inline PermissionPatterns patterns_from(const proto::Permissions& in) {
  return {.configure = in.configure(), .write = in.write(), .read = in.read()};
}

}  // namespace quorate::cluster::codec

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

inline proto::QueueType to_proto(QueueType type) { return type == QueueType::quorum ? proto::QUORUM : proto::CLASSIC; }
inline QueueType from_proto(proto::QueueType in) {
  return in == proto::QUORUM ? QueueType::quorum : QueueType::classic;
}

inline proto::Vhost to_proto(const std::string& name, const VhostMetadata& metadata) {
  proto::Vhost out;
  out.set_name(name);
  out.set_description(metadata.description);
  for (const std::string& tag : metadata.tags) out.add_tags(tag);
  if (metadata.default_queue_type) out.set_default_queue_type(to_proto(*metadata.default_queue_type));
  out.set_relaxed_redeclaration(metadata.relaxed_redeclaration);
  return out;
}
inline VhostMetadata metadata_from(const proto::Vhost& in) {
  VhostMetadata out{.description = in.description(),
                    .tags = {in.tags().begin(), in.tags().end()},
                    .relaxed_redeclaration = in.relaxed_redeclaration()};
  if (in.has_default_queue_type()) out.default_queue_type = from_proto(in.default_queue_type());
  return out;
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
  out.set_type(to_proto(queue.type));
  out.set_was_quorum(queue.was_quorum);
  for (const raft::ReplicaId member : queue.members) out.add_members(member.value());
  for (const raft::ReplicaId member : queue.target) out.add_target(member.value());
  return out;
}
inline std::vector<raft::ReplicaId> replicas_from(const auto& numbers) {
  std::vector<raft::ReplicaId> replicas;
  for (const std::uint64_t number : numbers) replicas.emplace_back(number);
  return replicas;
}
inline Queue from_proto(const proto::Queue& in) {
  Queue out{.id = GroupId(in.id()),
            .vhost = in.vhost(),
            .name = in.name(),
            .durable = in.durable(),
            .auto_delete = in.auto_delete(),
            .arguments = in.arguments(),
            .node = NodeId(in.node()),
            .type = from_proto(in.type()),
            .was_quorum = in.was_quorum(),
            .members = replicas_from(in.members()),
            .target = replicas_from(in.target())};
  if (in.has_owner()) out.owner = from_proto(in.owner());
  return out;
}

inline proto::ClusterNode to_proto(const ClusterNode& node) {
  proto::ClusterNode out;
  out.set_id(node.id.value());
  out.set_name(node.name);
  out.set_host(node.host);
  out.set_port(node.port);
  out.set_directory(node.directory);
  out.set_epoch(node.epoch.value());
  out.set_drained(node.drained);
  out.set_replica(node.replica.value());
  out.set_zone(node.zone);
  return out;
}
inline ClusterNode from_proto(const proto::ClusterNode& in) {
  return {.id = NodeId(in.id()),
          .name = in.name(),
          .host = in.host(),
          .port = static_cast<std::uint16_t>(in.port()),
          .directory = in.directory(),
          .epoch = Epoch(in.epoch()),
          .drained = in.drained(),
          .replica = raft::ReplicaId(in.replica()),
          .zone = in.zone()};
}

inline proto::Origin to_proto(const Origin& origin) {
  proto::Origin out;
  out.set_node(origin.node.value());
  out.set_epoch(origin.epoch.value());
  out.set_number(origin.number);
  return out;
}
inline Origin from_proto(const proto::Origin& in) {
  return {.node = NodeId(in.node()), .epoch = Epoch(in.epoch()), .number = in.number()};
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

inline proto::Policy to_proto(const Policy& policy) {
  proto::Policy out;
  out.set_vhost(policy.vhost);
  out.set_name(policy.name);
  out.set_is_operators(policy.is_operators);
  out.set_pattern(policy.pattern);
  for (const PolicyTerm& term : policy.definition) {
    proto::PolicyTerm& words = *out.add_definition();
    words.set_key(term.key);
    if (const auto* number = std::get_if<std::int64_t>(&term.value)) words.set_number(*number);
    if (const auto* text = std::get_if<std::string>(&term.value)) words.set_text(*text);
  }
  out.set_priority(policy.priority);
  out.set_apply_to(static_cast<proto::Policy::Scope>(policy.apply_to));
  return out;
}
/// Of a scope that this version does not know it is about nothing that there is.
inline PolicyScope from_proto(proto::Policy::Scope in) {
  return in >= proto::Policy::ALL && in <= proto::Policy::STREAMS ? static_cast<PolicyScope>(in) : PolicyScope::streams;
}
inline Policy from_proto(const proto::Policy& in) {
  Policy out{.vhost = in.vhost(),
             .name = in.name(),
             .is_operators = in.is_operators(),
             .pattern = in.pattern(),
             .priority = in.priority(),
             .apply_to = from_proto(in.apply_to())};
  for (const proto::PolicyTerm& words : in.definition()) {
    PolicyTerm& term = out.definition.emplace_back(PolicyTerm{.key = words.key(), .value = words.text()});
    if (words.has_number()) term.value = words.number();
  }
  return out;
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

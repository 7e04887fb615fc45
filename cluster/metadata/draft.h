// Draft: the next version of the topology in the making, with one clause per command. A clause answers before it
// changes anything, so a command is carried out whole or not at all.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "cluster/metadata/commands.h"
#include "cluster/metadata/machine.h"
#include "cluster/metadata/topology.h"

namespace quorate::cluster {

class Draft {
 public:
  /// Continues `before` with the entry at `index`; queues that come, go or move are told to `out`.
  Draft(const MetadataMachine::IndexFactory& make_index, const Topology& before, LogIndex index, MetadataEffects& out);

  /// False when the entry has been applied before, comes too early, or is of a start of its node that is over.
  bool admit(const Origin& origin);

  // About names (draft_names.cc).
  Outcome on(const PutVhost& command);
  Outcome on(const SetVhostMetadata& command);
  Outcome on(const DeleteVhost& command);
  Outcome on(const PutUser& command);
  Outcome on(const DeleteUser& command);
  Outcome on(const SetPermissions& command);
  Outcome on(const ClearPermissions& command);
  Outcome on(const CreateDefaults& command);
  Outcome on(const SetPolicy& command);
  Outcome on(const ClearPolicy& command);
  Outcome on(const DeclareExchange& command);
  Outcome on(const DeleteExchange& command);
  Outcome on(const DeclareQueue& command);
  Outcome on(const DeleteQueue& command);
  Outcome on(const Bind& command);
  Outcome on(const Unbind& command);
  Outcome on(const ConnectionClosed& command);

  // About nodes, and what lives on them (draft_nodes.cc).
  Outcome on(const NodeStarted& command);
  Outcome on(const PutNode& command);
  Outcome on(const ForgetNode& command);
  Outcome on(const PlaceQueue& command);
  Outcome on(const QueuePlaced& command);
  Outcome on(const SetQueueType& command);
  Outcome on(const DrainNode& command);
  Outcome on(const SetClusterName& command);
  Outcome on(const GiveUpNode& command);

  TopologyPtr finish() && { return share(std::move(next_)); }

 private:
  template <class T>
  static std::shared_ptr<const T> share(T value) {
    return std::make_shared<const T>(std::move(value));
  }

  /// A replica on each of `nodes` that has not been forgotten: those that are there stay who they are, others are new.
  std::vector<raft::ReplicaId> place(const std::vector<NodeId>& nodes,
                                     const std::vector<raft::ReplicaId>& present) const;
  /// The cluster has nodes, and this is none of them.
  bool is_gone(NodeId node) const;
  bool is_name_taken(const std::string& name) const;

  void put(ClusterNode node);
  void put(Vhost vhost);
  void put(Exchange exchange);
  bool put_exchange(Exchange exchange);
  void put_queue(const QueuePtr& queue);
  /// The same queue with other members.
  void move_queue(Queue changed);
  void enter(const QueuePtr& queue);
  void remove_queue(const QueuePtr& queue);
  void remove_queues(std::vector<QueuePtr> queues);
  void remove_exchange(const Exchange& reference);
  void remove_bindings_to(const std::string& vhost_name, Destination::Kind kind, const std::string& name);
  /// The binding exists, and so do both ends. An auto-delete exchange goes with the last one.
  void unbind(const Binding& binding);
  void remember_destination(const BindingPtr& binding);
  void forget_destination(const Binding& binding);
  std::optional<Destination> resolve(const Binding& binding) const;
  void clear_permissions(User user, const std::string& vhost);

  const MetadataMachine::IndexFactory& make_index_;
  const std::uint64_t edit_;  // of the maps: nobody sees what lies between the commands of an entry
  std::uint64_t next_id_;
  MetadataEffects& out_;
  Topology next_;
};

}  // namespace quorate::cluster

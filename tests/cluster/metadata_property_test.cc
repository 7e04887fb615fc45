// Random metadata commands: after each entry the topology fits together, and a machine restored from a snapshot taken
// anywhere answers and serializes as the one that has seen it all. QUORATE_SEED chooses another run.
#include <gtest/gtest.h>

#include <optional>

#include "base/random.h"
#include "tests/base/environment.h"
#include "tests/cluster/metadata_fixture.h"

namespace quorate::cluster {
namespace {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  std::vector<MetadataCommand> entry(const Topology& topology) {
    std::vector<MetadataCommand> commands;
    for (std::uint64_t count = 1 + below(kMetadataCommandsMax); count > 0; --count)
      commands.push_back(command(topology));
    return commands;
  }

 private:
  std::string vhost() { return below(4) == 0 ? "v" : "/"; }
  std::string name() { return std::string(1, static_cast<char>('a' + below(6))); }
  std::string source() { return below(4) == 0 ? "amq.topic" : name(); }
  Owner owner() { return {.node = NodeId(1), .epoch = epoch_, .connection = ConnectionId(below(3))}; }
  Binding binding() {
    return {.vhost = vhost(),
            .source = source(),
            .kind = below(3) == 0 ? Destination::Kind::exchange : Destination::Kind::queue,
            .destination = name(),
            .key = {.routing_key = std::to_string(below(3)), .arguments = below(3) == 0 ? "x" : ""}};
  }
  VhostMetadata metadata() {
    VhostMetadata said{.description = name(), .relaxed_redeclaration = below(2) == 0};
    if (below(2) == 0) said.tags.push_back(name());
    if (below(2) == 0) said.default_queue_type = below(2) == 0 ? QueueType::classic : QueueType::quorum;
    return said;
  }
  MetadataCommand policy() {
    const bool is_operators = below(2) == 0;
    if (below(3) == 0) return ClearPolicy{.vhost = vhost(), .name = name(), .is_operators = is_operators};
    return SetPolicy{.policy = {.vhost = vhost(),
                                .name = name(),
                                .is_operators = is_operators,
                                .pattern = name(),
                                .definition = {{.key = name(), .value = std::int64_t{7}}}}};
  }
  GroupId queue_id(const Topology& topology) {
    const Queue* queue = topology.find_queue(vhost(), name());
    return queue != nullptr ? queue->id : GroupId(below(1'000));
  }
  MetadataCommand move_queue(const Topology& topology) {
    const GroupId id = queue_id(topology);
    const Queue* queue = topology.find_queue(id);
    switch (below(3)) {
      case 0:
        return PlaceQueue{.id = id, .nodes = {NodeId(1), NodeId(1 + static_cast<std::uint32_t>(below(3)))}};
      case 1:
        return QueuePlaced{.id = id, .members = queue != nullptr ? queue->target : std::vector<raft::ReplicaId>{}};
      default:
        return SetQueueType{.id = id, .type = below(2) == 0 ? QueueType::classic : QueueType::quorum};
    }
  }
  MetadataCommand command(const Topology& topology) {
    static constexpr std::string_view kTypes[] = {"direct", "fanout", "topic", "odd"};
    const std::uint64_t dice = below(100);
    if (dice < 15) {
      return DeclareExchange{.exchange = {.vhost = vhost(),
                                          .name = name(),
                                          .type = std::string(kTypes[below(4)]),
                                          .durable = below(3) > 0,
                                          .auto_delete = below(2) == 0}};
    }
    if (dice < 30) {
      Queue queue{.vhost = vhost(), .name = name(), .durable = below(2) == 0, .node = NodeId(1 + below(2))};
      if (below(3) == 0) queue.owner = owner();
      return DeclareQueue{.queue = std::move(queue)};
    }
    if (dice < 65) return Bind{.binding = binding()};
    if (dice < 76) return Unbind{.binding = binding()};
    if (dice < 79) return DeleteQueue{.id = queue_id(topology)};
    if (dice < 83) return move_queue(topology);
    if (dice < 88) return DeleteExchange{.vhost = vhost(), .name = name(), .if_unused = below(2) == 0};
    if (dice < 91) return ConnectionClosed{.owner = owner()};
    if (dice < 93) return PutUser{.name = name(), .password_hash = "h", .tags = {}};
    if (dice < 95) return SetPermissions{.user = name(), .vhost = vhost(), .patterns = {.configure = name()}};
    if (dice < 96 && below(4) == 0)
      return SetClusterName{.name = below(4) == 0 ? "" : name(), .unless_set = below(2) == 0};
    if (dice < 96) return DeleteUser{.name = name()};
    if (dice < 97) return ClearPermissions{.user = name(), .vhost = vhost()};
    if (dice < 98) return PutVhost{.name = vhost(), .metadata = metadata()};
    if (dice < 99 && below(2) == 0) return SetVhostMetadata{.name = vhost(), .metadata = metadata()};
    if (dice < 99 && below(4) == 0) return DeleteVhost{.name = vhost()};
    if (dice < 99) return policy();
    const NodeId node(1 + static_cast<std::uint32_t>(below(2)));
    if (below(4) == 0) return GiveUpNode{.id = node, .epoch = epoch_};
    if (below(2) == 0) ++epoch_;
    return NodeStarted{.node = node, .epoch = epoch_};
  }

  Random random_;
  Epoch epoch_{1};
};

std::vector<std::uint64_t> ids(const std::vector<QueuePtr>& queues) {
  std::vector<std::uint64_t> out;
  for (const QueuePtr& queue : queues) out.push_back(queue->id.value());
  return out;
}

TEST(MetadataProperty, FitsTogetherAndAgreesWithItsSnapshots) {
  const std::uint64_t seed = from_environment("QUORATE_SEED", 20'240'602);
  SCOPED_TRACE("rerun: QUORATE_SEED=" + std::to_string(seed));
  Chance chance(seed);
  MetadataMachine machine(make_plain_index);
  std::optional<MetadataMachine> replica;
  LogIndex index;
  for (int i = 0; i < 2'000; ++i) {
    ++index;
    auto commands = chance.entry(*machine.topology());
    if (i == 0) commands.front() = PutVhost{.name = "/"};
    const Bytes payload = encode_entry({.commands = commands});
    MetadataEffects effects;
    ASSERT_TRUE(machine.apply(index, payload.view(), effects));
    ASSERT_EQ(effects.outcomes.size(), commands.size());
    ASSERT_NO_FATAL_FAILURE(check_topology(*machine.topology())) << "entry " << i;
    if (replica) {
      MetadataEffects again;
      ASSERT_TRUE(replica->apply(index, payload.view(), again));
      ASSERT_EQ(again.outcomes, effects.outcomes);
      ASSERT_EQ(ids(again.queues.created), ids(effects.queues.created));
      ASSERT_EQ(ids(again.queues.deleted), ids(effects.queues.deleted));
      ASSERT_EQ(replica->serialize(), machine.serialize());
      ASSERT_NO_FATAL_FAILURE(check_topology(*replica->topology()));
    }
    if (chance.below(30) == 0) {
      replica.emplace(make_plain_index);
      ASSERT_TRUE(replica->restore(machine.serialize().view()));
      ASSERT_EQ(replica->serialize(), machine.serialize());
    }
  }
}

}  // namespace
}  // namespace quorate::cluster

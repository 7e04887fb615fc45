// Nodes come and go, and what lives on them with them: no queue is left to a node that was forgotten.
#include "tests/cluster/metadata_fixture.h"

namespace quorate::cluster {
namespace {

using Nodes = std::vector<std::uint32_t>;

class MetadataNodes : public MetadataFixture {
 protected:
  MetadataNodes() {
    for (const std::uint32_t id : {1u, 2u, 3u}) put(id);
  }
  Outcome put(std::uint32_t id, const std::string& name = "") {
    return submit(PutNode{.node = {.id = NodeId(id), .name = name.empty() ? "n" + std::to_string(id) : name}});
  }
  Outcome forget(std::uint32_t id) { return submit(ForgetNode{.id = NodeId(id)}); }
  Outcome declare(const std::string& name, Queue queue, const Nodes& nodes) {
    queue.vhost = "/";
    queue.name = name;
    return submit(DeclareQueue{.queue = std::move(queue), .nodes = ids(nodes)});
  }
  Outcome place(const std::string& name, const Nodes& nodes) {
    return submit(PlaceQueue{.id = find_queue(name)->id, .nodes = ids(nodes)});
  }
  static std::vector<NodeId> ids(const Nodes& nodes) {
    std::vector<NodeId> out;
    for (const std::uint32_t node : nodes) out.emplace_back(node);
    return out;
  }
  static Nodes nodes_of(const std::vector<raft::ReplicaId>& replicas) {
    Nodes nodes;
    for (const raft::ReplicaId replica : replicas) nodes.push_back(raft::node_of(replica).value());
    return nodes;
  }
  Nodes members(const std::string& name) const { return nodes_of(find_queue(name)->members); }
  Nodes target(const std::string& name) const { return nodes_of(find_queue(name)->target); }
  /// The id that a node which joins is given.
  std::uint32_t join(const std::string& name) {
    put(0, name);
    std::uint32_t id = 0;
    topology().nodes.for_each([&](std::uint64_t, const ClusterNode& node) {
      if (node.name == name) id = node.id.value();
    });
    return id;
  }
};

TEST_F(MetadataNodes, NoIdIsGivenTwiceAlsoWhenItsNodeNeverStarted) {
  EXPECT_EQ(join("a"), 4u);
  EXPECT_EQ(forget(4), Outcome::done);
  EXPECT_EQ(join("b"), 5u);
  EXPECT_EQ(forget(5), Outcome::done);
  const Bytes snapshot = machine_.serialize();
  ASSERT_TRUE(machine_.restore(snapshot.view()));
  EXPECT_EQ(join("c"), 6u);
  EXPECT_EQ(put(0, "c"), Outcome::exists);
  EXPECT_EQ(forget(9), Outcome::not_found);
}

TEST_F(MetadataNodes, NothingIsPlacedOnANodeThatWasForgotten) {
  declare("q", {.durable = true, .node = NodeId(1), .type = QueueType::quorum}, {1, 2});
  forget(3);
  EXPECT_EQ(declare("a", {.durable = true, .node = NodeId(3), .type = QueueType::quorum}, {1, 2, 3}), Outcome::done);
  EXPECT_EQ(members("a"), (Nodes{1, 2}));
  EXPECT_EQ(find_queue("a")->node, NodeId(1));
  EXPECT_EQ(declare("b", {.durable = true, .node = NodeId(3)}, {3}), Outcome::refused);
  EXPECT_EQ(declare("c", {.durable = false, .node = NodeId(3)}, {}), Outcome::refused);
  const Owner gone{.node = NodeId(3), .epoch = Epoch(1), .connection = ConnectionId(1)};
  EXPECT_EQ(declare("d", {.durable = true, .owner = gone, .node = NodeId(1)}, {1}), Outcome::refused);
  for (const std::string name : {"b", "c", "d"}) EXPECT_EQ(find_queue(name), nullptr) << name;
  EXPECT_EQ(place("q", {3}), Outcome::refused);
  EXPECT_EQ(place("q", {2, 3}), Outcome::done);
  EXPECT_EQ(target("q"), (Nodes{2}));
}

TEST_F(MetadataNodes, ForgettingOneEndsWhatWasThereAndWhatItsClientsOwned) {
  const Owner there{.node = NodeId(3), .epoch = Epoch(1), .connection = ConnectionId(1)};
  declare("owned", {.durable = true, .owner = there, .node = NodeId(1), .type = QueueType::quorum}, {1, 2});
  declare("transient", {.durable = false, .node = NodeId(3)}, {});
  declare("alone", {.durable = true, .node = NodeId(3)}, {3});
  declare("shared", {.durable = true, .node = NodeId(3), .type = QueueType::quorum}, {1, 2, 3});
  declare("elsewhere", {.durable = true, .node = NodeId(1)}, {1});
  EXPECT_EQ(forget(3), Outcome::done);
  for (const std::string name : {"owned", "transient", "alone"}) EXPECT_EQ(find_queue(name), nullptr) << name;
  EXPECT_EQ(effects_.queues.deleted.size(), 3u);
  EXPECT_EQ(target("shared"), (Nodes{1, 2}));
  EXPECT_TRUE(target("elsewhere").empty());
}

TEST_F(MetadataNodes, GivingOneUpEndsWhatThisEpochOfItHeldInMemory) {
  submit(NodeStarted{.node = NodeId(3), .epoch = Epoch(2)});
  const Owner there{.node = NodeId(3), .epoch = Epoch(2), .connection = ConnectionId(1)};
  const Owner here{.node = NodeId(1), .epoch = Epoch(2), .connection = ConnectionId(1)};
  declare("owned", {.durable = true, .owner = there, .node = NodeId(1), .type = QueueType::quorum}, {1, 2, 3});
  declare("transient", {.durable = false, .node = NodeId(3)}, {});
  declare("durable", {.durable = true, .node = NodeId(3)}, {3});
  declare("elsewhere", {.durable = false, .node = NodeId(1)}, {});
  declare("another's", {.durable = true, .owner = here, .node = NodeId(1), .type = QueueType::quorum}, {1, 2, 3});
  EXPECT_EQ(submit(GiveUpNode{.id = NodeId(3), .epoch = Epoch(1)}), Outcome::refused) << "it has started again";
  EXPECT_TRUE(effects_.queues.deleted.empty());
  EXPECT_EQ(submit(GiveUpNode{.id = NodeId(3), .epoch = Epoch(2)}), Outcome::done);
  EXPECT_EQ(effects_.queues.deleted.size(), 2u);
  for (const std::string name : {"owned", "transient"}) EXPECT_EQ(find_queue(name), nullptr) << name;
  EXPECT_EQ(submit(GiveUpNode{.id = NodeId(3), .epoch = Epoch(2)}), Outcome::done) << "again, as another leader would";
  EXPECT_TRUE(effects_.queues.deleted.empty());
  forget(3);
  EXPECT_EQ(submit(GiveUpNode{.id = NodeId(3), .epoch = Epoch(2)}), Outcome::not_found);
}

TEST_F(MetadataNodes, AQueueOnItsWayToANodeThatIsForgottenStaysWhereElseItIs) {
  declare("q", {.durable = true, .node = NodeId(1), .type = QueueType::quorum}, {1, 3});
  EXPECT_EQ(place("q", {3}), Outcome::done);
  forget(3);
  EXPECT_EQ(members("q"), (Nodes{1, 3}));
  EXPECT_EQ(target("q"), (Nodes{1}));
}

TEST_F(MetadataNodes, AZoneIsWhatTheLatestStartSays) {
  const auto zone = [this] { return topology().find_node(NodeId(1))->zone; };
  submit(NodeStarted{.node = NodeId(1), .epoch = Epoch(2), .zone = "a"});
  EXPECT_EQ(zone(), "a");
  put(1);  // it has moved, or another founder tells of it
  EXPECT_EQ(zone(), "a");
  submit(NodeStarted{.node = NodeId(1), .epoch = Epoch(1), .zone = "old"});
  EXPECT_EQ(zone(), "a");
  ASSERT_TRUE(machine_.restore(machine_.serialize().view()));
  EXPECT_EQ(zone(), "a");
  submit(NodeStarted{.node = NodeId(1), .epoch = Epoch(3)});
  EXPECT_EQ(zone(), "");
}

TEST_F(MetadataNodes, TheClusterIsCalledAsItsFirstNodeUntilItHasANameAndKeepsThat) {
  const auto name = [this] { return topology().cluster_name_or("nobody"); };
  EXPECT_EQ(name(), "n1");
  EXPECT_EQ(submit(SetClusterName{.name = ""}), Outcome::refused);
  EXPECT_EQ(submit(SetClusterName{.name = std::string(256, 'x')}), Outcome::refused);
  EXPECT_EQ(submit(SetClusterName{.name = "n1", .unless_set = true}), Outcome::done);
  EXPECT_EQ(submit(SetClusterName{.name = "late", .unless_set = true}), Outcome::exists);
  forget(1);
  EXPECT_EQ(name(), "n1");
  EXPECT_EQ(submit(SetClusterName{.name = "prod"}), Outcome::done);
  ASSERT_TRUE(machine_.restore(machine_.serialize().view()));
  EXPECT_EQ(name(), "prod");
  EXPECT_EQ(Topology().cluster_name_or("nobody"), "nobody");
}

TEST_F(MetadataNodes, DefaultsComeOnceAndNeverBack) {
  const CreateDefaults defaults{.vhost = {.name = "d"},
                                .user = {.name = "guest", .password_hash = "h", .tags = {"administrator"}},
                                .patterns = {.configure = ".*", .write = ".*", .read = ".*"}};
  EXPECT_EQ(submit(defaults), Outcome::exists) << "there is a virtual host";
  submit(DeleteVhost{.name = "/"});
  EXPECT_EQ(submit(defaults), Outcome::done);
  EXPECT_NE(topology().find_vhost("d"), nullptr);
  const User* guest = topology().users.find(std::string_view("guest"));
  ASSERT_NE(guest, nullptr);
  EXPECT_NE(guest->permissions.find(std::string_view("d")), nullptr);
  // Its password was changed, or it was deleted, before another node asked.
  submit(PutUser{.name = "guest", .password_hash = "mine"});
  EXPECT_EQ(submit(defaults), Outcome::exists);
  EXPECT_EQ(topology().users.find(std::string_view("guest"))->password_hash, "mine");
  submit(DeleteUser{.name = "guest"});
  EXPECT_EQ(submit(defaults), Outcome::exists);
  submit(PutUser{.name = "ann", .password_hash = "h"});
  submit(DeleteVhost{.name = "d"});
  EXPECT_EQ(submit(defaults), Outcome::exists);
  EXPECT_EQ(topology().users.find(std::string_view("guest")), nullptr);
}

}  // namespace
}  // namespace quorate::cluster

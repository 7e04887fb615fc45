// Commands that need not be on the disk: the node's restart takes away whatever they made.
#include <gtest/gtest.h>

#include "cluster/metadata/transient.h"
#include "tests/cluster/metadata_fixture.h"

namespace quorate::cluster {
namespace {

constexpr Owner kOwner{.node = NodeId(1), .epoch = Epoch(1), .connection = ConnectionId(7)};

class MetadataTransient : public MetadataFixture {
 protected:
  MetadataTransient() {
    exchange("durable");
    exchange("transient", {});
    queue("durable");
    queue("transient", {});
    queue("exclusive", {.owner = kOwner});
  }
  bool judge(const MetadataCommand& command) { return is_transient(topology(), command); }
  bool judge_binding(const std::string& source, Destination::Kind kind, const std::string& destination) {
    const Binding both = binding(source, kind, destination, "k");
    EXPECT_EQ(judge(Bind{.binding = both}), judge(Unbind{.binding = both}));
    return judge(Bind{.binding = both});
  }
  GroupId id_of(const std::string& name) { return topology().find_queue("/", name)->id; }
};

TEST_F(MetadataTransient, DeclarationsSayIt) {
  EXPECT_TRUE(judge(DeclareQueue{.queue = {.vhost = "/", .name = "new"}}));
  EXPECT_FALSE(judge(DeclareQueue{.queue = {.vhost = "/", .name = "new", .durable = true}}));
  EXPECT_TRUE(judge(DeclareExchange{.exchange = {.vhost = "/", .name = "new"}}));
  EXPECT_FALSE(judge(DeclareExchange{.exchange = {.vhost = "/", .name = "new", .durable = true}}));
}

TEST_F(MetadataTransient, DeletionsAreLikeWhatTheyDelete) {
  EXPECT_TRUE(judge(DeleteQueue{.id = id_of("transient")}));
  EXPECT_FALSE(judge(DeleteQueue{.id = id_of("durable")}));
  EXPECT_FALSE(judge(DeleteQueue{.id = GroupId(1)}));
  EXPECT_TRUE(judge(DeleteExchange{.vhost = "/", .name = "transient"}));
  EXPECT_FALSE(judge(DeleteExchange{.vhost = "/", .name = "durable"}));
  EXPECT_FALSE(judge(DeleteExchange{.vhost = "/", .name = "missing"}));
}

TEST_F(MetadataTransient, ABindingLastsAsLongAsBothEnds) {
  using enum Destination::Kind;
  EXPECT_FALSE(judge_binding("durable", queue, "durable"));
  EXPECT_TRUE(judge_binding("durable", queue, "transient"));
  EXPECT_TRUE(judge_binding("transient", queue, "durable"));
  EXPECT_FALSE(judge_binding("durable", exchange, "durable"));
  EXPECT_TRUE(judge_binding("durable", exchange, "transient"));
  EXPECT_FALSE(judge_binding("durable", queue, "missing"));
}

TEST_F(MetadataTransient, AConnectionEndsWithWhatItOwns) {
  EXPECT_TRUE(judge(ConnectionClosed{.owner = kOwner}));
  EXPECT_TRUE(judge(ConnectionClosed{.owner = {.node = NodeId(1), .epoch = Epoch(1), .connection = ConnectionId(8)}}));
  queue("exclusive and durable", {.durable = true, .owner = kOwner});
  EXPECT_FALSE(judge(ConnectionClosed{.owner = kOwner}));
}

TEST_F(MetadataTransient, EverythingElseLasts) {
  EXPECT_FALSE(judge(PutVhost{.name = "v"}));
  EXPECT_FALSE(judge(DeleteVhost{.name = "/"}));
  EXPECT_FALSE(judge(PutUser{.name = "u"}));
  EXPECT_FALSE(judge(NodeStarted{.node = NodeId(1), .epoch = Epoch(2)}));
}

/// What was judged transient is gone after the restart of the only node, so it may be lost before.
TEST_F(MetadataTransient, ARestartTakesAwayWhatIsTransient) {
  const auto state = [&] {
    std::string names;
    topology().queues_by_id.for_each([&](std::uint64_t, const QueuePtr& queue) { names += queue->name + " "; });
    topology().exchanges_by_id.for_each([&](std::uint64_t, const ExchangePtr& exchange) {
      names += exchange->name + "/" + std::to_string(exchange->bindings.size()) + " ";
    });
    return names;
  };
  submit(NodeStarted{.node = NodeId(1), .epoch = Epoch(2)});
  const std::string before = state();
  exchange("transient", {});
  queue("transient", {});
  bind("durable", "transient");
  bind("transient", "durable");
  EXPECT_NE(state(), before);
  submit(NodeStarted{.node = NodeId(1), .epoch = Epoch(3)});
  EXPECT_EQ(state(), before);
}

}  // namespace
}  // namespace quorate::cluster

// Nodes that are given up: what is said of them, and for how long.
#include "broker/node/given_up.h"

#include <gtest/gtest.h>

#include "tests/cluster/metadata_fixture.h"

namespace quorate {
namespace {

class GivenUpTest : public cluster::MetadataFixture {
 protected:
  GivenUpTest() {
    for (const std::string name : {"rabbit@n1", "rabbit@n2"}) {
      submit(cluster::PutNode{.node = {.name = name, .directory = name}});
    }
    submit(cluster::NodeStarted{.node = NodeId(2), .epoch = Epoch(7)});
    submit(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "reply", .node = NodeId(2)}, .nodes = {}});
  }
  void give_up() { given_up_.add(NodeId(2), topology()); }
  /// "2/7": node 2, epoch 7. Not carried out.
  std::string look() {
    std::string said;
    for (const cluster::GiveUpNode& command : given_up_.look(topology())) {
      said += std::to_string(command.id.value()) + "/" + std::to_string(command.epoch.value());
    }
    return said;
  }

  GivenUp given_up_;
};

TEST_F(GivenUpTest, AreNamedUntilNothingOfThemIsLeft) {
  EXPECT_EQ(look(), "");
  give_up();
  EXPECT_EQ(look(), "2/7");
  EXPECT_EQ(look(), "2/7") << "the first may be lost with a leader";
  submit(given_up_.look(topology()).front());
  EXPECT_EQ(find_queue("reply"), nullptr);
  EXPECT_EQ(look(), "");
}

TEST_F(GivenUpTest, AreLeftAloneWhenTheyAreBackOrForgottenOrHaveStartedAgain) {
  give_up();
  given_up_.remove(NodeId(2));
  EXPECT_EQ(look(), "");
  give_up();
  submit(cluster::NodeStarted{.node = NodeId(2), .epoch = Epoch(8)});
  submit(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "new", .node = NodeId(2)}, .nodes = {}});
  EXPECT_EQ(look(), "") << "before its heartbeats are heard";
  give_up();
  EXPECT_EQ(look(), "2/8");
  submit(cluster::ForgetNode{.id = NodeId(2)});
  EXPECT_EQ(look(), "");
}

}  // namespace
}  // namespace quorate

// Control commands for members of the cluster and of its queues, without a node (management.md §3.2).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "tests/broker/ctl/control_fixture.h"

namespace quorate::ctl {
namespace {

class ClusterControlTest : public ControlTest {
 protected:
  /// rabbit@test, rabbit@b and rabbit@c, with a member of queue "q" on the first two.
  ClusterControlTest() {
    for (const std::string name : {"rabbit@test", "rabbit@b", "rabbit@c"}) {
      view.apply(cluster::PutNode{.node = {.name = name, .directory = name}});
    }
    view.apply(
        cluster::DeclareQueue{.queue = {.vhost = "/", .name = "q", .durable = true, .type = cluster::QueueType::quorum},
                              .nodes = {NodeId(1), NodeId(2)}});
    view.put_queue("/", "c");
  }
  /// Where q's members are, or are to be.
  std::string target() const {
    const cluster::Queue& queue = *view.topology()->find_queue("/", "q");
    std::string nodes;
    for (const raft::ReplicaId member : queue.target.empty() ? queue.members : queue.target) {
      nodes += std::to_string(raft::node_of(member).value());
    }
    return nodes;
  }
};

TEST_F(ClusterControlTest, MembersOfAQueueComeAndGo) {
  EXPECT_EQ(target(), "12");
  EXPECT_EQ(data("add_member", R"({"queue":"q","target":"rabbit@c"})"), "null");
  EXPECT_EQ(target(), "123");
  EXPECT_EQ(error("delete_member", R"({"queue":"q","target":"rabbit@b"})"),
            "69 another change of its members is under way");
  EXPECT_EQ(error("add_member", R"({"queue":"q","target":"rabbit@x"})"),
            "65 node rabbit@x is not a member of the cluster");
  for (const std::string_view command : {"delete_member", "transfer_leadership"}) {
    EXPECT_TRUE(error(command, R"({"queue":"c","target":"rabbit@b"})").ends_with("a non-quorum queue")) << command;
  }
  for (const std::string_view command : {"add_member", "delete_member", "transfer_leadership"}) {
    EXPECT_EQ(error(command, R"({"queue":"x","target":"rabbit@b"})"), "65 Queue 'x' does not exist in vhost '/'");
  }
}

TEST_F(ClusterControlTest, AClassicQueueBecomesAQuorumQueueAndBack) {
  view.apply(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "t", .node = NodeId(1)}, .nodes = {}});
  EXPECT_EQ(error("add_member", R"({"queue":"t","target":"rabbit@b"})"),
            "69 Only a durable queue that does not delete itself can become a quorum queue");
  EXPECT_EQ(error("set_queue_type", R"({"queue":"t","type":"quorum"})"),
            "69 Only a durable queue that does not delete itself can become a quorum queue");
  const auto type = [&] { return view.topology()->find_queue("/", "d")->type; };
  view.apply(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "d", .durable = true}, .nodes = {NodeId(1)}});
  EXPECT_EQ(data("grow", R"({"target":"rabbit@b","strategy":"all"})"), "[]");
  EXPECT_EQ(data("add_member", R"({"queue":"d","target":"rabbit@b"})"), "null");
  EXPECT_EQ(type(), cluster::QueueType::quorum);
  EXPECT_TRUE(
      error("set_queue_type", R"({"queue":"d","type":"classic"})").starts_with("69 A queue with several members"));
  EXPECT_EQ(error("set_queue_type", R"({"queue":"d","type":"stream"})"), "64 the type must be one of: classic, quorum");
  const GroupId id = view.topology()->find_queue("/", "d")->id;
  view.apply(cluster::QueuePlaced{.id = id, .members = view.topology()->find_queue(id)->target});
  EXPECT_EQ(data("delete_member", R"({"queue":"d","target":"rabbit@b"})"), "null");
  EXPECT_EQ(error("set_queue_type", R"({"queue":"d","type":"classic"})"),
            "69 another change of its members is under way");
  view.apply(cluster::QueuePlaced{.id = id, .members = view.topology()->find_queue(id)->target});
  EXPECT_EQ(data("set_queue_type", R"({"queue":"d","type":"classic"})"), "null");
  EXPECT_EQ(type(), cluster::QueueType::classic);
}

TEST_F(ClusterControlTest, GrowsClassicQueuesTooIfTold) {
  view.apply(cluster::DeleteQueue{.id = view.topology()->find_queue("/", "c")->id});  // a view's; it has no member
  view.apply(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "d", .durable = true}, .nodes = {NodeId(1)}});
  view.apply(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "t", .node = NodeId(1)}, .nodes = {}});
  view.apply(cluster::DeclareQueue{.queue = {.vhost = "/", .name = "a", .durable = true, .auto_delete = true},
                                   .nodes = {NodeId(1)}});
  EXPECT_EQ(data("grow", R"({"target":"rabbit@c","strategy":"even","classic":true})"),
            R"([{"vhost":"/","name":"q","size":3,"result":"ok"}])");
  EXPECT_EQ(data("grow", R"({"target":"rabbit@c","strategy":"all","classic":true})"),
            R"([{"vhost":"/","name":"d","size":2,"result":"ok"}])");
  EXPECT_EQ(view.topology()->find_queue("/", "d")->type, cluster::QueueType::quorum);
  EXPECT_EQ(view.topology()->find_queue("/", "a")->type, cluster::QueueType::classic);
}

TEST_F(ClusterControlTest, GrowsWhatIsEvenAndShrinksWhatIsLeft) {
  EXPECT_EQ(error("grow", R"({"target":"rabbit@c","strategy":"odd"})"), "64 the strategy must be one of: all, even");
  EXPECT_EQ(data("grow", R"({"target":"rabbit@b","strategy":"all"})"), "[]");
  EXPECT_EQ(data("shrink", R"({"target":"rabbit@c"})"), "[]");
  EXPECT_EQ(data("grow", R"({"target":"rabbit@c","strategy":"even"})"),
            R"([{"vhost":"/","name":"q","size":3,"result":"ok"}])");
  EXPECT_EQ(target(), "123");
}

TEST_F(ClusterControlTest, GrowsWhatMatchesAndSaysWhatItIsAskedFor) {
  const auto grow = [&](std::string_view more) {
    return data("grow", R"({"target":"rabbit@c","strategy":"all",)" + std::string(more) + "}");
  };
  EXPECT_EQ(grow(R"("queue-pattern":"^x")"), "[]");
  EXPECT_EQ(grow(R"("vhost-pattern":"^x")"), "[]");
  EXPECT_TRUE(grow(R"("membership":"never")").starts_with("64 voter status 'never' is not recognised"));
  EXPECT_TRUE(
      error("add_member", R"({"queue":"q","target":"rabbit@c","membership":"non_voter"})").starts_with("64 voter"));
  EXPECT_EQ(grow(R"("queue-pattern":"^q$","vhost-pattern":"/","membership":"voter","errors-only":true)"), "[]");
  EXPECT_EQ(target(), "123");
  const std::string refused =
      R"([{"vhost":"/","name":"q","size":2,"result":"error: another change of its members is under way"}])";
  EXPECT_EQ(data("shrink", R"({"target":"rabbit@b","errors-only":true})"), refused);
}

TEST_F(ClusterControlTest, OneChangeOfMembersWaitsForTheOther) {
  const std::string_view third = R"({"queue":"q","target":"rabbit@c"})";
  EXPECT_EQ(data("add_member", third), "null");
  EXPECT_EQ(error("delete_member", R"({"queue":"q","target":"rabbit@b","within":"7000"})"),
            "69 another change of its members is under way");
  EXPECT_EQ(view.last_limit, std::chrono::seconds(7));
  EXPECT_EQ(target(), "123");
  view.places = true;
  EXPECT_EQ(data("delete_member", R"({"queue":"q","target":"rabbit@b"})"), "null");
  EXPECT_EQ(target(), "13") << "the third is there, the second is about to go";
  EXPECT_EQ(data("add_member", R"({"queue":"q","target":"rabbit@b"})"), "null") << "it has gone, and comes back";
  EXPECT_EQ(target(), "123");
  EXPECT_EQ(data("delete_member", third), "null");
  EXPECT_EQ(target(), "12");
}

TEST_F(ClusterControlTest, NoMemberIsPlacedOnANodeThatDoesNotRun) {
  view.silent = {NodeId(3)};
  EXPECT_EQ(error("add_member", R"({"queue":"q","target":"rabbit@c"})"),
            "69 node_not_running: rabbit@c does not answer");
  EXPECT_EQ(error("grow", R"({"target":"rabbit@c","strategy":"all"})"),
            "69 node_not_running: rabbit@c does not answer");
  EXPECT_EQ(target(), "12");
}

TEST_F(ClusterControlTest, MembersStayWithoutAMajorityOfThem) {
  view.silent = {NodeId(2)};
  EXPECT_EQ(error("delete_member", R"({"queue":"q","target":"rabbit@b"})"), "69 it has no majority, which must agree");
  EXPECT_EQ(error("add_member", R"({"queue":"q","target":"rabbit@c"})"), "69 it has no majority, which must agree");
  const std::string refused =
      R"([{"vhost":"/","name":"q","size":2,"result":"error: it has no majority, which must agree"}])";
  EXPECT_EQ(data("shrink", R"({"target":"rabbit@b","errors-only":true})"), refused);
  EXPECT_EQ(data("grow", R"({"target":"rabbit@c","strategy":"all"})"), refused);
  EXPECT_EQ(target(), "12");
}

TEST_F(ClusterControlTest, TheLastMemberStays) {
  EXPECT_EQ(data("shrink", R"({"target":"rabbit@b"})"), R"([{"vhost":"/","name":"q","size":1,"result":"ok"}])");
  EXPECT_EQ(target(), "1");
  EXPECT_EQ(data("shrink", R"({"target":"rabbit@b"})"), "[]") << "it is about to go";
  const GroupId id = view.topology()->find_queue("/", "q")->id;
  view.apply(cluster::QueuePlaced{.id = id, .members = view.topology()->find_queue(id)->target});
  const std::string last = R"([{"vhost":"/","name":"q","size":1,"result":"error: the last node cannot be removed"}])";
  EXPECT_EQ(data("shrink", R"({"target":"rabbit@test"})"), last);
  EXPECT_EQ(data("shrink", R"({"target":"rabbit@test","errors-only":true})"), last);
  EXPECT_EQ(target(), "1");
  EXPECT_EQ(error("delete_member", R"({"queue":"q","target":"rabbit@test"})"),
            "69 Cannot delete the last member of a queue");
}

TEST_F(ClusterControlTest, OnlyASilentNodeIsForgotten) {
  EXPECT_EQ(error("forget_cluster_node", R"({"target":"rabbit@x"})"),
            "65 node rabbit@x is not a member of the cluster");
  EXPECT_EQ(error("forget_cluster_node", R"({"target":"rabbit@b"})"), "69 it is running");
  EXPECT_TRUE(
      error("forget_cluster_node", R"({"target":"rabbit@test"})").starts_with("69 a node cannot forget itself"));
  view.silent = {NodeId(2)};
  view.needed = true;
  EXPECT_EQ(error("forget_cluster_node", R"({"target":"rabbit@b"})"), "69 it is needed");
  EXPECT_EQ(error("forget_cluster_node", R"({"target":"rabbit@b","offline":true})"), "69 it is needed");
  EXPECT_EQ(data("forget_cluster_node", R"({"target":"rabbit@b","offline":true,"force":true})"), "null");
  EXPECT_EQ(view.topology()->nodes.size(), 2U);
  EXPECT_EQ(target(), "1");
}

TEST_F(ClusterControlTest, TheClusterIsCalledAsItsFirstNodeUntilItIsGivenAName) {
  const auto shown = [&] { return run("cluster_status")->data.at("cluster_name"); };
  EXPECT_EQ(shown(), "rabbit@test");
  EXPECT_EQ(data("set_cluster_name", R"({"cluster_name":"prod"})"), "null");
  EXPECT_EQ(shown(), "prod");
  EXPECT_NE(run("cluster_status")->text.find("Cluster name: prod\n"), std::string::npos);
  for (const std::size_t size : {0, 256}) {
    EXPECT_EQ(error("set_cluster_name", R"({"cluster_name":")" + std::string(size, 'x') + R"("})"),
              "65 the name of the cluster has to have 1 to 255 octets");
  }
}

TEST_F(ClusterControlTest, WithoutAMajorityNobodyIsForgottenByForceEither) {
  view.silent = {NodeId(2)};
  view.majority = false;
  const auto refused = [&] { return error("forget_cluster_node", R"({"target":"rabbit@b","force":true})"); };
  const std::string why =
      ". A majority of the cluster has to agree before a node is forgotten, with --force as well; "
      "if it is lost for good, see force_standalone_khepri_boot";
  EXPECT_EQ(refused(), "69 this node reaches no majority of its cluster, which must agree" + why);
  view.state = http::ServiceState::paused;
  view.waits = "1 of 3, waiting for rabbit@b";
  EXPECT_EQ(refused(),
            "69 this node is paused, for it reaches no majority of its cluster: 1 of 3, waiting for rabbit@b" + why);
  EXPECT_EQ(view.topology()->nodes.size(), 3U);
}

TEST_F(ClusterControlTest, ObsoleteCommandsSayWhy) {
  EXPECT_TRUE(error("change_cluster_node_type", R"({"type":"ram"})").starts_with("69 the type of a node cannot be"));
  EXPECT_TRUE(error("force_boot").starts_with("69 a node waits for a majority of its cluster"));
  EXPECT_TRUE(error("rename_cluster_node", R"({"name":["a","b"]})").starts_with("69 a node keeps its name"));
  EXPECT_TRUE(error("update_cluster_nodes", R"({"target":"rabbit@b"})").starts_with("69 nothing has to be updated"));
}

TEST_F(ClusterControlTest, MaintenanceIsMarkedAndUnmarked) {
  EXPECT_TRUE(run("drain").has_value());
  EXPECT_TRUE(view.topology()->find_node(NodeId(1))->drained);
  EXPECT_TRUE(run("revive").has_value());
  EXPECT_FALSE(view.topology()->find_node(NodeId(1))->drained);
}

TEST_F(ClusterControlTest, ShowsHowFarEachReplicaIs) {
  view.replicas = {{.node = "rabbit@test",
                    .state = "leader",
                    .membership = "voter",
                    .last_index = 9,
                    .last_written = 8,
                    .last_applied = 7,
                    .commit_index = 6,
                    .snapshot_index = 5,
                    .term = 4,
                    .machine_version = 3}};
  const auto outcome = run("quorum_status", R"({"queue":"q"})");
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->text.ends_with("\nrabbit@test\tleader\tvoter\t9\t8\t7\t6\t5\t4\t3")) << outcome->text;
  EXPECT_EQ(outcome->data.as_array().at(0).at("Snapshot Index"), 5);
  EXPECT_TRUE(run("check_if_node_is_quorum_critical").has_value());
  view.critical = {{.name = "the metadata of the cluster", .is_queue = false}, {.name = "q", .vhost = "/"}};
  EXPECT_EQ(error("check_if_node_is_quorum_critical"),
            "69 the metadata of the cluster will become unavailable if node rabbit@test stops\n"
            "queue 'q' in vhost '/' will become unavailable if node rabbit@test stops");
  const std::string late = error("await_online_quorum_plus_one", R"({"within":"5"})");
  EXPECT_TRUE(late.starts_with("69 time is up, ")) << late;
  EXPECT_NE(late.find("\nqueue 'q' in vhost '/' will become"), std::string::npos) << late;
  EXPECT_EQ(view.last_limit, std::chrono::milliseconds(5));
  for (const std::string_view endless : {"{}", R"({"within":"315569519999500"})", R"({"within":"x"})"}) {
    EXPECT_TRUE(error("await_online_quorum_plus_one", endless).starts_with("69 ")) << endless;
    EXPECT_EQ(view.last_limit, kWaitMax) << "who asked may be gone";
  }
  view.critical.clear();
  EXPECT_EQ(data("await_online_quorum_plus_one", R"({"within":"5"})"), "null");
}

TEST_F(ClusterControlTest, NodesAreAwaited) {
  EXPECT_EQ(data("await_online_nodes", R"({"count":"3"})"), "null");
  view.silent = {NodeId(2)};
  EXPECT_EQ(error("await_online_nodes", R"({"count":"3","within":"5"})"),
            "70 timed out while waiting. Not enough nodes joined rabbit@test's cluster.");
  for (const std::string_view count : {"0", "-1", "x", "2x"}) {
    EXPECT_EQ(error("await_online_nodes", R"({"count":")" + std::string(count) + R"("})"),
              "64 the count must be a number above 0");
  }
}

TEST_F(ClusterControlTest, LeadersAreTransferredAndSpread) {
  const auto* queue = view.topology()->find_vhost("/")->queues.find("q");
  const GroupId id = (*queue)->id;
  for (int i = 0; i < 2; ++i) {
    view.queues.push_back({.definition = *queue,
                           .node = "rabbit@test",
                           .state = "running",
                           .members = {"rabbit@test", "rabbit@b"},
                           .online = {"rabbit@test", "rabbit@b"}});
  }
  EXPECT_EQ(data("transfer_leadership", R"({"queue":"q","target":"rabbit@b"})"), "null");
  EXPECT_EQ(view.transfers, (std::vector{std::pair(id, NodeId(2))}));
  view.apply(cluster::DrainNode{.id = NodeId(2), .drained = true});
  EXPECT_EQ(error("transfer_leadership", R"({"queue":"q","target":"rabbit@b"})"),
            "69 node rabbit@b is in maintenance mode: revive it first");
  EXPECT_EQ(view.transfers.size(), 1U);
  view.apply(cluster::DrainNode{.id = NodeId(2), .drained = false});
  EXPECT_TRUE(error("rebalance", R"({"type":"some"})").starts_with("64 type some is not supported."));
  EXPECT_TRUE(error("rebalance", R"({"type":"all","queue-pattern":"("})").starts_with("65 "));
  for (const std::string_view arguments :
       {R"({"type":"classic"})", R"({"type":"stream"})", R"({"type":"all","queue-pattern":"^x"})",
        R"({"type":"all","vhost-pattern":"^x"})"}) {
    EXPECT_TRUE(run("rebalance", arguments).has_value()) << arguments;
    EXPECT_EQ(view.transfers.size(), 1U) << arguments;
  }
  EXPECT_TRUE(run("rebalance", R"({"type":"quorum","queue-pattern":"q","vhost-pattern":"/"})").has_value());
  EXPECT_EQ(view.transfers.size(), 2U);
}

/// Each answer comes before the question has returned, and none of them on top of the one before.
TEST_F(ClusterControlTest, ARebalanceOfManyQueuesIsDoneOneAfterAnother) {
  constexpr std::size_t kQueues = 200'000;
  const auto* queue = view.topology()->find_vhost("/")->queues.find("q");
  view.queues.assign(kQueues, {.definition = *queue,
                               .node = "rabbit@test",
                               .state = "running",
                               .members = {"rabbit@test", "rabbit@b"},
                               .online = {"rabbit@test", "rabbit@b"}});
  EXPECT_TRUE(run("rebalance", R"({"type":"all"})").has_value());
  EXPECT_EQ(view.transfers.size(), kQueues / 2);
}

TEST_F(ClusterControlTest, ARebalanceShowsWhoLeadsAndNotWhoShould) {
  const auto* queue = view.topology()->find_vhost("/")->queues.find("q");
  view.queues.assign(4, {.definition = *queue,
                         .node = "rabbit@test",
                         .state = "running",
                         .members = {"rabbit@test", "rabbit@b"},
                         .online = {"rabbit@test", "rabbit@b"}});
  const auto leaders = [](std::size_t here, std::size_t there) {
    const std::string_view key = R"("Number of quorum queue leaders":)";
    return fmt::format(R"([{{"Node Name":"rabbit@b",{0}{2}}},{{"Node Name":"rabbit@c",{0}0}},)"
                       R"({{"Node Name":"rabbit@test",{0}{1}}}])",
                       key, here, there);
  };
  EXPECT_EQ(data("rebalance", R"({"type":"all"})"), leaders(2, 2));
  view.transfer_outcome = failure(ErrorCode::unavailable, "it does not answer");
  const Outcome outcome = run("rebalance", R"({"type":"all"})");
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(json::serialize(outcome->data), leaders(4, 0));
  EXPECT_TRUE(outcome->text.ends_with("\n2 of 2 leaders could not be moved")) << outcome->text;
}

/// A list shows each of its columns, all rows have them all, and the defaults are among them.
TEST_F(ClusterControlTest, EveryColumnOfEveryListIsThere) {
  view.put_connection("127.0.0.1:1 -> 127.0.0.1:5672", "guest");
  view.connections.front().client_name = "me";
  view.connections.front().channels = {{.number = 1, .consumers = {{.tag = "t", .queue = "q"}}}};
  view.queues.front().members = {"rabbit@test"};
  for (const bool is_operators : {false, true}) {
    view.apply(cluster::SetPolicy{{.vhost = "/", .name = "p", .is_operators = is_operators}});
  }
  for (const Command& command : commands()) {
    const bool lists_what_is_there =
        command.is_list() &&
        (command.arguments.empty() || command.arguments == "username" || command.arguments == "column*") &&
        command.name != "list_feature_flags";
    if (!lists_what_is_there) continue;  // others list what they have done, or nothing
    json::object arguments;
    if (std::ranges::count(words(command.arguments), "username") > 0) arguments["username"] = "guest";
    if (std::ranges::count(words(command.arguments), "target") > 0) arguments["target"] = "rabbit@c";
    if (std::ranges::count(words(command.arguments), "strategy") > 0) arguments["strategy"] = "all";
    std::optional<Outcome> outcome;
    command.run(
        view,
        [&] {
          json::object with_vhost = arguments;
          with_vhost["vhost"] = "/";
          return with_vhost;
        }(),
        [&](Outcome answer) { outcome = std::move(answer); });
    ASSERT_TRUE(outcome && *outcome) << command.name;
    const json::array& rows = (*outcome)->data.as_array();
    ASSERT_FALSE(rows.empty()) << command.name;
    for (const std::string_view column : all_columns(command)) {
      EXPECT_TRUE(rows.front().as_object().contains(column)) << command.name << " " << column;
    }
  }
}

}  // namespace
}  // namespace quorate::ctl

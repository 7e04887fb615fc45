// Control commands without a node: arguments, columns, exit codes, texts (management.md §3.2).
#include "broker/ctl/control.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "broker/ctl/commands.h"
#include "broker/ctl/door.h"
#include "broker/message/compatible_version.h"
#include "tests/broker/ctl/control_fixture.h"

namespace quorate::ctl {
namespace {

TEST_F(ControlTest, ChecksArgumentsBeforeItRunsAnything) {
  EXPECT_EQ(error("fly"), "64 Command 'fly' not found.");
  EXPECT_EQ(error("add_user", R"({"username":"a"})"), "64 argument 'password' is missing");
  EXPECT_EQ(error("add_user", R"({"username":1,"password":"x"})"), "64 argument 'username' is no text");
  EXPECT_EQ(error("set_user_tags", R"({"username":"guest","tag":[1]})"), "64 argument 'tag' is no text");
  EXPECT_EQ(error("delete_queue", R"({"queue":"q","if-empty":"yes"})"), "64 option 'if-empty' is wrong");
  EXPECT_EQ(error("ping", R"({"loud":true})"), "64 'loud' is no argument of ping");
  EXPECT_TRUE(
      error("list_queues", R"({"column":["name","nope"]})").starts_with("64 no such column: nope. There are: name,"));
}

TEST_F(ControlTest, ColumnsMayBeSeparatedByCommas) {
  view.put_queue("/", "q", 5);
  const std::string rows = R"([{"name":"q","messages":5,"consumers":0}])";
  for (const std::string_view columns : {R"(["name,messages,consumers"])", R"(["name,","messages",",consumers"])",
                                         R"(["name","messages,,consumers"])"}) {
    EXPECT_EQ(data("list_queues", "{\"column\":" + std::string(columns) + "}"), rows) << columns;
  }
  EXPECT_EQ(data("list_queues", R"({"column":[","]})"), data("list_queues")) << "as if none were named";
  EXPECT_EQ(data("list_vhosts", R"({"column":["name,tracing"]})"), R"([{"name":"/","tracing":false}])");
  EXPECT_TRUE(error("list_queues", R"({"column":["name,nope"]})").starts_with("64 no such column: nope. There are: "));
}

TEST_F(ControlTest, AnswersEarlyWhatNeedsNoCluster) {
  view.state = http::ServiceState::starting;
  view.waits = "1 of 3, waiting for rabbit@n2";
  EXPECT_EQ(run("ping")->text, "Ping succeeded");
  EXPECT_EQ(json::parse(data("status")).at("state"), "is still starting: 1 of 3, waiting for rabbit@n2");
  EXPECT_EQ(json::parse(data("cluster_status")).at("waits_for"), "1 of 3, waiting for rabbit@n2");
  EXPECT_NE(run("cluster_status")->text.find("\nThis node waits: 1 of 3, waiting for rabbit@n2\n"), std::string::npos);
  EXPECT_EQ(error("check_running"), "69 RabbitMQ on node rabbit@test is still starting: 1 of 3, waiting for rabbit@n2");
  for (const std::string_view command : {"list_queues", "list_users", "alarms", "drain"}) {
    EXPECT_EQ(error(command), "69 this node is still starting: 1 of 3, waiting for rabbit@n2") << command;
  }
}

TEST_F(ControlTest, StatusShowsWhereTheAlarmsAreRaised) {
  const std::string text = run("status")->text;
  EXPECT_NE(text.find("\nMemory high watermark setting: 0.6 of available memory, computed to: 600 bytes\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nLow free disk space watermark: 50 bytes\nFree disk space: 70 bytes\n"), std::string::npos)
      << text;
}

TEST_F(ControlTest, WhoWaitsForTheStartHearsInTimeWhatItWaitsFor) {
  EXPECT_EQ(data("await_startup", R"({"within":"5"})"), "null");
  view.state = http::ServiceState::starting;
  view.waits = "1 of 3, waiting for rabbit@n2";
  EXPECT_EQ(error("await_startup", R"({"within":"5"})"),
            "75 time is up: this node is still starting: 1 of 3, waiting for rabbit@n2");
}

TEST_F(ControlTest, NothingIsCountedOfAQueueThatNobodyAnswersFor) {
  view.put_queue("/", "q");
  view.queues.front().state = "down";
  view.queues.front().is_answered = false;
  view.queues.front().node = "";
  EXPECT_EQ(data("list_queues", R"({"column":["messages,consumers,message_bytes,messages_ram,state,leader,pid"]})"),
            R"([{"messages":null,"consumers":null,"message_bytes":null,"messages_ram":null,"state":"down",)"
            R"("leader":null,"pid":null}])");
}

TEST_F(ControlTest, APausedNodeRefusesAtOnceWhatNeedsItsCluster) {
  view.state = http::ServiceState::paused;
  view.majority = false;
  view.waits = "1 of 3 nodes, waiting for rabbit@n1, rabbit@n3";
  const std::string refusal = "69 this node is paused, for it reaches no majority of its cluster: " + view.waits;
  const std::string_view user = R"({"username":"a","password":"pw"})";
  EXPECT_EQ(error("list_queues"), refusal);
  EXPECT_EQ(error("list_users"), refusal);
  EXPECT_EQ(error("add_user", user), refusal);
  EXPECT_EQ(error("drain"), refusal);
  EXPECT_EQ(view.topology()->users.find(std::string_view("a")), nullptr) << "nor later";
  for (const std::string_view command : {"ping", "status", "cluster_status", "listeners"}) {
    EXPECT_TRUE(run(command).has_value()) << command;
  }
  EXPECT_TRUE(run("stop_app", R"({"ticket":"1"})").has_value());
  // One that goes on without a majority shows what it has, and changes nothing.
  view.state = http::ServiceState::serving;
  EXPECT_TRUE(run("list_users").has_value());
  EXPECT_EQ(error("add_user", user), "69 this node reaches no majority of its cluster, which must agree");
  view.majority = true;
  EXPECT_TRUE(run("add_user", user).has_value());
}

TEST_F(ControlTest, OrdersCarryTheirTicketAndAreAnsweredOnceTheyAreDone) {
  using Kind = http::Order::Kind;
  for (const auto state : {http::ServiceState::starting, http::ServiceState::stopped, http::ServiceState::serving}) {
    view.state = state;
    EXPECT_TRUE(run("reset", R"({"ticket":"7","force":true})").has_value());
    EXPECT_EQ(view.orders.back().ticket, "7");
    EXPECT_TRUE(view.orders.back().force);
  }
  EXPECT_EQ(error("reset"), "64 option 'ticket' is missing");
  EXPECT_TRUE(run("force_reset", R"({"ticket":"8"})").has_value());
  EXPECT_TRUE(view.orders.back().kind == Kind::reset && view.orders.back().force);
  EXPECT_TRUE(run("force_standalone_khepri_boot", R"({"ticket":"8"})").has_value());
  EXPECT_EQ(view.orders.back().kind, Kind::stand_alone);
  EXPECT_TRUE(run("join_cluster", R"({"ticket":"9","target":"rabbit@n2:7"})").has_value());
  EXPECT_EQ(view.orders.back().join, (cluster::Seed{.name = "rabbit@n2", .host = "n2", .port = 7}));
  EXPECT_TRUE(error("join_cluster", R"({"ticket":"9","target":"@"})").starts_with("64 "));
  const std::size_t count = view.orders.size();
  EXPECT_TRUE(run("start_app", R"({"ticket":"1"})").has_value()) << "it serves";
  EXPECT_EQ(view.orders.size(), count);
  view.order_outcome = failure(ErrorCode::already_exists, "The node is already a member of this cluster");
  EXPECT_EQ(run("join_cluster", R"({"ticket":"9","target":"n2","disc":true})")->text,
            "The node is already a member of this cluster");
  view.order_outcome = failure(ErrorCode::unavailable, "needed");
  EXPECT_EQ(error("stop_app", R"({"ticket":"1"})"), "69 needed");

  view.order_outcome = std::nullopt;
  bool is_answered = false;
  Control(view, commands()).run("stop_app", {{"ticket", "2"}}, [&](const Outcome&) { is_answered = true; });
  EXPECT_FALSE(is_answered) << "the tool asks again";
}

TEST_F(ControlTest, UsersComeChangeAndGo) {
  EXPECT_TRUE(run("add_user", R"({"username":"a","password":"pw"})").has_value());
  EXPECT_EQ(error("add_user", R"({"username":"a","password":"pw"})"), R"(70 User "a" already exists)");
  EXPECT_EQ(error("add_user", R"({"username":"b","password":""})"), "65 password cannot be empty");
  EXPECT_EQ(error("add_user", R"({"username":"","password":"pw"})"), "65 user cannot be empty string");
  EXPECT_EQ(run("authenticate_user", R"({"username":"a","password":"pw"})")->text, "Success");
  EXPECT_TRUE(run("change_password", R"({"username":"a","password":"new"})").has_value());
  EXPECT_EQ(error("authenticate_user", R"({"username":"a","password":"pw"})"), R"(65 failed to authenticate user "a")");
  EXPECT_TRUE(run("set_user_tags", R"({"username":"a","tag":["x","y"]})").has_value());
  EXPECT_EQ(run("authenticate_user", R"({"username":"a","password":"new"})")->text, "Success");  // tags leave it alone
  EXPECT_EQ(data("list_users"), R"([{"user":"a","tags":["x","y"]},{"user":"guest","tags":["administrator"]}])");
  EXPECT_TRUE(run("delete_user", R"({"username":"a"})").has_value());
  for (const std::string_view command :
       {"delete_user", "set_user_tags", "list_user_permissions", "clear_permissions"}) {
    EXPECT_EQ(error(command, R"({"username":"a"})"), R"(67 User "a" does not exist)") << command;
  }
}

TEST_F(ControlTest, PermissionsAreSetInAVhost) {
  EXPECT_TRUE(run("add_vhost", R"({"vhost_name":"v"})").has_value());
  EXPECT_EQ(data("add_vhost", R"({"vhost_name":"v","description":"other"})"), "null") << "scripts add it each time";
  EXPECT_EQ(view.topology()->find_vhost("v")->metadata.description, "");
  const std::string_view right = R"({"username":"guest","vhost":"v","configure":"a","write":"b","read":"c"})";
  EXPECT_TRUE(run("set_permissions", right).has_value());
  EXPECT_EQ(data("list_permissions", R"({"vhost":"v"})"),
            R"([{"user":"guest","configure":"a","write":"b","read":"c"}])");
  EXPECT_EQ(
      data("list_user_permissions", R"({"username":"guest"})"),
      R"([{"vhost":"/","configure":".*","write":".*","read":".*"},{"vhost":"v","configure":"a","write":"b","read":"c"}])");
  EXPECT_TRUE(run("clear_permissions", R"({"username":"guest","vhost":"v"})").has_value());
  EXPECT_EQ(data("list_permissions", R"({"vhost":"v"})"), "[]");
  const std::string_view bad = R"({"username":"guest","vhost":"v","configure":"(","write":"b","read":"c"})";
  EXPECT_TRUE(error("set_permissions", bad).starts_with("65 "));
  EXPECT_TRUE(run("delete_vhost", R"({"vhost_name":"v"})").has_value());
  EXPECT_EQ(error("delete_vhost", R"({"vhost_name":"v"})"), "65 Virtual host 'v' does not exist");
  EXPECT_EQ(error("set_permissions", right), "65 Virtual host 'v' does not exist");
}

TEST_F(ControlTest, AVhostSaysHowItsQueuesAreDeclared) {
  const std::string_view row = R"({"vhost_name":"v","description":"mine","tags":"a,b","default-queue-type":"quorum"})";
  EXPECT_TRUE(run("add_vhost", row).has_value());
  const std::string columns =
      R"({"column":["name","description","tags","default_queue_type","relaxed_checks_on_redeclaration"]})";
  const std::string first =
      R"({"name":"/","description":"","tags":[],"default_queue_type":"classic","relaxed_checks_on_redeclaration":false})";
  EXPECT_EQ(
      data("list_vhosts", columns),
      "[" + first +
          R"(,{"name":"v","description":"mine","tags":["a","b"],"default_queue_type":"quorum","relaxed_checks_on_redeclaration":false}])");
  EXPECT_TRUE(run("update_vhost_metadata", R"({"vhost_name":"v","tags":"","relaxed-checks-on-redeclaration":"true"})")
                  .has_value());
  EXPECT_EQ(
      data("list_vhosts", columns),
      "[" + first +
          R"(,{"name":"v","description":"mine","tags":[],"default_queue_type":"quorum","relaxed_checks_on_redeclaration":true}])");
  EXPECT_TRUE(run("update_vhost_metadata", R"({"vhost_name":"v","default-queue-type":"undefined"})").has_value());
  EXPECT_EQ(view.topology()->find_vhost("v")->metadata.default_queue_type, std::nullopt);
  EXPECT_EQ(error("update_vhost_metadata", R"({"vhost_name":"x"})"), "65 Virtual host 'x' does not exist");
  EXPECT_EQ(error("add_vhost", R"({"vhost_name":"w","default-queue-type":"stream"})"),
            "64 Unsupported default queue type");
  EXPECT_EQ(error("update_vhost_metadata", R"({"vhost_name":"v","relaxed-checks-on-redeclaration":"so"})"),
            "64 --relaxed-checks-on-redeclaration must be true or false");
  EXPECT_EQ(view.topology()->find_vhost("w"), nullptr);
}

TEST_F(ControlTest, PoliciesAreSetListedAndCleared) {
  view.put_queue("/", "q", 5);
  const std::string_view sound =
      R"({"policy":"p","pattern":"^q","definition":"{\"max-length\":10}","priority":"3","apply-to":"queues"})";
  EXPECT_EQ(run("set_policy", sound)->text, "");
  EXPECT_EQ(
      data("list_policies"),
      R"([{"vhost":"/","name":"p","pattern":"^q","apply-to":"queues","definition":"{\"max-length\":10}","priority":3}])");
  EXPECT_EQ(data("list_queues", R"({"column":["name","policy","effective_policy_definition"]})"),
            R"([{"name":"q","policy":"p","effective_policy_definition":{"max-length":10}}])");
  EXPECT_EQ(run("set_policy", R"({"policy":"d","pattern":"x","definition":"{\"dead-letter-exchange\":\"e\"}"})")->text,
            "Accepted, and without effect so far: dead-letter-exchange");
  EXPECT_EQ(run("set_operator_policy", R"({"policy":"o","pattern":"q","definition":"{\"max-length\":4}"})")->text, "");
  EXPECT_EQ(data("list_queues", R"({"column":["operator_policy","effective_policy_definition"]})"),
            R"([{"operator_policy":"o","effective_policy_definition":{"max-length":4}}])");
  EXPECT_TRUE(error("set_policy", R"({"policy":"p","pattern":"q","definition":"{"})")
                  .starts_with("70 Could not parse JSON document: "));
  EXPECT_EQ(error("set_policy", R"({"policy":"p","pattern":"q","definition":"{}"})"),
            "70 Validation failed\n\nno policy provided");
  EXPECT_EQ(error("set_operator_policy", R"({"policy":"p","pattern":"q","definition":"{\"consumer-timeout\":1}"})"),
            "70 Validation failed\n\n[{<<\"consumer-timeout\">>,1}] are not recognised policy settings");
  EXPECT_EQ(error("set_policy", R"({"policy":"p","pattern":"q","definition":"{\"expires\":1}","priority":"x"})"),
            "70 x priority must be a number");
  EXPECT_TRUE(run("clear_policy", R"({"policy":"p"})").has_value());
  EXPECT_EQ(error("clear_policy", R"({"policy":"p"})"), "65 Policy 'p' does not exist in vhost '/'");
  EXPECT_TRUE(run("clear_operator_policy", R"({"policy":"o"})").has_value());
  EXPECT_EQ(data("list_operator_policies"), "[]");
  EXPECT_EQ(error("list_policies", R"({"vhost":"x"})"), "65 Virtual host 'x' does not exist");
}

TEST_F(ControlTest, QueuesAreListedPurgedAndDeleted) {
  view.put_queue("/", "q", 5);
  view.queues.front().consumers = 1;
  EXPECT_EQ(data("list_queues"), R"([{"name":"q","messages":5}])");
  EXPECT_EQ(data("list_queues", R"({"column":["consumers","name","policy"]})"),
            R"([{"consumers":1,"name":"q","policy":null}])");
  view.queues.front().delayed = 2;
  EXPECT_EQ(data("list_queues", R"({"column":["messages","messages_delayed"]})"),
            R"([{"messages":7,"messages_delayed":2}])");
  view.queues.front().delayed = 0;
  view.queues.front().node = "rabbit@b";
  EXPECT_EQ(data("list_queues", R"({"local":true,"online":true})"), "[]");
  view.queues.front().node = "rabbit@test";
  EXPECT_EQ(data("list_queues", R"({"local":true})"), R"([{"name":"q","messages":5}])");
  EXPECT_EQ(data("list_queues", R"({"online":true})"), R"([{"name":"q","messages":5}])");
  EXPECT_EQ(data("list_queues", R"({"offline":true})"), "[]");
  view.queues.front().state = "minority";
  EXPECT_EQ(data("list_queues", R"({"online":true})"), "[]");
  EXPECT_EQ(data("list_queues", R"({"offline":true})"), R"([{"name":"q","messages":5}])");
  EXPECT_EQ(data("list_queues", R"({"online":true,"offline":true})"), R"([{"name":"q","messages":5}])");
  EXPECT_EQ(error("delete_queue", R"({"queue":"q","if-empty":true})"), "69 Queue is not empty");
  EXPECT_EQ(error("delete_queue", R"({"queue":"q","if-unused":true})"), "69 Queue is in use");
  EXPECT_EQ(data("purge_queue", R"({"queue":"q"})"), "5");
  EXPECT_EQ(run("delete_queue", R"({"queue":"q","if-empty":true})")->text,
            "Queue was successfully deleted with 0 ready messages");
  view.queues.front().state = "down";
  EXPECT_EQ(error("delete_queue", R"({"queue":"q"})"),
            "69 The queue cannot be reached: its node is down, or it has no majority. --force deletes it all the same");
  EXPECT_EQ(run("delete_queue", R"({"queue":"q","force":true})")->text,
            "Queue was deleted without asking its members: how many messages went with it is not known");
  EXPECT_TRUE(error("delete_queue", R"({"queue":"q","force":true,"if-empty":true})").starts_with("64 --force"));
  for (const std::string_view command : {"delete_queue", "purge_queue"}) {
    EXPECT_EQ(error(command, R"({"queue":"x"})"), "65 Queue 'x' does not exist in vhost '/'");
    EXPECT_EQ(error(command, R"({"queue":"q","vhost":"x"})"), "65 Virtual host 'x' does not exist");
  }
}

TEST_F(ControlTest, ChecksFailWhenTheNodeIsNotWell) {
  EXPECT_EQ(run("ping")->text, "Ping succeeded");
  EXPECT_EQ(run("check_running")->text, "RabbitMQ on node rabbit@test is fully booted and running");
  EXPECT_EQ(run("check_local_alarms")->text, "Node rabbit@test reported no local alarms");
  EXPECT_EQ(run("check_alarms")->text, "Node rabbit@test reported no alarms, local or clusterwide");
  EXPECT_EQ(run("check_port_connectivity")->text, "Successfully connected to ports 5672, 15672 on node rabbit@test.");
  view.raised = {{.node = "rabbit@test", .resource = "memory"}};
  view.unreachable = {{.protocol = "amqp", .address = "::", .port = 5672}};
  EXPECT_EQ(error("check_local_alarms"),
            "69 there are alarms in effect on the node:\nMemory alarm on node rabbit@test");
  EXPECT_TRUE(error("check_port_connectivity").starts_with("69 "));
  view.state = http::ServiceState::paused;
  EXPECT_TRUE(error("check_running").starts_with("69 RabbitMQ on node rabbit@test is paused"));
  EXPECT_EQ(json::parse(data("cluster_status")).at("running_nodes"), json::parse(R"(["rabbit@test"])"));
}

TEST_F(ControlTest, HealthChecksOfListenersKnowRabbitmqsNames) {
  EXPECT_EQ(run("check_port_listener", R"({"port":"5672"})")->text,
            "A listener for port 5672 is running on node rabbit@test.");
  EXPECT_EQ(error("check_port_listener", R"({"port":"1"})"),
            "69 No listener for port 1 is active on node rabbit@test. Found listeners that use the following ports: "
            "15672, 5672");
  EXPECT_EQ(run("check_protocol_listener", R"({"protocol":"amqp0-9-1"})")->text,
            "A listener for protocol amqp is running on node rabbit@test.");
  EXPECT_EQ(error("check_protocol_listener", R"({"protocol":"mqtt"})"),
            "69 No listener for protocol mqtt is active on node rabbit@test. Found listeners for the following "
            "protocols: amqp, http");
  EXPECT_EQ(run("check_virtual_hosts")->text, "Node rabbit@test reported all vhosts as running");
  view.state = http::ServiceState::draining;
  EXPECT_EQ(run("check_virtual_hosts")->text, "Node rabbit@test reported all vhosts as running");
  view.state = http::ServiceState::paused;
  EXPECT_TRUE(error("check_virtual_hosts").starts_with("69 this node is paused"));
}

TEST_F(ControlTest, SaysWhatItIsAndWhetherItRuns) {
  EXPECT_EQ(data("server_version"), R"({"result":"ok","value":"4.1.0"})");
  EXPECT_EQ(data("is_running"),
            R"({"result":true,"message":"RabbitMQ on node rabbit@test is fully booted and running"})");
  EXPECT_EQ(data("list_feature_flags"), "[]");
  EXPECT_EQ(data("enable_feature_flag", R"({"feature_flag":"all"})"), "null");
  view.state = http::ServiceState::starting;
  EXPECT_EQ(json::parse(data("is_running")).at("result"), false) << "and that is no error";
  EXPECT_EQ(run("server_version")->text, "4.1.0");
}

TEST_F(ControlTest, WhatNeedsNoNodeIsAnsweredHere) {
  EXPECT_EQ(run("version")->text, kCompatibleVersion);
  const std::string hash = run("hash_password", R"({"password":"pw"})")->text;
  EXPECT_TRUE(auth::verify_password("pw", hash));
  const std::string longer = run("hash_password", R"({"password":"pw","hashing-algorithm":"sha-512"})")->text;
  EXPECT_TRUE(auth::verify_password("pw", longer, auth::HashingAlgorithm::sha512));
  EXPECT_EQ(error("hash_password", R"({"password":"pw","hashing-algorithm":"md5"})"),
            "65 unsupported hashing algorithm: md5");
  EXPECT_EQ(error("hash_password", R"({"password":""})"), "65 password cannot be an empty string");
}

TEST(Commands, AreSortedAndExplained) {
  EXPECT_TRUE(std::ranges::is_sorted(commands(), {}, &Command::name));
  for (const Command& command : commands()) {
    EXPECT_NE(command.run == nullptr, command.here == nullptr) << command.name;
    EXPECT_FALSE(command.help.empty()) << command.name;
  }
}

TEST_F(ControlTest, TheDoorSurvivesABodyCutAtEveryByte) {
  Control control(view, commands());
  const std::string whole = R"({"column":["name","messages"],"vhost":"\/"})";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    std::optional<http::Response> response;
    serve(control, {.method = "POST", .target = "/control/list_queues", .headers = {}, .body = whole.substr(0, size)},
          [&](http::Response answer) { response = std::move(answer); });
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, size == 0 || size == whole.size() ? 200u : 422u) << size;
    // And what the client reads of it, cut in its turn.
    for (std::size_t cut = 0; cut < response->body.size(); ++cut) {
      EXPECT_FALSE(read_reply(response->body.substr(0, cut)).outcome.has_value());
    }
    EXPECT_EQ(read_reply(response->body).node, "rabbit@test");
  }
}

TEST_F(ControlTest, TheDoorOpensForTheNodeThatWasMeant) {
  Control control(view, commands());
  const auto status = [&](std::string method, std::string target, std::vector<http::Header> headers) {
    unsigned code = 0;
    serve(control, {.method = std::move(method), .target = std::move(target), .headers = std::move(headers)},
          [&](const http::Response& answer) { code = answer.status; });
    return code;
  };
  EXPECT_EQ(status("POST", "/control/ping", {}), 200u);
  EXPECT_EQ(status("POST", "/control/ping", {{"x-node", "rabbit@test"}}), 200u);
  EXPECT_EQ(status("POST", "/control/ping", {{"x-node", "rabbit@other"}}), 422u);
  EXPECT_EQ(status("GET", "/control/ping", {}), 422u);
  EXPECT_EQ(status("POST", "/ping", {}), 422u);
}

TEST_F(ControlTest, AQuestionFromElsewhereIsACommandOrIsRefused) {
  Control control(view, commands());
  const auto ask = [&](std::string_view words) {
    std::string body;
    answer(control, words, "10.0.0.1:4000", [&](std::string said) { body = std::move(said); });
    return read_reply(body);
  };
  const std::string whole = words_of({.command = "list_queues", .node = "rabbit@test", .arguments = {{"vhost", "/"}}});
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    EXPECT_EQ(ask(whole.substr(0, size)).outcome.has_value(), size == whole.size()) << size;
  }
  EXPECT_EQ(ask(words_of({.command = "ping", .node = "", .arguments = {}})).outcome->text, "Ping succeeded");
  const Heard other = ask(words_of({.command = "ping", .node = "rabbit@other", .arguments = {}}));
  EXPECT_EQ(other.node, "rabbit@test");
  EXPECT_EQ(other.outcome.error().text, "this is node rabbit@test, not rabbit@other");
}

}  // namespace
}  // namespace quorate::ctl

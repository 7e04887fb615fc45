// Control commands without a node: arguments, columns, exit codes, texts (management.md §3.2).
#include "broker/ctl/control.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/ctl/commands.h"
#include "broker/ctl/door.h"
#include "tests/broker/http/fake_view.h"

namespace quorate::ctl {
namespace {

namespace json = boost::json;

class ControlTest : public testing::Test {
 protected:
  Outcome run(std::string_view command, std::string_view arguments = "{}") {
    std::optional<Outcome> outcome;
    Control(view, commands()).run(command, json::parse(arguments).as_object(), [&](Outcome answer) {
      outcome = std::move(answer);
    });
    CHECK(outcome.has_value());
    return std::move(*outcome);
  }
  /// "exit text" of an error.
  std::string error(std::string_view command, std::string_view arguments = "{}") {
    const Outcome outcome = run(command, arguments);
    if (outcome) return "no error";
    return std::to_string(static_cast<int>(outcome.error().exit)) + " " + outcome.error().text;
  }
  std::string data(std::string_view command, std::string_view arguments = "{}") {
    const Outcome outcome = run(command, arguments);
    return outcome ? json::serialize(outcome->data) : error(command, arguments);
  }

  http::FakeView view;
};

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

TEST_F(ControlTest, UsersComeChangeAndGo) {
  EXPECT_TRUE(run("add_user", R"({"username":"a","password":"pw"})").has_value());
  EXPECT_EQ(error("add_user", R"({"username":"a","password":"pw"})"), R"(70 User "a" already exists)");
  EXPECT_EQ(error("add_user", R"({"username":"b","password":""})"), "65 password cannot be empty");
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
  EXPECT_EQ(error("add_vhost", R"({"vhost_name":"v"})"), "65 Virtual host 'v' already exists");
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

TEST_F(ControlTest, QueuesAreListedPurgedAndDeleted) {
  view.put_queue("/", "q", 5);
  view.queues.front().consumers = 1;
  EXPECT_EQ(data("list_queues"), R"([{"name":"q","messages":5}])");
  EXPECT_EQ(data("list_queues", R"({"column":["consumers","name","policy"]})"),
            R"([{"consumers":1,"name":"q","policy":null}])");
  EXPECT_EQ(error("delete_queue", R"({"queue":"q","if-empty":true})"), "69 Queue is not empty");
  EXPECT_EQ(error("delete_queue", R"({"queue":"q","if-unused":true})"), "69 Queue is in use");
  EXPECT_EQ(data("purge_queue", R"({"queue":"q"})"), "5");
  EXPECT_EQ(run("delete_queue", R"({"queue":"q","if-empty":true})")->text,
            "Queue was successfully deleted with 0 ready messages");
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
  view.state = http::ServiceState::paused;
  view.raised = {{.node = "rabbit@test", .resource = "memory"}};
  view.unreachable = {{.protocol = "amqp", .address = "::", .port = 5672}};
  EXPECT_TRUE(error("check_running").starts_with("69 RabbitMQ on node rabbit@test is paused"));
  EXPECT_EQ(error("check_local_alarms"),
            "69 there are alarms in effect on the node:\nMemory alarm on node rabbit@test");
  EXPECT_TRUE(error("check_port_connectivity").starts_with("69 "));
  EXPECT_EQ(json::parse(data("cluster_status")).at("running_nodes"), json::parse(R"(["rabbit@test"])"));
}

/// A list shows each of its columns, all rows have them all, and the defaults are among them.
TEST_F(ControlTest, EveryColumnOfEveryListIsThere) {
  view.put_queue("/", "q", 1);
  view.put_connection("127.0.0.1:1 -> 127.0.0.1:5672", "guest");
  view.connections.front().client_name = "me";
  view.connections.front().channels = {{.number = 1, .consumers = {{.tag = "t", .queue = "q"}}}};
  view.queues.front().members = {"rabbit@test"};
  for (const Command& command : commands()) {
    const bool lists_what_is_there = command.is_list() && (command.arguments.empty() || command.arguments == "username");
    if (!lists_what_is_there) continue;  // others list what they have done
    json::object arguments;
    if (std::ranges::count(words(command.arguments), "username") > 0) arguments["username"] = "guest";
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

TEST(Commands, AreSortedAndExplained) {
  EXPECT_TRUE(std::ranges::is_sorted(commands(), {}, &Command::name));
  for (const Command& command : commands()) {
    EXPECT_NE(command.run, nullptr) << command.name;
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

}  // namespace
}  // namespace quorate::ctl

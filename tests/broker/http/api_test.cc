// The API without a socket: who is let in, what is shown to whom, and the answers' codes (management.md §1.3-§1.5).
#include "broker/http/api.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>

#include "broker/amqp/table_codec.h"
#include "broker/http/endpoints.h"
#include "tests/broker/http/fake_view.h"

namespace quorate::http {
namespace {

namespace json = boost::json;

/// base64 of "user:password".
const std::map<std::string, std::string> kBasic = {{"guest", "Z3Vlc3Q6Z3Vlc3Q="},
                                                   {"monitor", "bW9uaXRvcjpwdw=="},
                                                   {"manager", "bWFuYWdlcjpwdw=="},
                                                   {"nobody", "bm9ib2R5OnB3"}};

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    view.put_user("monitor", "pw", {"monitoring"});
    view.put_user("manager", "pw", {"management"});
    view.put_user("nobody", "pw", {});
    view.apply(cluster::PutVhost{.name = "other"});
    view.permit("manager", "other");
    view.put_queue("/", "q", 5);
    view.put_queue("other", "o", 1);
    view.put_connection("127.0.0.1:1 -> 127.0.0.1:5672", "guest");
    view.put_connection("127.0.0.1:2 -> 127.0.0.1:5672", "manager");
  }

  Response send(Request request) {
    std::optional<Response> answer;
    Api(view, api_routes()).serve(std::move(request), [&](Response response) { answer = std::move(response); });
    CHECK(answer.has_value());
    return std::move(*answer);
  }
  Request request(const std::string& method, const std::string& target, const std::string& user) {
    Request made{.method = method, .target = target, .headers = {}, .body = "", .is_loopback = true};
    if (!user.empty()) made.headers.emplace_back("authorization", "Basic " + kBasic.at(user));
    return made;
  }
  Response get(const std::string& target, const std::string& user = "guest") {
    return send(request("GET", target, user));
  }
  json::value body(const std::string& target, const std::string& user = "guest") {
    const Response response = get(target, user);
    EXPECT_EQ(response.status, 200u) << target << ": " << response.body;
    return json::parse(response.body);
  }
  std::vector<std::string> names(const std::string& target, const std::string& user) {
    std::vector<std::string> found;
    const json::value rows = body(target, user);
    for (const json::value& row : rows.as_array()) found.emplace_back(row.at("name").as_string());
    return found;
  }

  FakeView view;
};

TEST_F(ApiTest, AsksForCredentialsAndTellsScriptsThatTheirsAreWrong) {
  const Response none = get("/api/overview", "");
  EXPECT_EQ(none.status, 401u);
  EXPECT_EQ(none.body, "");
  ASSERT_EQ(none.headers.size(), 1u);
  EXPECT_EQ(none.headers[0], Header("www-authenticate", R"(Basic realm="RabbitMQ Management")"));
  for (const std::string_view wrong :
       {"Basic Z3Vlc3Q6eA==", "Basic bm9uZTpw", "Basic !", "Basic Z3Vlc3Q=", "Bearer x"}) {
    const Response refused =
        send({.method = "GET", .target = "/api/overview", .headers = {{"authorization", std::string(wrong)}}});
    EXPECT_EQ(refused.status, 401u) << wrong;
    EXPECT_EQ(refused.body, R"({"error":"not_authorized","reason":"Not_Authorized"})") << wrong;
  }
}

TEST_F(ApiTest, LetsLoopbackUsersInFromThisMachineOnly) {
  Request far = request("GET", "/api/whoami", "guest");
  far.is_loopback = false;
  EXPECT_EQ(send(far).body, R"({"error":"not_authorised","reason":"User can only log in via localhost"})");
  Request monitor = request("GET", "/api/whoami", "monitor");
  monitor.is_loopback = false;
  EXPECT_EQ(send(monitor).status, 200u);
}

TEST_F(ApiTest, OpensEndpointsByTags) {
  struct Row {
    std::string_view target;
    unsigned nobody;
    unsigned manager;
    unsigned monitor;
    unsigned guest;
  };
  const Row rows[] = {{"/api/whoami", 401, 200, 200, 200},     {"/api/nodes", 401, 401, 200, 200},
                      {"/api/users", 401, 401, 401, 200},      {"/api/permissions", 401, 401, 401, 200},
                      {"/api/queues/%2F", 401, 404, 404, 200}, {"/api/queues/other", 401, 200, 404, 200},
                      {"/api/version", 200, 200, 200, 200},    {"/api/nothing", 404, 404, 404, 404}};
  for (const Row& row : rows) {
    const std::string target(row.target);
    EXPECT_EQ(get(target, "nobody").status, row.nobody) << target;
    EXPECT_EQ(get(target, "manager").status, row.manager) << target;
    EXPECT_EQ(get(target, "monitor").status, row.monitor) << target;
    EXPECT_EQ(get(target, "guest").status, row.guest) << target;
  }
  EXPECT_EQ(get("/api/users", "monitor").body, R"({"error":"not_authorised","reason":"Not administrator user"})");
}

TEST_F(ApiTest, ShowsEachUserItsOwn) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("/api/queues", "guest"), (Names{"q", "o"}));
  EXPECT_EQ(names("/api/queues", "manager"), (Names{"o"}));
  EXPECT_EQ(names("/api/vhosts", "manager"), (Names{"other"}));
  EXPECT_EQ(names("/api/vhosts", "monitor"), (Names{"/", "other"}));
  EXPECT_EQ(names("/api/connections", "manager"), (Names{"127.0.0.1:2 -> 127.0.0.1:5672"}));
  EXPECT_EQ(names("/api/connections", "monitor").size(), 2u);
}

TEST_F(ApiTest, ClosesAConnectionForItsOwnerOrAnAdministrator) {
  const std::string guests = "/api/connections/127.0.0.1%3A1%20-%3E%20127.0.0.1:5672";
  EXPECT_EQ(send(request("DELETE", guests, "manager")).status, 401u);
  EXPECT_EQ(send(request("DELETE", guests, "guest")).status, 204u);
  EXPECT_EQ(view.close_reason, "Closed via management plugin");
  EXPECT_EQ(send(request("DELETE", guests, "guest")).status, 404u);
  Request with_reason = request("DELETE", "/api/connections/127.0.0.1:2%20-%3E%20127.0.0.1:5672", "manager");
  with_reason.headers.emplace_back("x-reason", "enough");
  EXPECT_EQ(send(with_reason).status, 204u);
  EXPECT_EQ(view.close_reason, "enough");
}

TEST_F(ApiTest, AnswersHealthChecksWithoutAUserAndFailsThemWith503) {
  for (const std::string target : {"/api/health/checks/is-in-service", "/api/health/checks/ready-to-serve-clients"}) {
    view.state = ServiceState::serving;
    EXPECT_EQ(get(target, "").body, R"({"status":"ok"})");
    for (const ServiceState state : {ServiceState::starting, ServiceState::draining, ServiceState::paused}) {
      view.state = state;
      const Response failed = get(target, "");
      EXPECT_EQ(failed.status, 503u);
      EXPECT_NE(failed.body.find(R"("status":"failed")"), std::string::npos);
      EXPECT_NE(failed.body.find(R"("reason":)"), std::string::npos);
    }
    view.state = ServiceState::serving;
    view.stalling = "the disk does not answer";
    EXPECT_EQ(get(target, "").body, R"({"reason":"the disk does not answer","status":"failed"})");
    view.stalling.clear();
  }
}

TEST_F(ApiTest, ChecksHowManyNodesAndClientsThereAreWithoutAUser) {
  const std::string limit = "/api/health/checks/below-node-connection-limit";
  EXPECT_EQ(get(limit, "").body, R"({"status":"ok"})");
  view.has_room = false;
  EXPECT_EQ(get(limit, "").status, 503u);
  EXPECT_EQ(get(limit, "").body, R"({"reason":"node connection limit is reached","status":"failed"})");

  const std::string size = "/api/health/checks/reached-target-cluster-size";
  for (const std::string name : {"rabbit@test", "rabbit@b", "rabbit@c"}) {
    view.apply(cluster::PutNode{.node = {.name = name, .directory = name}});
  }
  view.target_size = 3;
  EXPECT_EQ(get(size, "").body, R"({"status":"ok"})");
  view.silent = {NodeId(3)};
  EXPECT_EQ(get(size, "").status, 503u);
  EXPECT_EQ(json::parse(get(size, "").body),
            json::parse(R"({"reason":"target cluster size not reached: 2 of 3 nodes are online","online":2,)"
                        R"("target":3,"status":"failed"})"));
}

TEST_F(ApiTest, AlivenessIsTestedOfAVirtualHostThatOneSees) {
  EXPECT_EQ(get("/api/aliveness-test/%2F", "guest").body, R"({"status":"ok"})");
  EXPECT_EQ(get("/api/aliveness-test/%2F", "").status, 401u);
  EXPECT_EQ(get("/api/aliveness-test/none", "guest").status, 404u);
}

TEST_F(ApiTest, VirtualHostsRunWhereverTheNodeCanBeAsked) {
  const std::string target = "/api/health/checks/virtual-hosts";
  view.stalling = "the disk does not answer";
  EXPECT_EQ(get(target, "guest").body, R"({"status":"ok"})");
  view.state = ServiceState::draining;
  EXPECT_EQ(get(target, "guest").body, R"({"status":"ok"})");
  view.state = ServiceState::paused;
  EXPECT_EQ(get(target, "guest").status, 503u);
}

TEST_F(ApiTest, SaysWhatItWaitsForWhileItsClusterIsNotThere) {
  view.waits = "1 of 3, waiting for rabbit@n2, rabbit@n3";
  for (const ServiceState state : {ServiceState::starting, ServiceState::paused}) {
    view.state = state;
    for (const std::string user : {"guest", ""}) {
      const Response refused = get("/api/overview", user);
      EXPECT_EQ(refused.status, 503u);
      EXPECT_NE(refused.body.find("waiting for rabbit@n2"), std::string::npos);
    }
    EXPECT_EQ(get("/api/version", "").status, 200u);
  }
  view.state = ServiceState::starting;
  EXPECT_EQ(get("/api/health/checks/is-in-service", "").body,
            R"({"reason":"this node is still starting: 1 of 3, waiting for rabbit@n2, rabbit@n3","status":"failed"})");
}

TEST_F(ApiTest, ReportsAlarmsOfTheClusterAndOfThisNode) {
  EXPECT_EQ(get("/api/health/checks/alarms").status, 200u);
  view.raised = {{.node = "rabbit@dead", .resource = "disk"}};
  EXPECT_EQ(get("/api/health/checks/local-alarms").status, 200u);
  const Response failed = get("/api/health/checks/alarms");
  EXPECT_EQ(failed.status, 503u);
  EXPECT_EQ(json::parse(failed.body).at("alarms"), json::parse(R"([{"node":"rabbit@dead","resource":"disk"}])"));
  view.raised.push_back({.node = "rabbit@test", .resource = "memory"});
  EXPECT_EQ(get("/api/health/checks/local-alarms").status, 503u);
}

TEST_F(ApiTest, ChecksQuorumAndListeners) {
  EXPECT_EQ(get("/api/health/checks/node-is-quorum-critical").status, 200u);
  view.critical = {{.name = "the metadata of the cluster", .is_queue = false}, {.name = "q", .vhost = "/"}};
  const Response critical = get("/api/health/checks/node-is-quorum-critical");
  EXPECT_EQ(critical.status, 503u);
  const json::value metadata = json::parse(critical.body).at("queues").at(0);
  EXPECT_EQ(metadata.at("name"), "the metadata of the cluster");
  EXPECT_EQ(metadata.at("readable_name"), "the metadata of the cluster");
  EXPECT_EQ(metadata.at("virtual_host"), "(not applicable)");
  EXPECT_EQ(metadata.at("type"), "process");
  const json::value queue = json::parse(critical.body).at("queues").at(1);
  EXPECT_EQ(queue.at("name"), "q");
  EXPECT_EQ(queue.at("readable_name"), "queue 'q' in vhost '/'");
  EXPECT_EQ(queue.at("virtual_host"), "/");
  EXPECT_EQ(queue.at("type"), "rabbit_quorum_queue");
  EXPECT_EQ(get("/api/health/checks/port-listener/5672").body, R"({"port":5672,"status":"ok"})");
  EXPECT_EQ(get("/api/health/checks/port-listener/5671").status, 503u);
  EXPECT_EQ(get("/api/health/checks/port-listener/65536").status, 400u);
  EXPECT_EQ(get("/api/health/checks/port-listener/5672x").status, 400u);
  EXPECT_EQ(get("/api/health/checks/protocol-listener/amqp091,management").status, 200u);
  const Response failed = get("/api/health/checks/protocol-listener/amqp,mqtt");
  EXPECT_EQ(failed.status, 503u);
  EXPECT_EQ(json::parse(failed.body).at("missing"), json::parse(R"(["mqtt"])"));
}

TEST_F(ApiTest, HasTheKeysThatStrictClientsDemand) {
  const auto expect_keys = [](const json::value& object, std::initializer_list<const char*> keys) {
    for (const char* key : keys) EXPECT_TRUE(object.as_object().contains(key)) << key;
  };
  expect_keys(body("/api/overview"), {"management_version", "rates_mode", "exchange_types", "rabbitmq_version",
                                      "cluster_name", "erlang_version", "queue_totals", "object_totals", "node",
                                      "listeners", "contexts", "message_stats", "churn_rates"});
  const json::value nodes = body("/api/nodes");
  expect_keys(nodes.at(1), {"name", "os_pid", "uptime", "processors", "run_queue", "rates_mode", "fd_total",
                            "proc_total", "mem_limit", "mem_alarm", "disk_free_limit", "disk_free_alarm",
                            "enabled_plugins", "being_drained", "exchange_types", "auth_mechanisms", "applications"});
  EXPECT_EQ(json::serialize(nodes.at(0)),
            R"({"name":"rabbit@dead","type":"disc","running":false,"being_drained":false})");
  expect_keys(body("/api/queues/%2F/q"),
              {"name", "vhost", "type", "durable", "auto_delete", "exclusive", "arguments", "node", "state", "messages",
               "messages_ready", "messages_unacknowledged", "consumers", "consumer_details"});
  EXPECT_EQ(body("/api/queues/%2F/q").at("messages"), 5);
  EXPECT_EQ(body("/api/exchanges/%2F/amq.default").at("name"), "");
  EXPECT_EQ(body("/api/bindings/%2F").at(0).at("properties_key"), "q");
  EXPECT_EQ(get("/api/queues/%2F/nope").status, 404u);
  EXPECT_EQ(get("/api/nodes/nope").status, 404u);
  EXPECT_EQ(get("/api/users/nope").status, 404u);
  EXPECT_EQ(get("/api/queues/nope").status, 404u);
}

TEST_F(ApiTest, TheClusterHasANameThatAdministratorsChange) {
  const auto put = [&](const std::string& text, const std::string& user = "guest") {
    Request made = request("PUT", "/api/cluster-name", user);
    made.body = text;
    const Response response = send(std::move(made));
    return std::to_string(response.status) + " " + response.body;
  };
  EXPECT_EQ(json::serialize(body("/api/cluster-name", "manager")), R"({"name":"rabbit@test"})");
  EXPECT_EQ(put(R"({"name":"prod"})"), "204 ");
  EXPECT_EQ(json::serialize(body("/api/cluster-name")), R"({"name":"prod"})");
  EXPECT_EQ(body("/api/overview").at("cluster_name"), "prod");
  EXPECT_TRUE(put(R"({"name":"mine"})", "monitor").starts_with("401 "));
  EXPECT_EQ(put("prod"), R"(400 {"error":"bad_request","reason":"not_json"})");
  EXPECT_EQ(put("{}"), R"(400 {"error":"bad_request","reason":"[{key_missing,name}]"})");
  EXPECT_EQ(put(R"({"name":7})"), R"(400 {"error":"bad_request","reason":"name is no text"})");
  EXPECT_EQ(put(R"({"name":""})"), R"(400 {"error":"bad_request","reason":"name has to have 1 to 255 octets"})");
  EXPECT_EQ(body("/api/overview").at("cluster_name"), "prod");
}

TEST_F(ApiTest, CountsTheMessagesOfAQueueOfEitherType) {
  view.queues.front().unacknowledged = 4;
  view.queues.front().delayed = 2;
  for (const std::vector<std::string>& members : {std::vector<std::string>(), {"rabbit@test"}}) {
    view.queues.front().members = members;
    const json::value queue = body("/api/queues/%2F/q");
    EXPECT_EQ(queue.at("messages_delayed"), 2) << members.size();
    EXPECT_EQ(queue.at("messages").to_number<std::uint64_t>(), view.queues.front().ready + 6);
  }
}

TEST_F(ApiTest, CountsNothingOfAQueueThatNobodyAnswersFor) {
  view.put_queue("/", "lost");
  view.queues.back().state = "minority";
  view.queues.back().is_answered = false;
  view.queues.back().node = "";
  view.queues.back().members = {"rabbit@a", "rabbit@b", "rabbit@c"};
  view.queues.back().online = {"rabbit@a"};
  const json::value lost = body("/api/queues/%2F/lost");
  EXPECT_EQ(lost.at("state"), "minority");
  EXPECT_EQ(lost.at("online"), json::parse(R"(["rabbit@a"])"));
  for (const char* key : {"messages", "messages_ready", "messages_unacknowledged", "messages_details", "consumers",
                          "message_bytes", "message_stats", "messages_delayed", "memory", "node", "leader"}) {
    EXPECT_FALSE(lost.as_object().contains(key)) << key;
    EXPECT_EQ(body("/api/queues/%2F/q").as_object().contains(key), std::string_view(key) != "leader") << key;
  }
  const std::uint64_t ready = view.queues.front().ready;
  EXPECT_EQ(json::serialize(body("/api/queues/%2F?columns=name,messages&sort=messages")),
            R"([{"name":"lost"},{"name":"q","messages":)" + std::to_string(ready) + "}]");
}

TEST_F(ApiTest, SaysWhichConsumersWaitBehindASingleActiveOne) {
  const Table arguments{.fields = {{"x-single-active-consumer", Value(true)}}};
  view.apply(cluster::DeclareQueue{.queue = {.vhost = "/",
                                             .name = "s",
                                             .durable = true,
                                             .arguments = std::string(as_text(amqp::encode_table(arguments)))}});
  view.queues.push_back({.definition = *view.topology()->find_vhost("/")->queues.find("s"),
                         .has_single_active_consumer = true,
                         .active_consumer = "1.1.9.2"});
  view.connections.front().channels = {{.number = 1,
                                        .consumers = {{.id = "1.1.9.1", .tag = "a", .queue = "s"},
                                                      {.id = "1.1.9.2", .tag = "b", .queue = "s"},
                                                      {.id = "1.1.9.3", .tag = "c", .queue = "q", .exclusive = true}}}};
  std::string states;
  const json::value consumers = body("/api/consumers");
  for (const json::value& row : consumers.as_array()) {
    states += json::serialize(row.at("consumer_tag")) + json::serialize(row.at("active")) +
              json::serialize(row.at("activity_status")) + " ";
  }
  EXPECT_EQ(states, R"("a"false"waiting" "b"true"single_active" "c"true"up" )");
  const json::value queue = body("/api/queues/%2F/s");
  EXPECT_EQ(queue.at("single_active_consumer_tag"), "b");
  EXPECT_EQ(queue.at("exclusive_consumer_tag"), nullptr);
  EXPECT_EQ(queue.at("consumer_details").at(0).at("activity_status"), "waiting");
  EXPECT_EQ(body("/api/queues/%2F/q").at("exclusive_consumer_tag"), "c");
  EXPECT_EQ(body("/api/queues/%2F/q").at("single_active_consumer_tag"), nullptr);
  view.queues.back().active_consumer = "";  // nobody leads it
  EXPECT_EQ(body("/api/queues/%2F/s").at("single_active_consumer_tag"), nullptr);
}

TEST_F(ApiTest, PoliciesAreSetShownAndCleared) {
  const auto put = [&](const std::string& target, const std::string& text, const std::string& user = "guest") {
    Request made = request("PUT", target, user);
    made.body = text;
    return send(std::move(made));
  };
  const std::string path = "/api/policies/other/p";
  const std::string sound = R"({"pattern":"^o","definition":{"max-length":10},"priority":2,"apply-to":"queues"})";
  EXPECT_EQ(put(path, sound).status, 201u);
  EXPECT_EQ(put(path, sound).status, 204u);
  EXPECT_EQ(put("/api/operator-policies/other/o", R"({"pattern":"o","definition":{"max-length":3}})").status, 201u);
  const json::value row = json::parse(
      R"({"vhost":"other","name":"p","pattern":"^o","apply-to":"queues","definition":{"max-length":10},"priority":2})");
  EXPECT_EQ(body(path), row);
  EXPECT_EQ(body("/api/policies"), json::array{row});
  EXPECT_EQ(body("/api/policies/other", "manager"), json::array{row});
  EXPECT_EQ(names("/api/operator-policies", "guest"), std::vector<std::string>{"o"});

  const json::value queue = body("/api/queues/other/o");
  EXPECT_EQ(queue.at("policy"), "p");
  EXPECT_EQ(queue.at("operator_policy"), "o");
  EXPECT_EQ(queue.at("effective_policy_definition"), json::parse(R"({"max-length":3})"));
  EXPECT_EQ(body("/api/queues/%2F/q").at("policy"), json::value(nullptr));

  EXPECT_EQ(put(path, sound, "manager").status, 401u);
  EXPECT_EQ(put("/api/policies/no/p", sound).status, 404u);
  EXPECT_EQ(put(path, "{").body, R"({"error":"bad_request","reason":"not_json"})");
  for (const auto& [text, reason] : std::map<std::string, std::string>{
           {R"({"definition":{"max-length":1}})", "[{key_missing,pattern}]"},
           {R"({"pattern":"a"})", "[{key_missing,definition}]"},
           {R"({"pattern":"a","definition":{}})", "no policy provided"},
           {R"({"pattern":"a","definition":{"max-length":-1}})", "-1 is not a valid maximum length"},
           {R"({"pattern":"a","definition":{"max-length":1.5}})", "1.5E0 is not a valid value of max-length"},
           {R"({"pattern":"a","definition":{"max-length":1},"priority":"x"})",
            "priority should be a number, actually was \"x\""},
           {R"({"pattern":"a","definition":{"max-length":1},"apply-to":"all_queues"})",
            "apply-to 'all_queues' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', "
            "'streams', 'exchanges', or 'all'"}}) {
    const Response refused = put(path, text);
    EXPECT_EQ(refused.status, 400u) << text;
    EXPECT_EQ(json::parse(refused.body).at("reason"), json::value("Validation failed\n\n" + reason));
  }
  EXPECT_EQ(send(request("DELETE", path, "guest")).status, 204u);
  EXPECT_EQ(send(request("DELETE", path, "guest")).status, 404u);
  EXPECT_EQ(get(path).status, 404u);
}

TEST_F(ApiTest, OptionsNeedNoUserAndNameTheMethods) {
  const Response options = send(request("OPTIONS", "/api/overview", ""));
  EXPECT_EQ(options.status, 200u);
  EXPECT_EQ(options.headers.at(0), Header("allow", "GET, HEAD, OPTIONS"));
  EXPECT_EQ(send(request("PUT", "/api/overview", "guest")).status, 405u);
  EXPECT_EQ(get("/api/queues?page=9").status, 400u);
  EXPECT_EQ(get("/api/queues?%").status, 400u);
}

}  // namespace
}  // namespace quorate::http

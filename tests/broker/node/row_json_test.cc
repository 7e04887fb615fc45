#include "broker/node/row_json.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>

namespace quorate {
namespace {

namespace json = boost::json;

http::ConnectionRow full_connection() {
  return {.name = "127.0.0.1:1 -> 127.0.0.1:2",
          .node = "rabbit@n1",
          .user = "guest",
          .vhost = "/",
          .client_name = "me \xff",  // not UTF-8
          .state = "running",
          .mechanism = "PLAIN",
          .client_properties = std::string("\0\xfe\x01", 3),
          .is_tls = true,
          .heartbeat = std::chrono::seconds(60),
          .frame_max = 131072,
          .channel_max = 2047,
          .connected_at = WallTime(std::chrono::milliseconds(1'700'000'000'123)),
          .received_bytes = UINT64_MAX,
          .sent_bytes = 2,
          .waiting_bytes = 3,
          .channels = {{.number = 65535,
                        .confirm = true,
                        .prefetch = 7,
                        .unacknowledged = 9,
                        .consumers = {{.id = "i", .tag = "t", .queue = "q", .ack_required = false, .prefetch = 5}}}}};
}

std::string across(const json::value& value) { return json::serialize(value); }

TEST(RowJson, AConnectionArrivesAsItWasWithOctetsThatAreNoText) {
  const http::ConnectionRow sent = full_connection();
  const auto words = parse_words(as_bytes(across(to_json(sent))));
  ASSERT_TRUE(words) << words.error().text;
  const auto got = row_from<http::ConnectionRow>(*words);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->client_name, sent.client_name);
  EXPECT_EQ(got->client_properties, sent.client_properties);
  EXPECT_EQ(got->connected_at, sent.connected_at);
  EXPECT_EQ(got->received_bytes, UINT64_MAX);
  EXPECT_EQ(got->heartbeat, sent.heartbeat);
  ASSERT_EQ(got->channels.size(), 1U);
  EXPECT_EQ(got->channels[0].number, 65535);
  EXPECT_EQ(got->channels[0].consumers.at(0).prefetch, 5U);
  EXPECT_FALSE(got->channels[0].consumers.at(0).ack_required);
  EXPECT_EQ(across(to_json(*got)), across(to_json(sent))) << "every field";
}

TEST(RowJson, NodesQueuesAndReplicasComeBackTheSame) {
  const http::NodeRow node{.name = "rabbit@n1",
                           .running = true,
                           .os_pid = 4,
                           .uptime = std::chrono::milliseconds(5),
                           .memory_limit = 6,
                           .memory_limit_setting = "6 bytes",
                           .disk_alarm = true,
                           .log_files = {"a", "b"},
                           .listeners = {{.protocol = "amqp", .address = "::", .port = 5672}}};
  EXPECT_EQ(across(to_json(*row_from<http::NodeRow>(to_json(node)))), across(to_json(node)));
  const LedQueue queue{.id = GroupId(300),
                       .ready = 1,
                       .unacknowledged = 2,
                       .message_bytes = 3,
                       .consumers = 4,
                       .has_single_active_consumer = true,
                       .active_consumer = "1.2.3.4"};
  EXPECT_EQ(row_from<LedQueue>(to_json(queue)), queue);
  const http::ReplicaRow replica{.node = "n", .state = "leader", .membership = "voter", .last_index = 9, .term = 3};
  EXPECT_EQ(across(to_json(*row_from<http::ReplicaRow>(to_json(replica)))), across(to_json(replica)));
}

TEST(RowJson, WhatIsMissingWrongOrUnknownLeavesTheDefault) {
  struct Case {
    const char* words;
    bool is_row;
  };
  constexpr Case kCases[] = {
      {"{}", true},
      {R"({"id":"7","ready":-1,"consumers":1.5,"new":[]})", true},
      {R"({"id":null,"ready":99999999999999999999})", true},
      {"[]", false},
      {"7", false},
      {"null", false},
  };
  for (const Case& c : kCases) {
    const auto row = row_from<LedQueue>(json::parse(c.words));
    EXPECT_EQ(row.has_value(), c.is_row) << c.words;
    if (row) {
      EXPECT_EQ(*row, LedQueue{}) << c.words;
    }
  }
  EXPECT_EQ(rows_from<LedQueue>(json::parse(R"([{"id":1},3,{"id":2}])")).size(), 2U);
  EXPECT_TRUE(rows_from<LedQueue>(json::parse(R"({"id":1})")).empty());
}

TEST(RowJson, WordsCutAtAnyOctetAreRefusedWithoutHarm) {
  const std::string whole = across(to_json(full_connection()));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_words(as_bytes(std::string_view(whole).substr(0, size)))) << size;
  }
}

}  // namespace
}  // namespace quorate

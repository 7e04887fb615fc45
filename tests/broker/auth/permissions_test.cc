// Permissions: what patterns match, what a refusal says, what a hostile pattern cannot do.
#include "broker/auth/permissions.h"

#include <gtest/gtest.h>

namespace quorate::auth {

namespace {

constexpr Resource kQueue{.kind = ResourceKind::queue, .vhost = "/", .name = "jobs"};
constexpr Resource kExchange{.kind = ResourceKind::exchange, .vhost = "/", .name = "jobs"};
constexpr Resource kDefaultExchange{.kind = ResourceKind::exchange, .vhost = "/", .name = ""};

PermissionPattern pattern(std::string_view text) {
  auto compiled = PermissionPattern::compile(text);
  EXPECT_TRUE(compiled) << text;
  return compiled ? *compiled : PermissionPattern();
}

}  // namespace

TEST(PermissionPattern, MatchesAsTheTableSays) {
  struct Row {
    std::string_view pattern;
    std::string_view name;
    bool matches;
  };
  using namespace std::string_view_literals;
  static constexpr Row kRows[] = {
      {"", "", true},  // stands for ^$
      {"", "jobs", false},
      {"^$", "", true},
      {"^$", "jobs", false},
      {".*", "", true},
      {".*", "jobs", true},
      {"job", "my-jobs", true},  // a search, not a comparison of the whole
      {"^job", "my-jobs", false},
      {"^jobs$", "jobs", true},
      {"^jobs$", "jobs2", false},
      {"^(jobs|amq\\.default)$", "amq.default", true},
      {"^amq\\.gen-", "amq.gen-x", true},
      {"^(?!secret)", "public", true},
      {"^(?!secret)", "secret-plans", false},
      {"JOBS", "jobs", false},
      {"(?i)JOBS", "jobs", true},
      {"(a)(b)(c)", "abc", true},  // more groups than anybody asked for
      {"^.$", "\xc3\xa9", false},  // octets, not characters
      {"^..$", "\xc3\xa9", true},
      {"^\xff$", "\xff", true},
      {"b", "a\0b"sv, true},
  };
  for (const Row& row : kRows) {
    EXPECT_EQ(pattern(row.pattern).matches(row.name), row.matches) << row.pattern << " against " << row.name;
  }
}

TEST(PermissionPattern, SaysWhatIsWrongWithIt) {
  EXPECT_EQ(PermissionPattern::compile("*jobs").error().text,
            "quantifier does not follow a repeatable item at offset 0");
  EXPECT_EQ(PermissionPattern::compile("(jobs").error().text, "missing closing parenthesis at offset 5");
  EXPECT_EQ(PermissionPattern::compile("[a-").error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(PermissionPattern::compile(std::string(1024, 'a')));
  EXPECT_EQ(PermissionPattern::compile(std::string(1025, 'a')).error().text,
            "pattern of 1025 bytes is longer than 1024");
}

TEST(PermissionPattern, GivesUpOnAHostileExpressionAndRefuses) {
  const std::string name(60, 'a');
  EXPECT_TRUE(pattern("^(a+)+$").matches(name));
  EXPECT_FALSE(pattern("^(a+)+$").matches(name + "!"));
  EXPECT_FALSE(pattern("(a|aa)+$").matches(name + "!"));
  EXPECT_FALSE(pattern("^(?R)").matches(name));
}

TEST(PermissionPattern, IsAValue) {
  PermissionPattern copy;
  {
    const PermissionPattern original = pattern("^jobs$");
    copy = original;
  }
  EXPECT_TRUE(copy.matches("jobs"));
  EXPECT_EQ(copy.text(), "^jobs$");
  EXPECT_EQ(PermissionPattern().text(), "");
}

TEST(Permissions, AskTheRightPattern) {
  const Permissions permissions = *Permissions::compile("^jobs", "", ".*");
  EXPECT_TRUE(permissions.allow(Permission::configure, kQueue));
  EXPECT_FALSE(permissions.allow(Permission::write, kQueue));
  EXPECT_TRUE(permissions.allow(Permission::read, kQueue));
}

TEST(Permissions, KnowTheDefaultExchangeAsAmqDefault) {
  const Permissions permissions = *Permissions::compile("", "^amq\\.default$", "");
  EXPECT_TRUE(permissions.allow(Permission::write, kDefaultExchange));
  EXPECT_FALSE(permissions.allow(Permission::write, kExchange));
  EXPECT_FALSE(permissions.allow(Permission::read, kDefaultExchange));
}

TEST(Permissions, NeedThreePatternsThatCompile) {
  EXPECT_FALSE(Permissions::compile("(", "", ""));
  EXPECT_FALSE(Permissions::compile("", "(", ""));
  EXPECT_FALSE(Permissions::compile("", "", "("));
}

TEST(Permissions, RefuseInRabbitMqsWords) {
  EXPECT_EQ(refusal(Permission::configure, kQueue, "u"),
            "configure access to queue 'jobs' in vhost '/' refused for user 'u'");
  EXPECT_EQ(refusal(Permission::read, kExchange, "u"),
            "read access to exchange 'jobs' in vhost '/' refused for user 'u'");
  EXPECT_EQ(refusal(Permission::write, kDefaultExchange, "u"),
            "write access to exchange 'amq.default' in vhost '/' refused for user 'u'");
  EXPECT_EQ(topic_refusal(Permission::write, "a.b", "x", "/", "u"),
            "write access to topic 'a.b' in exchange 'x' in vhost '/' refused for user 'u'");
}

TEST(TopicPermissions, PutInTheVariablesAsPlainText) {
  const TopicVariables variables{.vhost = "/", .username = "a.b|c", .client_id = "{vhost}"};
  const auto topic = TopicPermissions::compile("^{username}\\.", "^{vhost}{client_id}$", variables);
  ASSERT_TRUE(topic);
  EXPECT_TRUE(topic->allow(Permission::write, "a.b|c.temperature"));
  EXPECT_FALSE(topic->allow(Permission::write, "axb|c.temperature"));
  EXPECT_FALSE(topic->allow(Permission::write, "c.temperature"));
  EXPECT_TRUE(topic->allow(Permission::read, "/{vhost}"));
  EXPECT_FALSE(topic->allow(Permission::read, "//"));
}

TEST(TopicPermissions, LeaveBracesAloneThatAreNoVariables) {
  const auto topic = TopicPermissions::compile("^a{2}$", "", {.vhost = "/", .username = "u", .client_id = ""});
  ASSERT_TRUE(topic);
  EXPECT_TRUE(topic->allow(Permission::write, "aa"));
  EXPECT_FALSE(topic->allow(Permission::read, "aa"));
}

TEST(PermissionCache, RemembersTheLastTwelveGrants) {
  PermissionCache cache;
  std::vector<std::string> names;
  for (int i = 0; i < 13; ++i) names.push_back("q" + std::to_string(i));
  const auto queue = [&](int i) { return Resource{.vhost = "/", .name = names[static_cast<std::size_t>(i)]}; };
  EXPECT_FALSE(cache.contains(Permission::write, queue(0)));
  for (int i = 0; i < 12; ++i) cache.remember(Permission::write, queue(i));
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(cache.contains(Permission::write, queue(i)));
  cache.remember(Permission::write, queue(12));
  EXPECT_FALSE(cache.contains(Permission::write, queue(0)));
  EXPECT_TRUE(cache.contains(Permission::write, queue(1)));
  EXPECT_TRUE(cache.contains(Permission::write, queue(12)));
}

TEST(PermissionCache, TellsGrantsApart) {
  PermissionCache cache;
  cache.remember(Permission::write, kQueue);
  EXPECT_TRUE(cache.contains(Permission::write, kQueue));
  EXPECT_FALSE(cache.contains(Permission::read, kQueue));
  EXPECT_FALSE(cache.contains(Permission::write, kExchange));
  EXPECT_FALSE(cache.contains(Permission::write, {.kind = ResourceKind::queue, .vhost = "other", .name = "jobs"}));
}

TEST(PermissionCache, ForgetsEverythingWhenCleared) {
  PermissionCache cache;
  cache.remember(Permission::write, kQueue);
  cache.clear();
  EXPECT_FALSE(cache.contains(Permission::write, kQueue));
}

}  // namespace quorate::auth

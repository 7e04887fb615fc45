// What a user may do follows the topology at once: each test tells one such fact.
#include "broker/amqp/access.h"

#include <gtest/gtest.h>

namespace quorate::amqp {
namespace {

using auth::Permission;
using auth::ResourceKind;

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() { access_.enter("u", "/"); }

  void permit(const std::string& vhost, const cluster::PermissionPatterns& patterns) {
    ++topology_.version;
    cluster::User user{.name = "u"};
    user.permissions = user.permissions.with(vhost, patterns);
    topology_.users = topology_.users.with("u", user);
  }
  void forbid_everything() {
    ++topology_.version;
    topology_.users = topology_.users.with("u", cluster::User{.name = "u"});
  }
  bool may(Permission permission, std::string_view name) {
    return access_.require(topology_, permission, ResourceKind::queue, name).has_value();
  }

  cluster::Topology topology_{.version = 1};
  Access access_;
};

TEST_F(AccessTest, EachPermissionHasItsPattern) {
  permit("/", {.configure = "^c", .write = "^w", .read = ".*"});
  EXPECT_TRUE(may(Permission::configure, "cat"));
  EXPECT_FALSE(may(Permission::configure, "wat"));
  EXPECT_TRUE(may(Permission::write, "wat"));
  EXPECT_FALSE(may(Permission::write, "cat"));
  EXPECT_TRUE(may(Permission::read, "anything"));
}

TEST_F(AccessTest, ARefusalIsRabbitMqs) {
  permit("/", {.configure = "", .write = ".*", .read = ".*"});
  const auto refused = access_.require(topology_, Permission::configure, ResourceKind::queue, "q");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ReplyCode::access_refused);
  EXPECT_EQ(refused.error().text, "configure access to queue 'q' in vhost '/' refused for user 'u'");
}

TEST_F(AccessTest, PermissionsOfAnotherVhostDoNotCount) {
  permit("other", {.configure = ".*", .write = ".*", .read = ".*"});
  EXPECT_FALSE(may(Permission::read, "q"));
}

TEST_F(AccessTest, AChangeCountsFromTheNextRequestOn) {
  permit("/", {.configure = "", .write = "", .read = ".*"});
  EXPECT_TRUE(may(Permission::read, "q"));
  permit("/", {.configure = "", .write = "", .read = "^other$"});
  EXPECT_FALSE(may(Permission::read, "q"));
  EXPECT_TRUE(may(Permission::read, "other"));
  forbid_everything();
  EXPECT_FALSE(may(Permission::read, "other"));
  permit("/", {.configure = "", .write = "", .read = "^other$"});
  EXPECT_TRUE(may(Permission::read, "other"));
}

TEST_F(AccessTest, AUserWhoWasDeletedMayNothing) {
  permit("/", {.configure = ".*", .write = ".*", .read = ".*"});
  EXPECT_TRUE(may(Permission::read, "q"));
  ++topology_.version;
  topology_.users = {};
  EXPECT_FALSE(may(Permission::read, "q"));
}

TEST_F(AccessTest, APatternThatDoesNotCompileAllowsNothing) {
  permit("/", {.configure = "(", .write = ".*", .read = ".*"});
  EXPECT_FALSE(may(Permission::read, "q"));
}

TEST_F(AccessTest, AnyOfThreeIsEnoughToLook) {
  permit("/", {.configure = "", .write = "^q$", .read = ""});
  EXPECT_TRUE(access_.require_any(topology_, ResourceKind::queue, "q"));
  EXPECT_FALSE(access_.require_any(topology_, ResourceKind::queue, "p"));
}

}  // namespace
}  // namespace quorate::amqp

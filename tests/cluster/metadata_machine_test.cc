// The metadata machine keeps names, ends and indexes of bindings together: each test tells one such fact. Every entry
// is followed by a check of the whole topology (metadata_fixture.h).
#include "cluster/metadata/machine.h"

#include <gtest/gtest.h>

#include "tests/cluster/metadata_fixture.h"

namespace quorate::cluster {
namespace {

class Metadata : public MetadataFixture {};

// --- vhosts and exchanges ---

TEST_F(Metadata, AVhostIsBornWithItsExchanges) {
  for (const char* name : {"", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic"}) {
    ASSERT_NE(find_exchange(name), nullptr) << name;
    EXPECT_TRUE(find_exchange(name)->durable);
    EXPECT_FALSE(find_exchange(name)->internal);
  }
  EXPECT_TRUE(find_exchange("amq.rabbitmq.trace")->internal);
  EXPECT_EQ(find_exchange("amq.match")->type, "headers");
  EXPECT_EQ(submit(PutVhost{.name = "/"}), Outcome::exists);
}

TEST_F(Metadata, DeclaringAgainFindsWhatIsThere) {
  EXPECT_EQ(exchange("e"), Outcome::done);
  const std::uint64_t id = find_exchange("e")->id;
  EXPECT_EQ(exchange("e", {.type = "topic"}), Outcome::exists);
  EXPECT_EQ(find_exchange("e")->id, id);
  EXPECT_EQ(find_exchange("e")->type, "direct");
  EXPECT_EQ(queue("q"), Outcome::done);
  EXPECT_EQ(queue("q"), Outcome::exists);
  EXPECT_TRUE(effects_.queues.created.empty());
}

TEST_F(Metadata, AnUnknownTypeIsRefused) {
  EXPECT_EQ(exchange("e", {.type = "x-odd"}), Outcome::refused);
  EXPECT_EQ(find_exchange("e"), nullptr);
}

TEST_F(Metadata, NothingIsDeclaredInAMissingVhost) {
  EXPECT_EQ(submit(DeclareExchange{.exchange = {.vhost = "no", .name = "e", .type = "direct"}}), Outcome::not_found);
  EXPECT_EQ(submit(DeclareQueue{.queue = {.vhost = "no", .name = "q"}}), Outcome::not_found);
  EXPECT_EQ(submit(DeleteVhost{.name = "no"}), Outcome::not_found);
}

TEST_F(Metadata, NamesAndKeysMayBeAnyBytes) {
  const std::string odd = "\xff\xfe\x80 and \x01";
  EXPECT_EQ(exchange(odd), Outcome::done);
  EXPECT_EQ(queue(odd), Outcome::done);
  EXPECT_EQ(bind(odd, odd, odd), Outcome::done);
  EXPECT_EQ(reached(odd, odd), 1u);
  MetadataMachine restored(make_plain_index);
  ASSERT_TRUE(restored.restore(machine_.serialize().view()));
  EXPECT_NE(restored.topology()->find_queue("/", odd), nullptr);
}

TEST_F(Metadata, TheIdOfAQueueTellsWhenItWasDeclared) {
  queue("q");
  EXPECT_EQ(declared_at(find_queue("q")->id), topology().version);
}

TEST_F(Metadata, CommandsOfOneEntryGetIdsOfTheirOwn) {
  const auto outcomes =
      submit_all({PutVhost{.name = "a"}, PutVhost{.name = "b"}, PutVhost{.name = "c"}, PutVhost{.name = "d"},
                  PutVhost{.name = "e"}, PutVhost{.name = "f"}, PutVhost{.name = "g"}, PutVhost{.name = "h"}});
  EXPECT_EQ(outcomes, std::vector(8, Outcome::done));
  EXPECT_EQ(topology().exchanges_by_id.size(), 9u * 7u);
  const std::uint64_t last = find_exchange("amq.topic")->id;
  EXPECT_LT(last / kIdsPerEntry, index_.value());
}

// --- policies ---

TEST_F(Metadata, PoliciesOfBothKindsAreReplacedByNameAndGoWithTheirVhost) {
  submit(PutVhost{.name = "v"});
  const Policy policy{
      .vhost = "v", .name = "p", .pattern = "^a", .definition = {{.key = "max-length", .value = std::int64_t{1}}}};
  Policy of_operators = policy;
  of_operators.is_operators = true;
  Policy replaced = policy;
  replaced.priority = 5;
  EXPECT_EQ(submit_all({SetPolicy{policy}, SetPolicy{of_operators}, SetPolicy{replaced}}),
            std::vector(3, Outcome::done));
  EXPECT_EQ(*topology().policies.find(policy_key("v", "p", false)), replaced);
  EXPECT_EQ(*topology().policies.find(policy_key("v", "p", true)), of_operators);

  const auto before = topology().policies;
  queue("q");
  EXPECT_TRUE(topology().policies.is_same(before));
  EXPECT_EQ(submit(ClearPolicy{.vhost = "v", .name = "p"}), Outcome::done);
  EXPECT_EQ(submit(ClearPolicy{.vhost = "v", .name = "p"}), Outcome::not_found);
  EXPECT_EQ(topology().policies.size(), 1u);
  EXPECT_EQ(submit(DeleteVhost{.name = "v"}), Outcome::done);
  EXPECT_TRUE(topology().policies.empty());
  EXPECT_EQ(submit(SetPolicy{policy}), Outcome::not_found);
}

// --- bindings ---

TEST_F(Metadata, ABindingNeedsBothEnds) {
  queue("q");
  EXPECT_EQ(bind("no", "q"), Outcome::not_found);
  EXPECT_EQ(bind("amq.direct", "no"), Outcome::not_found);
  EXPECT_EQ(unbind("no", "q"), Outcome::not_found);
}

TEST_F(Metadata, ABindingIsMadeOnceAndUnboundTwiceWithoutHarm) {
  queue("q");
  EXPECT_EQ(bind("amq.direct", "q"), Outcome::done);
  EXPECT_EQ(bind("amq.direct", "q"), Outcome::exists);
  EXPECT_EQ(bind("amq.direct", "q", "other"), Outcome::done);
  EXPECT_EQ(reached("amq.direct"), 1u);
  EXPECT_EQ(unbind("amq.direct", "q"), Outcome::done);
  EXPECT_EQ(unbind("amq.direct", "q"), Outcome::done);
  EXPECT_EQ(reached("amq.direct"), 0u);
  EXPECT_EQ(reached("amq.direct", "other"), 1u);
}

TEST_F(Metadata, BindingsThatDifferInTheirArgumentsAreTwo) {
  queue("q");
  Binding one = binding("amq.headers", Destination::Kind::queue, "q", "");
  Binding two = one;
  two.key.arguments = "\x01xS";
  EXPECT_EQ(submit(Bind{.binding = one}), Outcome::done);
  EXPECT_EQ(submit(Bind{.binding = two}), Outcome::done);
  EXPECT_EQ(reached("amq.headers", ""), 2u);
}

TEST_F(Metadata, DeletingAQueueRemovesItsBindings) {
  queue("q");
  bind("amq.direct", "q");
  bind("amq.topic", "q", "#");
  EXPECT_EQ(delete_queue("q"), Outcome::done);
  ASSERT_EQ(effects_.queues.deleted.size(), 1u);
  EXPECT_EQ(effects_.queues.deleted.front()->name, "q");
  EXPECT_EQ(reached("amq.direct"), 0u);
  EXPECT_EQ(submit(DeleteQueue{.id = effects_.queues.deleted.front()->id}), Outcome::not_found);
}

TEST_F(Metadata, AQueueDeclaredAgainHasNewIdentityAndNoBindings) {
  queue("q");
  const GroupId before = find_queue("q")->id;
  bind("amq.direct", "q");
  delete_queue("q");
  queue("q");
  EXPECT_NE(find_queue("q")->id, before);
  EXPECT_EQ(reached("amq.direct"), 0u);
}

TEST_F(Metadata, AnAutoDeleteExchangeGoesWithItsLastBinding) {
  queue("q");
  exchange("e", {.durable = true, .auto_delete = true});
  EXPECT_NE(find_exchange("e"), nullptr);  // not before the first one
  bind("e", "q", "a");
  bind("e", "q", "b");
  unbind("e", "q", "a");
  EXPECT_NE(find_exchange("e"), nullptr);
  unbind("e", "q", "b");
  EXPECT_EQ(find_exchange("e"), nullptr);
}

TEST_F(Metadata, AChainOfAutoDeleteExchangesFalls) {
  queue("q");
  for (const char* name : {"a", "b", "c"}) exchange(name, {.durable = true, .auto_delete = true});
  bind_exchange("a", "b");
  bind_exchange("b", "c");
  bind("c", "q");
  delete_queue("q");
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(find_exchange(name), nullptr) << name;
}

TEST_F(Metadata, ExchangesBoundInACircleComeApart) {
  exchange("a", {.durable = true, .auto_delete = true});
  exchange("b", {.durable = true, .auto_delete = true});
  bind_exchange("a", "a");
  bind_exchange("a", "b");
  bind_exchange("b", "a");
  unbind_exchange("a", "a");
  EXPECT_EQ(delete_exchange("a"), Outcome::done);
  EXPECT_EQ(find_exchange("b"), nullptr);  // its only binding led there
}

TEST_F(Metadata, AnExchangeBoundToItselfAloneGoesWithThatBinding) {
  exchange("a", {.durable = true, .auto_delete = true});
  bind_exchange("a", "a");
  unbind_exchange("a", "a");
  EXPECT_EQ(find_exchange("a"), nullptr);
}

TEST_F(Metadata, AnExchangeInUseIsKeptOnRequest) {
  queue("q");
  exchange("e");
  bind("e", "q");
  EXPECT_EQ(delete_exchange("e", true), Outcome::in_use);
  EXPECT_EQ(delete_exchange("e"), Outcome::done);
  EXPECT_EQ(delete_exchange("e"), Outcome::not_found);
}

TEST_F(Metadata, AQueueAndAnExchangeMayShareAName) {
  queue("x");
  exchange("x");
  bind("amq.direct", "x");
  bind_exchange("amq.direct", "x");
  EXPECT_EQ(reached("amq.direct"), 2u);
  delete_queue("x");
  EXPECT_EQ(reached("amq.direct"), 1u);
}

// --- ends of things ---

TEST_F(Metadata, DeletingAVhostTakesEverythingInIt) {
  submit(PutUser{.name = "u", .password_hash = "h", .tags = {}});
  submit(SetPermissions{.user = "u", .vhost = "/", .patterns = {}});
  queue("q");
  queue("x", {.owner = owner(1)});
  bind("amq.direct", "q");
  exchange("a", {.durable = true, .auto_delete = true});
  bind("a", "q");
  EXPECT_EQ(submit(DeleteVhost{.name = "/"}), Outcome::done);
  EXPECT_EQ(effects_.queues.deleted.size(), 2u);
  EXPECT_TRUE(topology().exchanges_by_id.empty());
  EXPECT_TRUE(topology().users.find("u")->permissions.empty());
}

TEST_F(Metadata, AClosedConnectionTakesItsExclusiveQueues) {
  queue("mine", {.owner = owner(1)});
  queue("also", {.owner = owner(1)});
  queue("other", {.owner = owner(2)});
  bind("amq.direct", "mine");
  EXPECT_EQ(submit(ConnectionClosed{.owner = owner(1)}), Outcome::done);
  EXPECT_EQ(effects_.queues.deleted.size(), 2u);
  EXPECT_EQ(find_queue("mine"), nullptr);
  EXPECT_NE(find_queue("other"), nullptr);
  EXPECT_EQ(submit(ConnectionClosed{.owner = owner(1)}), Outcome::done);
}

TEST_F(Metadata, AStartedNodeDropsWhatLivedInItsMemoryOnly) {
  queue("durable");
  queue("transient", {.durable = false});
  queue("orphan", {.durable = true, .owner = owner(1, 1)});
  queue("current", {.durable = true, .owner = owner(2, 2)});
  exchange("transient", {.durable = false});
  bind("transient", "durable");
  bind_exchange("amq.direct", "transient");
  submit(NodeStarted{.node = NodeId(1), .epoch = Epoch(2)});
  EXPECT_EQ(effects_.queues.deleted.size(), 2u);
  EXPECT_NE(find_queue("durable"), nullptr);
  EXPECT_NE(find_queue("current"), nullptr);
  EXPECT_EQ(find_queue("transient"), nullptr);
  EXPECT_EQ(find_queue("orphan"), nullptr);
  EXPECT_EQ(find_exchange("transient"), nullptr);
  EXPECT_EQ(reached("amq.direct"), 0u);
}

// --- users ---

TEST_F(Metadata, AUserKeepsItsPermissionsWhenThePasswordChanges) {
  submit(PutUser{.name = "u", .password_hash = "h1", .tags = {"administrator"}});
  const PermissionPatterns patterns{.configure = "^a", .write = ".*", .read = ""};
  EXPECT_EQ(submit(SetPermissions{.user = "u", .vhost = "/", .patterns = patterns}), Outcome::done);
  submit(PutUser{.name = "u", .password_hash = "h2", .tags = {}});
  const User* user = topology().users.find("u");
  EXPECT_EQ(user->password_hash, "h2");
  EXPECT_EQ(*user->permissions.find("/"), patterns);
  EXPECT_EQ(submit(ClearPermissions{.user = "u", .vhost = "/"}), Outcome::done);
  EXPECT_TRUE(topology().users.find("u")->permissions.empty());
  EXPECT_EQ(submit(DeleteUser{.name = "u"}), Outcome::done);
  EXPECT_EQ(submit(DeleteUser{.name = "u"}), Outcome::not_found);
}

TEST_F(Metadata, PermissionsNeedUserAndVhost) {
  submit(PutUser{.name = "u", .password_hash = "", .tags = {}});
  EXPECT_EQ(submit(SetPermissions{.user = "no", .vhost = "/", .patterns = {}}), Outcome::not_found);
  EXPECT_EQ(submit(SetPermissions{.user = "u", .vhost = "no", .patterns = {}}), Outcome::not_found);
  EXPECT_EQ(submit(ClearPermissions{.user = "no", .vhost = "/"}), Outcome::not_found);
}

// --- versions ---

TEST_F(Metadata, AnOlderVersionStaysAsItWas) {
  queue("q");
  bind("amq.direct", "q");
  const TopologyPtr before = machine_.topology();
  delete_queue("q");
  EXPECT_NE(before->find_queue("/", "q"), nullptr);
  EXPECT_EQ(before->version + 1, topology().version);
  check_topology(*before);
}

TEST_F(Metadata, BytesThatAreNoCommandsAreAnError) {
  MetadataEffects effects;
  const auto applied = machine_.apply(index_.plus(1), as_bytes("\xff\xff\xff"), effects);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::corruption);
}

// --- types of queues ---

class QueueTypes : public MetadataFixture {
 protected:
  QueueTypes() {
    submit(
        DeclareQueue{.queue = {.vhost = "/", .name = "q", .durable = true, .node = NodeId(1)}, .nodes = {NodeId(1)}});
  }
  const Queue& q() const { return *find_queue("q"); }
  Outcome place(std::vector<NodeId> nodes) { return submit(PlaceQueue{.id = q().id, .nodes = std::move(nodes)}); }
  Outcome placed() { return submit(QueuePlaced{.id = q().id, .members = q().target}); }
  Outcome become(QueueType type) { return submit(SetQueueType{.id = q().id, .type = type}); }
};

TEST_F(QueueTypes, AClassicQueueBecomesAQuorumQueueByAnyChangeOfMembers) {
  EXPECT_EQ(place({NodeId(1)}), Outcome::done);
  EXPECT_EQ(q().type, QueueType::classic);
  EXPECT_TRUE(effects_.queues.moved.empty());
  EXPECT_EQ(place({NodeId(2)}), Outcome::done);  // even if there is one again in the end
  EXPECT_EQ(q().type, QueueType::quorum);
  ASSERT_EQ(effects_.queues.moved.size(), 1u);
  EXPECT_EQ(placed(), Outcome::done);
  EXPECT_EQ(q().type, QueueType::quorum);
}

TEST_F(QueueTypes, OneMemberMayBeClassicAgain) {
  place({NodeId(1), NodeId(2)});
  EXPECT_EQ(become(QueueType::classic), Outcome::in_use);
  placed();
  EXPECT_EQ(become(QueueType::classic), Outcome::refused);
  place({NodeId(2)});
  EXPECT_EQ(become(QueueType::classic), Outcome::in_use);
  placed();
  EXPECT_FALSE(q().was_quorum);
  EXPECT_EQ(become(QueueType::classic), Outcome::done);
  EXPECT_EQ(q().type, QueueType::classic);
  EXPECT_TRUE(q().was_quorum);
  EXPECT_EQ(q().node, NodeId(2));
  ASSERT_EQ(effects_.queues.moved.size(), 1u);
  EXPECT_EQ(become(QueueType::classic), Outcome::done);
  EXPECT_TRUE(effects_.queues.moved.empty());
  EXPECT_EQ(become(QueueType::quorum), Outcome::done);
  EXPECT_TRUE(q().was_quorum);
}

TEST_F(QueueTypes, OnlyADurableQueueThatStaysCanChange) {
  submit(DeclareQueue{.queue = {.vhost = "/", .name = "a", .durable = true, .auto_delete = true, .node = NodeId(1)},
                      .nodes = {NodeId(1)}});
  const GroupId a = find_queue("a")->id;
  EXPECT_EQ(submit(SetQueueType{.id = a, .type = QueueType::quorum}), Outcome::refused);
  EXPECT_EQ(submit(PlaceQueue{.id = a, .nodes = {NodeId(1), NodeId(2)}}), Outcome::refused);
  EXPECT_TRUE(find_queue("a")->target.empty());
  queue("t", {.durable = false});
  EXPECT_EQ(submit(SetQueueType{.id = find_queue("t")->id, .type = QueueType::quorum}), Outcome::refused);
  EXPECT_EQ(submit(SetQueueType{.id = GroupId(9'999), .type = QueueType::quorum}), Outcome::not_found);
}

TEST_F(QueueTypes, AChangeOfTypeAloneIsAChange) {
  const TopologyPtr before = machine_.topology();
  become(QueueType::quorum);
  EXPECT_EQ(changes_between(*before, *machine_.topology()).moved.size(), 1u);
  become(QueueType::classic);  // its sessions number from now on
  EXPECT_EQ(changes_between(*before, *machine_.topology()).moved.size(), 1u);
}

}  // namespace
}  // namespace quorate::cluster

// Nodes meet over real planes, each in a thread of its own as in a process; what a host name leads to is the test's to
// say.
#include "cluster/formation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <set>
#include <thread>

#include "base/time.h"
#include "cluster/name_lookup.h"
#include "cluster/plane/plane_options.h"
#include "tests/storage/directories.h"

namespace quorate::cluster {
namespace {

/// A host name of the test's. Every round of questions begins with a look at it.
class Zone {
 public:
  Discovery::Lookup lookup() {
    return [this](const std::string&) -> Result<std::vector<std::string>> {
      const std::lock_guard lock(mutex_);
      looked_.notify_all();
      if (addresses_.empty()) return failure(ErrorCode::not_found, "Host not found");
      return addresses_;
    };
  }
  void set(std::vector<std::string> addresses) {
    const std::lock_guard lock(mutex_);
    addresses_ = std::move(addresses);
  }
  /// Until `condition` holds at the beginning of somebody's round.
  bool eventually(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return looked_.wait_for(lock, std::chrono::seconds(30), condition);
  }

 private:
  std::mutex mutex_;
  std::condition_variable looked_;
  std::vector<std::string> addresses_;
};

/// One that nobody listens on, at any of this machine's own addresses.
std::uint16_t free_port() {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

bool has_ipv6() {
  boost::asio::io_context io;
  boost::system::error_code error;
  boost::asio::ip::tcp::acceptor acceptor(io);
  acceptor.open(boost::asio::ip::tcp::v6(), error);
  if (!error) acceptor.bind({boost::asio::ip::address_v6::loopback(), 0}, error);
  return !error;
}

/// A node as far as it meets others: an address of its own on this machine, and the same port as all.
class MeetingNode final : public PlaneClient {
 public:
  MeetingNode(int number, std::uint16_t port, std::string secret = "")
      : MeetingNode("rabbit@n" + std::to_string(number), "127.0.0." + std::to_string(number), port, std::move(secret)) {
  }
  MeetingNode(std::string name, std::string host, std::uint16_t port, std::string secret = "")
      : name_(std::move(name)), host_(std::move(host)), port_(port) {
    store_ = std::move(*storage::SnapshotStore::open({.path = directory_ / "state"}));
    plane_ = std::make_unique<Plane>(PlaneOptions{.listen_host = host_, .port = port_, .secret = std::move(secret)},
                                     clock_, *this);
  }
  ~MeetingNode() override { stop(); }

  void look_in(Zone& zone, std::size_t nodes_min) {
    run({.discovery = Discovery{.hostname = "zone", .port = port_, .nodes_min = nodes_min, .lookup = zone.lookup()}});
  }
  void look_for(std::vector<Seed> seeds) { run({.seeds = std::move(seeds)}); }
  /// Its record, once it has one.
  FormationRecord wait() {
    if (thread_.joinable()) thread_.join();
    EXPECT_TRUE(result_ && *result_) << name_;
    return **result_;
  }
  void stop() {
    stop_.request_stop();
    if (thread_.joinable()) thread_.join();
    plane_->stop();
  }

  Formation& formation() { return *formation_; }
  std::string waits_for() const { return formation_->outlook().waits_for; }
  const std::string& host() const { return host_; }
  Seed seed() const { return {.name = name_, .host = host_, .port = port_}; }

  // PlaneClient
  Result<void> judge(const Identity&) override { return failure(ErrorCode::unavailable, "nobody carries anything"); }
  void on_frame(NodeId, Lane, Bytes) override {}
  void on_connection(NodeId, Lane, bool) override {}
  void on_trouble(NodeId, const Error&) override {}
  void on_question(std::string_view, Bytes question, const std::string&, AnswerFunction answer) override {
    formation_->answer(question.view(), std::move(answer));
  }

 private:
  void run(Formation::Options options) {
    options.node_name = name_;
    options.host = host_;
    options.port = port_;
    formation_ = std::make_unique<Formation>(std::move(options), *store_, plane_.get());
    ASSERT_TRUE(formation_->load());
    ASSERT_TRUE(plane_->start()) << host_;
    thread_ = std::thread([this] { result_ = formation_->run(stop_.get_token()); });
  }

  const std::string name_;
  const std::string host_;
  const std::uint16_t port_;
  const storage::TestDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<storage::SnapshotStore> store_;
  std::unique_ptr<Plane> plane_;
  std::unique_ptr<Formation> formation_;
  std::stop_source stop_;
  std::thread thread_;
  std::optional<Result<FormationRecord>> result_;
};

void take_in_as_second(ClusterNode node, std::move_only_function<void(Result<ClusterNode>)> done) {
  node.id = NodeId(2);
  node.replica = raft::replica_on(node.id, 1);
  done(node);
}

using Nodes = std::vector<std::unique_ptr<MeetingNode>>;
Nodes make_nodes(int count) {
  Nodes nodes;
  const std::uint16_t port = free_port();
  for (int number = 1; number <= count; ++number) nodes.push_back(std::make_unique<MeetingNode>(number, port));
  return nodes;
}

void expect_one_cluster(const Nodes& nodes, std::size_t rows) {
  std::set<std::uint64_t> clusters;
  std::set<NodeId> selves;
  for (const auto& node : nodes) {
    const FormationRecord record = node->wait();
    clusters.insert(record.cluster_id);
    selves.insert(record.self);
    EXPECT_EQ(record.nodes.size(), rows);
  }
  EXPECT_EQ(clusters.size(), 1u);
  EXPECT_EQ(selves.size(), nodes.size());
}

TEST(Formation, OfAListIsFoundedOnceByTheFirst) {
  const Nodes nodes = make_nodes(3);
  std::vector<Seed> seeds;
  for (const auto& node : nodes) seeds.push_back(node->seed());
  for (const auto& node : nodes) node->look_for(seeds);
  expect_one_cluster(nodes, 3);
  EXPECT_EQ(nodes.front()->wait().self, NodeId(1));
  // What is remembered is not asked for again.
  ASSERT_TRUE(nodes[1]->formation().load());
  EXPECT_EQ(nodes[1]->formation().run({})->cluster_id, nodes.front()->wait().cluster_id);
}

TEST(Formation, SaysWhyNobodyAnswers) {
  Zone zone;
  const std::uint16_t port = free_port();
  MeetingNode one(1, port, "open sesame");
  MeetingNode two(2, port, "open barley");
  zone.set({one.host(), "127.0.0.9"});
  one.look_in(zone, 3);
  two.look_in(zone, 3);
  const std::string reason = "1 of 3, waiting for " + print_address(one.host(), port) + " (wrong cluster secret), " +
                             print_address("127.0.0.9", port) + " (Connection refused)";
  EXPECT_TRUE(zone.eventually([&] { return two.waits_for() == reason; })) << two.waits_for();
}

TEST(Formation, BehindAHostNameTakesPlaceOnceWhileAddressesComeAndGo) {
  Zone zone;
  Nodes nodes = make_nodes(3);
  MeetingNode& one = *nodes[0];
  one.look_in(zone, 3);
  ASSERT_TRUE(zone.eventually([&] { return one.waits_for() == "waiting for addresses of 'zone': Host not found"; }));
  zone.set({one.host()});
  const std::string_view reason = "1 of 3, waiting for 2 more (cluster_formation.target_cluster_size_hint)";
  ASSERT_TRUE(zone.eventually([&] { return one.waits_for() == reason; }));
  // The second sees only itself: it is the first that hears of it.
  nodes[1]->look_in(zone, 3);
  zone.set({nodes[1]->host()});
  ASSERT_TRUE(zone.eventually([&] { return one.waits_for().starts_with("2 of 3, waiting for 1 more"); }));
  ASSERT_TRUE(zone.eventually([&] { return nodes[1]->waits_for().starts_with("2 of 3, waiting for 1 more"); }));
  // An address where nobody is, or nobody yet, holds everybody up.
  const std::string absent = "127.0.0.9";
  zone.set({absent});
  nodes[2]->look_in(zone, 3);
  ASSERT_TRUE(zone.eventually([&] { return one.waits_for().find(absent) != std::string::npos; }));
  zone.set({});
  ASSERT_TRUE(zone.eventually([&] { return one.waits_for().starts_with("2 of 3"); }));
  zone.set({nodes[2]->host(), one.host()});
  expect_one_cluster(nodes, 3);
  EXPECT_EQ(one.wait().nodes.back().host, nodes[2]->host());
}

TEST(Formation, ALaterOneBehindTheHostNameJoins) {
  Zone zone;
  Nodes nodes = make_nodes(2);
  zone.set({nodes[0]->host()});
  nodes[0]->look_in(zone, 1);
  const FormationRecord founded = nodes[0]->wait();
  EXPECT_EQ(founded.nodes.size(), 1u);
  nodes[0]->formation().set_on_join(take_in_as_second);
  zone.set({nodes[0]->host(), nodes[1]->host()});
  nodes[1]->look_in(zone, 1);
  const FormationRecord joined = nodes[1]->wait();
  EXPECT_EQ(joined.cluster_id, founded.cluster_id);
  EXPECT_EQ(joined.self, NodeId(2));
  EXPECT_EQ(joined.nodes.back().host, nodes[1]->host());
}

TEST(Formation, AnAddressOfAFamilyThatNobodyListensOnHoldsNobodyUp) {
  Zone zone;
  const Nodes nodes = make_nodes(2);
  zone.set({"::1", nodes[0]->host(), nodes[1]->host()});
  for (const auto& node : nodes) node->look_in(zone, 2);
  expect_one_cluster(nodes, 2);
}

TEST(Formation, WhoAnswersAtAnAddressOfTheOtherFamilyCounts) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  Zone zone;
  const std::uint16_t port = free_port();
  MeetingNode one("rabbit@n1", "::1", port);
  zone.set({one.host()});
  one.look_in(zone, 1);
  const FormationRecord founded = one.wait();
  one.formation().set_on_join(take_in_as_second);
  MeetingNode two("rabbit@n2", "127.0.0.1", port);
  zone.set({one.host(), two.host()});
  two.look_in(zone, 1);
  EXPECT_EQ(two.wait().cluster_id, founded.cluster_id);
}

TEST(Formation, EndsWhenItIsAskedTo) {
  Zone zone;
  const Nodes nodes = make_nodes(1);
  nodes[0]->look_in(zone, 3);
  ASSERT_TRUE(zone.eventually([&] { return !nodes[0]->waits_for().empty(); }));
  nodes[0]->stop();
}

TEST(NameLookup, FindsTheAddressesOfThisMachine) {
  const auto found = look_up("localhost");
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_NE(std::ranges::find(*found, "127.0.0.1"), found->end());
  EXPECT_EQ(look_up("127.0.0.7").value(), std::vector<std::string>{"127.0.0.7"});
  EXPECT_FALSE(look_up(std::string(64, 'x')));  // no DNS can be asked for a label of more than 63 (RFC 1035)
}

TEST(NameLookup, TellsTheFamiliesOfAddressesApart) {
  EXPECT_TRUE(are_of_two_families("127.0.0.1", "::1"));
  EXPECT_TRUE(are_of_two_families("fd00::1", "10.0.0.1"));
  EXPECT_FALSE(are_of_two_families("127.0.0.1", "10.0.0.1"));
  EXPECT_FALSE(are_of_two_families("::1", "fd00::1"));
  EXPECT_FALSE(are_of_two_families("here", "::1"));
  EXPECT_FALSE(are_of_two_families("127.0.0.1", "there"));
}

}  // namespace
}  // namespace quorate::cluster

// The plane between nodes, over real sockets: what is sent arrives in order and at most once, strangers stay outside,
// what breaks is told and mends.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/log.h"
#include "cluster/plane/ask_once.h"
#include "tests/cluster/plane_world.h"
#include "tests/storage/directories.h"

namespace quorate::cluster {
namespace {

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};
constexpr NodeId kThree{3};

std::vector<std::byte> number(std::uint64_t value, std::size_t size = 8) {
  std::vector<std::byte> bytes;
  ByteWriter(bytes).write(value);
  bytes.resize(size);
  return bytes;
}

TEST(Plane, CarriesBatchesBothWaysOnEveryLane) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  PlaneNode three(kThree);
  for (PlaneNode* node : {&one, &two, &three}) ASSERT_TRUE(node->start(Epoch(1)));
  connect_all({&one, &two, &three});
  for (const Lane lane : {Lane::control, Lane::data, Lane::bulk}) {
    for (PlaneNode* from : {&one, &two, &three}) {
      for (PlaneNode* to : {&one, &two, &three}) {
        EXPECT_EQ(from->plane().send(to->id(), lane, batch_of("batch")), from != to);
      }
    }
  }
  for (PlaneNode* node : {&one, &two, &three}) {
    ASSERT_TRUE(node->eventually([&] { return node->all_text().size() == 6 * 5; }));
    std::map<std::pair<NodeId, Lane>, std::string> heard;
    for (const auto& frame : node->frames_) heard[{frame.from, frame.lane}] += frame.bytes.text();
    EXPECT_EQ(heard.size(), 6u) << "two peers, three lanes";
    for (const auto& [where, text] : heard) EXPECT_EQ(text, "batch");
  }
  EXPECT_FALSE(one.plane().send(NodeId(9), Lane::data, batch_of("nobody")));
}

TEST(Plane, BatchesArriveWholeInTheOrderTheyWereSent) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  constexpr std::uint64_t kCount = 20'000;
  constexpr std::size_t kSize = 100;
  for (std::uint64_t i = 0; i < kCount; ++i) ASSERT_TRUE(one.plane().send(kTwo, Lane::data, number(i, kSize)));
  ASSERT_TRUE(two.eventually([&] {
    std::size_t bytes = 0;
    for (const auto& frame : two.frames_) bytes += frame.bytes.size();
    return bytes == kCount * kSize;
  }));
  EXPECT_LT(two.frames_.size(), kCount) << "they share frames";
  std::uint64_t next = 0;
  for (const auto& frame : two.frames_) {
    ASSERT_EQ(frame.bytes.size() % kSize, 0u) << "no batch is cut";
    ASSERT_LE(frame.bytes.size(), Plane::kFrameBytes);
    for (std::size_t at = 0; at < frame.bytes.size(); at += kSize, ++next) {
      std::uint64_t value = 0;
      ByteReader(frame.bytes.view().subspan(at)).read(value);
      ASSERT_EQ(value, next);
    }
  }
}

TEST(Plane, OneBatchMayBeLarge) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  const std::string large(20u << 20, 'x');
  ASSERT_TRUE(one.plane().send(kTwo, Lane::bulk, batch_of(large)));
  ASSERT_TRUE(one.plane().send(kTwo, Lane::control, batch_of("vote")));
  ASSERT_TRUE(two.wait_frames(2));
  EXPECT_EQ(two.text().size(), large.size() + 4);
}

TEST(Plane, KeepsTheOrderWhenThePeerComesBack) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  std::uint64_t next = 0;
  for (std::uint32_t epoch = 2; epoch < 5; ++epoch) {
    for (int i = 0; i < 1'000; ++i) one.plane().send(kTwo, Lane::data, number(next++));
    two.stop();
    ASSERT_TRUE(one.wait_down(kTwo, Lane::data));
    EXPECT_FALSE(one.plane().send(kTwo, Lane::data, number(next++)));
    ASSERT_TRUE(two.start(Epoch(epoch)));
    two.join();
    ASSERT_TRUE(one.wait_up(kTwo));
    ASSERT_TRUE(one.plane().send(kTwo, Lane::data, number(next)));
    ASSERT_TRUE(two.eventually([&] {
      std::uint64_t newest = 0;
      if (!two.frames_.empty()) ByteReader(two.frames_.back().bytes.view().last(8)).read(newest);
      return newest == next;
    }));
    ++next;
  }
  std::uint64_t before = 0;
  for (const auto& frame : two.frames_) {
    ByteReader reader(frame.bytes.view());
    for (std::uint64_t value = 0; reader.read(value); before = value) {
      ASSERT_TRUE(value > before || value == 0) << "in order and never twice";
    }
  }
  EXPECT_GE(one.downs_, 3);
}

TEST(Plane, AnOlderIncarnationIsSilencedByANewerOne) {
  PlaneNode older(kOne);
  PlaneNode newer(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(older.start(Epoch(1)) && newer.start(Epoch(2)) && two.start(Epoch(1)));
  two.join();
  older.join();
  older.plane().set_peers({two.address()});
  ASSERT_TRUE(older.wait_up(kTwo));
  std::atomic<bool> done = false;
  std::thread flood([&] {
    while (!done) older.plane().send(kTwo, Lane::data, batch_of("o"));
  });
  EXPECT_TRUE(two.wait_text("o"));
  newer.join();
  newer.plane().set_peers({two.address()});
  EXPECT_TRUE(newer.wait_up(kTwo));
  EXPECT_TRUE(newer.plane().send(kTwo, Lane::data, batch_of("N")));
  EXPECT_TRUE(two.wait_text("N"));
  EXPECT_TRUE(older.wait_down(kTwo, Lane::data));
  const int judged = [&] {
    const std::lock_guard lock(two.mutex_);
    return two.judged_;
  }();
  EXPECT_TRUE(two.eventually([&] { return two.judged_ > judged + 1; })) << "it knocks again";
  EXPECT_TRUE(newer.plane().send(kTwo, Lane::data, batch_of("N")));
  EXPECT_TRUE(two.wait_text("NN"));
  done = true;
  flood.join();
  EXPECT_FALSE(older.is_up(kTwo, Lane::data)) << "and is not let in";
  const std::string text = two.text();
  EXPECT_EQ(text.find('o', text.find('N')), std::string::npos);
}

TEST(Plane, ANodeWithoutAnIdentityIsAskedButNotJoined) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  one.join();
  one.plane().set_peers({two.address()});
  const auto answer = one.ask(two.address(), "echo", "who are you?");
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ(answer->text(), "who are you?");
  EXPECT_TRUE(one.ask(two.address(), "who", "")->text().starts_with("127.0.0.1:")) << "and knows who asks";
  EXPECT_FALSE(one.plane().send(kTwo, Lane::data, batch_of("x")));
  EXPECT_EQ(two.judged_, 0);
  two.join();
  EXPECT_TRUE(one.wait_up(kTwo));
}

TEST(Plane, PeersComeGoAndMove) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  PlaneNode moved(kTwo);
  PlaneNode three(kThree);
  for (PlaneNode* node : {&one, &two, &three}) ASSERT_TRUE(node->start(Epoch(1)));
  ASSERT_TRUE(moved.start(Epoch(2)));
  for (PlaneNode* node : {&one, &two, &moved, &three}) node->join();
  one.plane().set_peers({two.address()});
  ASSERT_TRUE(one.wait_up(kTwo));
  one.plane().set_peers({});
  ASSERT_TRUE(one.eventually([&] { return one.up_.empty(); }));
  EXPECT_FALSE(one.plane().send(kTwo, Lane::data, batch_of("x")));
  one.plane().set_peers({moved.address(), three.address()});
  ASSERT_TRUE(one.wait_up(kTwo) && one.wait_up(kThree));
  ASSERT_TRUE(one.plane().send(kTwo, Lane::data, batch_of("here")));
  EXPECT_TRUE(moved.wait_text("here"));
  EXPECT_EQ(two.text(), "");
}

// --- strangers -------------------------------------------------------------------------------------------------------

/// What is logged while it lives goes to a file.
class LogFile {
 public:
  LogFile() { log::configure({.console = false, .file = path()}); }
  ~LogFile() { log::configure({}); }
  std::string text() const {
    log::flush();
    return storage::file_content(path());
  }

 private:
  std::string path() const { return directory_ / "log"; }
  storage::TestDirectory directory_;
};

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; ++at) ++count;
  return count;
}

TEST(PlaneStrangers, AreRefusedInWordsThatBothSidesRead) {
  const LogFile log;
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  two.refusal_ = "its data directory belongs to another node";
  two.join();
  one.join();
  one.plane().set_peers({two.address()});
  ASSERT_TRUE(two.eventually([&] { return two.judged_ > 8; }));
  EXPECT_FALSE(one.plane().send(kTwo, Lane::data, batch_of("x")));
  EXPECT_EQ(count_of(log.text(), "peer.refused peer=\"n1 (1)\""), 1u) << "not with every attempt\n" << log.text();
  EXPECT_EQ(count_of(log.text(), "peer.refuses node=n2"), 1u);
  EXPECT_EQ(count_of(log.text(), "reason=\"its data directory belongs to another node\""), 2u);
  const auto is_told = [&](ErrorCode code) {
    return one.eventually([&, code] { return one.troubles_[kTwo] == Error{.code = code, .text = two.refusal_}; });
  };
  EXPECT_TRUE(is_told(ErrorCode::unavailable));
  {
    const std::lock_guard lock(two.mutex_);
    two.refusal_ = "n1 was taken out of the cluster";
    two.refusal_code_ = ErrorCode::not_found;
  }
  EXPECT_TRUE(is_told(ErrorCode::not_found)) << "that there is no way back is told from other reasons";
  {
    const std::lock_guard lock(two.mutex_);
    two.refusal_.clear();
  }
  EXPECT_TRUE(one.wait_up(kTwo)) << "once the reason is gone";
}

TEST(Plane, AnOrderlyEndIsNoWarning) {
  const LogFile log;
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  two.stop();
  ASSERT_TRUE(one.eventually([&] { return one.up_.empty(); }));
  one.stop();
  EXPECT_EQ(count_of(log.text(), "peer.disconnected node=n2"), 1u) << log.text();
  EXPECT_EQ(count_of(log.text(), "reason=\"it stops\""), 1u) << log.text();
  EXPECT_EQ(count_of(log.text(), "[warning] cluster peer.disconnected"), 0u) << log.text();
}

TEST(Plane, SaysInFewWordsWhyNobodyAnswers) {
  const LogFile log;
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  two.stop();
  PeerAddress unknown = two.address();
  unknown.node = kThree;
  unknown.name = "n3";
  unknown.host = "nobody.invalid";
  EXPECT_EQ(one.ask(two.address(), "echo", "hello").error().text, "Connection refused");
  one.join();
  one.plane().set_peers({two.address(), unknown});
  EXPECT_TRUE(one.eventually([&] { return one.troubles_[kTwo].text == "Connection refused"; }));
  EXPECT_TRUE(one.eventually([&] { return one.troubles_.contains(kThree); }));
  EXPECT_EQ(one.troubles_[kThree].text.find(':'), std::string::npos) << one.troubles_[kThree].text;
  EXPECT_EQ(count_of(log.text(), "peer.unreachable node=n2"), 1u) << log.text();
  EXPECT_EQ(count_of(log.text(), "reason=\"Connection refused\""), 1u) << log.text();
}

TEST(PlaneStrangers, AtAPeersAddressAreNotTakenForIt) {
  PlaneNode one(kOne);
  PlaneNode three(kThree);
  ASSERT_TRUE(one.start(Epoch(1)) && three.start(Epoch(1)));
  three.join();
  one.join();
  PeerAddress wrong = three.address();
  wrong.node = kTwo;
  one.plane().set_peers({wrong, three.address()});
  ASSERT_TRUE(one.wait_up(kThree));
  EXPECT_FALSE(one.plane().send(kTwo, Lane::data, batch_of("x")));
}

TEST(PlaneStrangers, NeedTheSecret) {
  const LogFile log;
  PlaneNode one(kOne, {.secret = "open sesame"});
  PlaneNode two(kTwo, {.secret = "open barley", .node_name = "rabbit@two"});
  PlaneNode nameless(NodeId(4), {.secret = "open barley"});
  PlaneNode three(kThree, {.secret = "open sesame"});
  for (PlaneNode* node : {&one, &two, &three, &nameless}) ASSERT_TRUE(node->start(Epoch(1)));
  connect_all({&one, &three});
  two.join();
  two.plane().set_peers({one.address()});
  const auto answer = two.ask(one.address(), "echo", "let me in");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().text, "wrong cluster secret");
  EXPECT_TRUE(two.eventually([&] { return two.troubles_[kOne].text == "wrong cluster secret"; }));
  EXPECT_TRUE(three.ask(one.address(), "echo", "let me in"));
  EXPECT_EQ(one.judged_, 3) << "only the streams of node 3";
  EXPECT_FALSE(nameless.ask(one.address(), "echo", "let me in"));
  EXPECT_EQ(count_of(log.text(), "peer.refused peer=\"rabbit@two\" address=127.0.0.1:"), 1u) << log.text();
  EXPECT_EQ(count_of(log.text(), "peer.refused peer=\"ipv4:127.0.0.1\" address=127.0.0.1:"), 1u) << log.text();
  EXPECT_EQ(log.text().find("sesame"), std::string::npos);
  EXPECT_EQ(log.text().find("barley"), std::string::npos);
}

TEST(PlaneOptions, AnOpenListenerNeedsASecretOrTls) {
  EXPECT_TRUE(check({.listen_host = "127.0.0.1"}));
  EXPECT_TRUE(check({.listen_host = "127.9.8.7"}));
  EXPECT_TRUE(check({.listen_host = "::1"}));
  EXPECT_TRUE(check({.listen_host = "localhost"}));
  EXPECT_TRUE(check({.listen_host = "0.0.0.0", .secret = "s"}));
  EXPECT_TRUE(check({.listen_host = "::", .tls = PlaneTls{"ca", "cert", "key"}}));
  for (const std::string host : {"0.0.0.0", "::", "10.1.2.3", "example.org", "", "1270.0.0.1"}) {
    const auto verdict = check({.listen_host = host, .port = 25672});
    ASSERT_FALSE(verdict) << host;
    EXPECT_NE(verdict.error().text.find("cluster.secret"), std::string::npos);
  }
  EXPECT_FALSE(check({.tls = PlaneTls{.cacertfile = "ca"}}));
}

TEST(Plane, SaysWhichAddressIsBusy) {
  PlaneNode one(kOne);
  ASSERT_TRUE(one.start(Epoch(1)));
  PlaneNode two(kTwo, {.port = one.address().port});
  const auto started = two.start(Epoch(1));
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().text.find(print_address("127.0.0.1", one.address().port)), std::string::npos);
  EXPECT_NE(started.error().text.find("in use"), std::string::npos) << started.error().text;
}

/// An authority, and a certificate for 127.0.0.1 that it signed.
PlaneTls make_certificates(const storage::TestDirectory& directory, const std::string& name) {
  const auto run = [&](const std::string& words) {
    EXPECT_EQ(std::system(("cd " + directory.path() + " && openssl " + words + " >/dev/null 2>&1").c_str()), 0)
        << words;
  };
  const std::string key = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";
  run(key + "-x509 -days 2 -subj /CN=authority-" + name + " -keyout " + name + "-ca.key -out " + name + "-ca.pem");
  run(key + "-subj /CN=node -addext subjectAltName=IP:127.0.0.1 -keyout " + name + ".key -out " + name + ".csr");
  run("x509 -req -days 2 -in " + name + ".csr -copy_extensions copy -CA " + name + "-ca.pem -CAkey " + name +
      "-ca.key -CAcreateserial -out " + name + ".pem");
  return {.cacertfile = directory / (name + "-ca.pem"),
          .certfile = directory / (name + ".pem"),
          .keyfile = directory / (name + ".key")};
}

TEST(Plane, WithTlsBothSidesShowACertificate) {
  const storage::TestDirectory directory;
  const PlaneTls ours = make_certificates(directory, "ours");
  PlaneTls theirs = make_certificates(directory, "theirs");
  PlaneNode one(kOne, {.tls = ours});
  PlaneNode two(kTwo, {.tls = ours});
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  ASSERT_TRUE(one.plane().send(kTwo, Lane::data, batch_of("sealed")));
  EXPECT_TRUE(two.wait_text("sealed"));

  PlaneNode plain(kThree);
  theirs.cacertfile = ours.cacertfile;  // it trusts us, but we do not know who signed its own
  PlaneNode stranger(kThree, {.tls = theirs});
  for (PlaneNode* node : {&plain, &stranger}) {
    ASSERT_TRUE(node->start(Epoch(1)));
    const auto refused = node->ask(one.address(), "echo", "hello");
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().text.starts_with("closed the connection: is TLS used")) << refused.error().text;
  }
  EXPECT_EQ(one.ask(plain.address(), "echo", "hello").error().text, "TLS: wrong version number");
  EXPECT_EQ(one.ask(stranger.address(), "echo", "hello").error().text, "TLS: certificate verify failed");
  EXPECT_TRUE(two.ask(one.address(), "echo", "hello"));

  PlaneNode lost(kThree, {.tls = PlaneTls{"/nowhere/ca.pem", ours.certfile, ours.keyfile}});
  const auto started = lost.start(Epoch(1));
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().text.find("/nowhere/ca.pem"), std::string::npos);
}

// --- bounds ----------------------------------------------------------------------------------------------------------

TEST(Plane, ALaneThatIsFullRefusesWithoutForgettingWhatItHas) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  two.close_gate();
  constexpr std::size_t kBatch = 256u << 10;
  std::uint64_t sent = 0;
  while (one.plane().send(kTwo, Lane::data, number(sent, kBatch))) {
    ASSERT_LT(++sent * kBatch, 8 * Plane::kLaneBytesMax) << "no bound";
  }
  EXPECT_GE(sent * kBatch, Plane::kLaneBytesMax);
  EXPECT_TRUE(one.plane().send(kTwo, Lane::bulk, batch_of("b"))) << "the other lanes have their own room";
  two.open_gate();
  ASSERT_TRUE(two.eventually([&] { return two.all_text().size() == sent * kBatch + 1; }));
  EXPECT_EQ(one.downs_, 0);
  EXPECT_TRUE(one.plane().send(kTwo, Lane::data, number(sent, kBatch)));
}

TEST(Plane, ALargeBatchLeavesRoomForOthersOnItsLane) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  connect_all({&one, &two});
  two.close_gate();
  const std::string large(2 * Plane::kLaneBytesMax, 'x');
  ASSERT_TRUE(one.plane().send(kTwo, Lane::data, batch_of("first")));  // is waited with at the gate
  ASSERT_TRUE(one.plane().send(kTwo, Lane::data, batch_of(large)));
  ASSERT_TRUE(one.plane().send(kTwo, Lane::data, batch_of(large)));
  EXPECT_TRUE(one.plane().send(kTwo, Lane::data, batch_of("last")));
  two.open_gate();
  ASSERT_TRUE(two.wait_text("last"));
  EXPECT_EQ(two.text().size(), 2 * large.size() + 9);
}

// --- questions -------------------------------------------------------------------------------------------------------

TEST(PlaneQuestions, AreAnsweredNowLaterOrNever) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  EXPECT_EQ(one.ask(two.address(), "echo", "").value(), Bytes());
  EXPECT_EQ(one.ask(two.address(), "fail", "x").error(), (Error{ErrorCode::not_found, "no such thing"}));
  EXPECT_EQ(one.ask(two.address(), "drop", "x").error().code, ErrorCode::unavailable);

  std::thread later([&] { EXPECT_TRUE(two.answer_kept("at last")); });
  EXPECT_EQ(one.ask(two.address(), "keep", "patient").value().text(), "at last");
  later.join();

  const auto timed_out = one.ask(two.address(), "keep", "hasty", std::chrono::milliseconds(500));
  ASSERT_FALSE(timed_out);
  EXPECT_NE(timed_out.error().text.find("no answer in time"), std::string::npos) << timed_out.error().text;
  ASSERT_TRUE(two.answer_kept("nobody hears it"));
  EXPECT_TRUE(one.ask(two.address(), "echo", "still there?"));
}

TEST(PlaneQuestions, NeedNoPlaneToBeAsked) {
  const storage::TestDirectory directory;
  const PlaneTls tls = make_certificates(directory, "ours");
  for (const PlaneOptions& options : {PlaneOptions{.secret = "open sesame"}, PlaneOptions{.tls = tls}}) {
    PlaneNode node(kOne, options);
    ASSERT_TRUE(node.start(Epoch(1)));
    const Seed place{.host = "127.0.0.1", .port = node.address().port};
    const auto ask = [&](const PlaneOptions& shown, const std::string& kind, Duration timeout) {
      return ask_once(shown, place, kind, Bytes::copy_of("hello"), timeout);
    };
    constexpr Duration kLong = std::chrono::seconds(20);
    EXPECT_EQ(ask(options, "echo", kLong).value().text(), "hello");
    EXPECT_EQ(ask(options, "fail", kLong).error(), (Error{ErrorCode::not_found, "no such thing"}));
    const auto late = ask(options, "keep", std::chrono::milliseconds(50));
    ASSERT_FALSE(late);
    EXPECT_NE(late.error().text.find("no answer in time"), std::string::npos) << late.error().text;
    EXPECT_FALSE(ask({.secret = "open barley"}, "echo", kLong));
    node.stop();
    EXPECT_EQ(ask(options, "echo", kLong).error().code, ErrorCode::unavailable);
  }
}

TEST(PlaneQuestions, EndWithThePlane) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  std::optional<Result<Bytes>> answer;
  const auto keep = [&](Result<Bytes> got) { answer = std::move(got); };
  one.plane().ask("127.0.0.1", two.address().port, "keep", Bytes::copy_of("x"), std::chrono::seconds(60), keep);
  ASSERT_TRUE(two.eventually([&] { return two.kept_.size() == 1; }));
  one.plane().stop();
  ASSERT_TRUE(answer && !*answer) << "told before stop() returns";
  answer.reset();
  one.plane().ask("127.0.0.1", two.address().port, "echo", Bytes(), std::chrono::seconds(60), keep);
  ASSERT_TRUE(answer && !*answer) << "told at once";
  two.stop();
  two.kept_.front().second(Bytes::copy_of("after the end"));  // finds nobody, and does no harm
}

TEST(PlaneQuestions, ToAClosedPortFailAtOnce) {
  PlaneNode one(kOne);
  PlaneNode two(kTwo);
  ASSERT_TRUE(one.start(Epoch(1)) && two.start(Epoch(1)));
  const PeerAddress address = two.address();
  two.stop();
  const auto answer = one.ask(address, "echo", "x");
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().text.find("refused"), std::string::npos) << answer.error().text;
}

}  // namespace
}  // namespace quorate::cluster

// The outbox by hand: what is in memory, on the disk and on other nodes the test says. Of a follower's replica the
// leader's mail is passed on in its order, with the bodies that it only refers to.
#include "broker/queue/outbox.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/broker/queue/examples.h"

namespace quorate::queue {
namespace {

constexpr NodeId kHere{1};
constexpr NodeId kThere{2};

class QueueOutbox : public ::testing::Test {
 protected:
  /// An entry with the one message `body`.
  static Bytes entry(const std::string& body) {
    const Message message = make_message("", "k", {}, as_bytes(body));
    std::vector<std::byte> out;
    encode_command(Enqueue{.message = message.encoded().view()}, out);
    return Bytes::copy_of(out);
  }
  static SessionId session(NodeId node) { return {.node = node, .epoch = Epoch(1), .serial = 1}; }
  static SessionMail mail(SessionMailBody what) {
    return {.to = session(kHere), .queue = GroupId(9), .what = std::move(what), .tracked = true};
  }
  static SessionMail reference(std::uint64_t index) {
    return mail(Referred{.delivery = {.link = 4, .id = index, .redelivered = true, .delivery_count = 3},
                         .position = Position::of(LogIndex(index), 0),
                         .term = Term(1)});
  }
  static Owed owed(NodeId to, std::uint64_t index, bool settled = false) {
    return {.delivery = {.consumer = {.session = session(to), .link = 4},
                         .id = index,
                         .message = {.position = Position::of(LogIndex(index), 0)},
                         .settled = settled}};
  }
  /// Answers the read that is under way with what the test has put on the disk.
  void read() {
    ASSERT_TRUE(reading_);
    std::vector<raft::Entry> entries;
    const auto [from, done] = std::exchange(reading_, std::nullopt).value();
    for (const auto& [index, payload] : disk_) {
      if (index >= from) entries.push_back({.index = index, .term = Term(1), .payload = payload});
    }
    (*done)(std::move(entries));
  }
  /// Nothing happens in these entries.
  void apply_up_to(LogIndex last) {
    std::vector<std::byte> nothing;
    encode_command(Expire{}, nothing);
    Effects effects;
    for (LogIndex index = machine_.applied().plus(1); index <= last; ++index) {
      ASSERT_TRUE(machine_.apply(index, WallTime{}, nothing, effects));
    }
  }
  std::string heard() { return std::exchange(heard_, {}); }

  void hear(const SessionMailBody& what) {
    std::string text = "other";
    if (const auto* delivery = std::get_if<Delivery>(&what)) {
      text = std::to_string(delivery->id) + ":" + std::string(as_text(delivery->message.body()));
      if (delivery->redelivered) text += "!" + std::to_string(delivery->delivery_count);
    } else if (const auto* referred = std::get_if<Referred>(&what)) {
      text = std::to_string(referred->delivery.id) + ":there";
    } else if (const auto* got = std::get_if<GetOk>(&what)) {
      text = "got " + std::string(as_text(got->delivery.message.body()));
    } else if (std::holds_alternative<Cancelled>(what)) {
      text = "cancelled";
    }
    heard_ += (heard_.empty() ? "" : " ") + text;
  }

  std::map<LogIndex, Bytes> tail_;
  std::map<LogIndex, Bytes> disk_;
  std::optional<std::pair<LogIndex, std::shared_ptr<cluster::GroupHost::ReadDone>>> reading_;
  std::string heard_;
  int missed_ = 0;
  std::string failure_;

  QueueMachine machine_;
  CacheBudget budget_;
  Outbox outbox_{
      {.machine = machine_,
       .budget = budget_,
       .send = [this](const SessionId&, const SessionMailBody& what, std::uint64_t) { hear(what); },
       .read =
           [this](LogIndex from, LogIndex, cluster::GroupHost::ReadDone done) {
             reading_.emplace(from, std::make_shared<cluster::GroupHost::ReadDone>(std::move(done)));
           },
       .is_held_there = [](const SessionId& to, LogIndex index) { return to.node == kThere && index < LogIndex(50); },
       .find_in_tail =
           [this](LogIndex index) {
             const auto at = tail_.find(index);
             return at != tail_.end() ? &at->second : nullptr;
           },
       .pass_on = [this](const SessionMail& mail) { hear(mail.what); },
       .on_missed = [this] { ++missed_; },
       .on_failure = [this](const Error& error) { failure_ = error.text; }}};
};

// --- the leader's ---

TEST_F(QueueOutbox, AConsumerWhoseNodeHasTheMessageIsReferredToIt) {
  outbox_.owe(owed(kThere, 7));
  EXPECT_EQ(heard(), "7:there") << "nothing had to be read for it";
  EXPECT_FALSE(reading_);
}

TEST_F(QueueOutbox, WhatTheNodeLacksOrWhatDiesAtOnceIsSentWhole) {
  outbox_.keep(LogIndex(50), entry("young"));
  outbox_.keep(LogIndex(7), entry("settled"));
  outbox_.keep(LogIndex(8), entry("fetched"));
  outbox_.owe(owed(kThere, 50));
  outbox_.owe(owed(kThere, 7, true));
  Owed get = owed(kThere, 8);
  get.kind = Owed::Kind::get;
  outbox_.owe(std::move(get));
  outbox_.owe(owed(kHere, 8));
  EXPECT_EQ(heard(), "50:young 7:settled got fetched 8:fetched");
}

TEST_F(QueueOutbox, WhatHasBeenSentInVainIsSentWhole) {
  outbox_.keep(LogIndex(7), entry("seven"));
  Owed again = owed(kThere, 7);
  again.whole = true;
  outbox_.owe(std::move(again));
  EXPECT_EQ(heard(), "7:seven");
}

// sim --nodes --seed=300474: nobody else had the entry any more, so a damaged one could not be repaired.
TEST_F(QueueOutbox, WhatIsSentAgainAndSettledMeanwhileIsLeftOut) {
  outbox_.begin(LogIndex(8));
  disk_[LogIndex(8)] = entry("eight");
  outbox_.owe(owed(kHere, 7));
  outbox_.owe(owed(kHere, 8));
  EXPECT_TRUE(outbox_.needed_entries().empty()) << "the machine says which messages live";
  apply_up_to(LogIndex(7));  // and 7 is not one of them
  read();
  EXPECT_EQ(heard(), "8:eight");
  EXPECT_EQ(failure_, "");
}

TEST_F(QueueOutbox, TheLogKeepsTheLastCopyOfWhatIsOwed) {
  outbox_.begin(LogIndex(8));
  outbox_.owe(owed(kHere, 7, true));
  Owed get = owed(kHere, 8);
  get.kind = Owed::Kind::get;
  outbox_.owe(std::move(get));
  apply_up_to(LogIndex(8));
  EXPECT_EQ(outbox_.needed_entries(), (std::vector{LogIndex(7), LogIndex(8)}));
  read();
  EXPECT_NE(failure_, "") << "nobody can bring it back";
}

// Every settle of a leader says both anew, and others may have an entry before its own disk does.
TEST_F(QueueOutbox, WhatIsCommittedBeforeThisDiskHasItLeavesMemoryWhenItDoes) {
  budget_.queue_max_bytes = 1;
  for (std::uint64_t index = 1; index <= 3; ++index) outbox_.keep(LogIndex(index), entry("body"));
  outbox_.on_committed(LogIndex(3), LogIndex(0));
  outbox_.on_committed(LogIndex(3), LogIndex(0));
  EXPECT_GT(budget_.used, 0u) << "no other copy can be read here";
  outbox_.on_committed(LogIndex(3), LogIndex(3));
  EXPECT_EQ(budget_.used, 0u);
}

// --- of the replica that delivers ---

TEST_F(QueueOutbox, AReferenceIsFilledInFromTheTailOfTheLogOrTheCache) {
  tail_[LogIndex(7)] = entry("seven");
  outbox_.keep(LogIndex(8), entry("eight"));
  outbox_.relay(reference(7));
  outbox_.relay(reference(8));
  outbox_.relay(mail(Cancelled{.link = 4}));
  EXPECT_EQ(heard(), "7:seven!3 8:eight!3 cancelled");
}

TEST_F(QueueOutbox, NothingOvertakesAReferenceWhoseMessageIsReadBack) {
  disk_[LogIndex(7)] = entry("seven");
  disk_[LogIndex(9)] = entry("nine");
  tail_[LogIndex(8)] = entry("eight");
  outbox_.relay(reference(7));
  outbox_.relay(reference(8));
  outbox_.relay(reference(9));
  outbox_.relay(mail(Cancelled{.link = 4}));
  EXPECT_EQ(heard(), "");
  read();
  EXPECT_EQ(heard(), "7:seven!3 8:eight!3 9:nine!3 cancelled");
}

TEST_F(QueueOutbox, AReferenceToWhatIsGoneIsMissedAndTheRestGoesOn) {
  disk_[LogIndex(8)] = entry("eight");
  outbox_.relay(reference(7));
  outbox_.relay(reference(8));
  read();
  EXPECT_EQ(heard(), "8:eight!3");
  EXPECT_EQ(missed_, 1) << "its session asks for it again";
  EXPECT_EQ(failure_, "");
}

TEST_F(QueueOutbox, AReferenceIntoTheMiddleOfAMessageIsMissed) {
  SessionMail wrong = reference(7);
  std::get<Referred>(wrong.what).position = Position::of(LogIndex(7), 3);
  tail_[LogIndex(7)] = entry("seven");
  outbox_.relay(std::move(wrong));
  EXPECT_EQ(heard(), "");
  EXPECT_EQ(missed_, 1);
  EXPECT_EQ(failure_, "") << "the mistake is another node's";
}

TEST_F(QueueOutbox, UnderAnotherLeaderWhatWasRelayedIsForgotten) {
  disk_[LogIndex(7)] = entry("seven");
  outbox_.relay(reference(7));
  outbox_.clear();
  read();
  EXPECT_EQ(heard(), "");
  EXPECT_TRUE(outbox_.owed().empty());
}

}  // namespace
}  // namespace quorate::queue

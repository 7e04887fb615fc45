// Mail as bytes: what is sent arrives, numbers stay, messages are not copied, and what is no letter is refused.
// QUORATE_SEED chooses other letters.
#include "broker/queue/mail_wire.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/broker/queue/random_commands.h"
#include "tests/broker/queue/random_mail.h"

namespace quorate::queue {
namespace {

constexpr std::uint64_t kSeed = 20'240'607;

template <class Letter>
std::vector<std::byte> bytes_of(const Letter& letter) {
  std::vector<std::byte> out;
  encode(letter, out);
  return out;
}

template <class Letter>
bool decodes(ByteView bytes) {
  Letter out;
  return decode(Bytes::copy_of(bytes), out);
}

template <class Letter>
bool arrives(const Letter& letter) {
  Letter out;
  return decode(Bytes::copy_of(bytes_of(letter)), out) && same(out, letter);
}

/// The bytes, written as octets.
template <class... Octets>
std::vector<std::byte> octets(Octets... values) {
  return {static_cast<std::byte>(values)...};
}
std::vector<std::byte> operator+(std::vector<std::byte> front, const std::vector<std::byte>& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

/// One of each kind of letter, with everything in it. `Visit` is called with each.
template <class Visit>
void for_every_letter(Visit&& visit) {
  visit(full_parcel());
  for (const SessionMailBody& what : every_session_mail_body()) visit(mail_with(what));
  visit(Leadership{.queue = GroupId(1'000), .leader = NodeId(3), .term = Term(12)});
  visit(Leadership{.queue = GroupId(1'000), .leader = std::nullopt, .term = Term(12)});
  visit(WhoLeads{.queue = GroupId(1'000)});
}

// --- what is sent arrives ---

TEST(MailWire, EveryKindArrivesWithAllItsFields) {
  for (const QueueMailBody& body : every_queue_mail_body()) {
    Parcel parcel{.queue = GroupId(9), .from = {.serial = 1}, .first = 1};
    add(body, 7, parcel);
    EXPECT_TRUE(arrives(parcel)) << "alternative " << body.index();
  }
  for (const SessionMailBody& what : every_session_mail_body()) {
    EXPECT_TRUE(arrives(mail_with(what))) << "alternative " << what.index();
  }
  for_every_letter([](const auto& letter) { EXPECT_TRUE(arrives(letter)); });
}

TEST(MailWire, RandomLettersArrive) {
  const std::uint64_t seed = from_environment("QUORATE_SEED", kSeed);
  SCOPED_TRACE("rerun: QUORATE_SEED=" + std::to_string(seed));
  RandomMail mail(seed);
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(arrives(mail.parcel())) << "letter " << i;
    ASSERT_TRUE(arrives(mail.any<SessionMail>())) << "letter " << i;
    ASSERT_TRUE(arrives(mail.any<Leadership>())) << "letter " << i;
    ASSERT_TRUE(arrives(mail.any<WhoLeads>())) << "letter " << i;
  }
}

TEST(MailWire, TheShortestCommandsFillALetter) {
  // A bound on their number that took them for longer would refuse these.
  EXPECT_TRUE(arrives(Parcel{.commands = std::vector<QueueMailBody>(100, Purge{})}));
  EXPECT_TRUE(arrives(Parcel{.resumes = std::vector<Resume>(100)}));
  EXPECT_TRUE(arrives(Parcel{.questions = std::vector<Question>(100)}));
}

TEST(MailWire, NothingStaysOfTheLetterBefore) {
  Parcel parcel = full_parcel();
  ASSERT_TRUE(decode(Bytes::copy_of(bytes_of(Parcel{})), parcel));
  EXPECT_TRUE(same(parcel, Parcel{}));
  Leadership leadership{.leader = NodeId(3)};
  ASSERT_TRUE(decode(Bytes::copy_of(bytes_of(Leadership{})), leadership));
  EXPECT_FALSE(leadership.leader.has_value());
}

TEST(MailWire, MessagesAreSlicesOfTheLetter) {
  const auto lies_in = [](const Message& message, const Bytes& letter) {
    const ByteView view = message.encoded().view();
    return std::greater_equal<>()(view.data(), letter.data()) &&
           std::less_equal<>()(view.data() + view.size(), letter.data() + letter.size());
  };
  const Bytes parcel_bytes = Bytes::copy_of(bytes_of(full_parcel()));
  Parcel parcel;
  ASSERT_TRUE(decode(parcel_bytes, parcel));
  EXPECT_TRUE(lies_in(std::get<Publish>(parcel.commands[0]).message, parcel_bytes));

  const Bytes mail_bytes = Bytes::copy_of(bytes_of(mail_with(every_session_mail_body()[0])));
  SessionMail mail;
  ASSERT_TRUE(decode(mail_bytes, mail));
  EXPECT_TRUE(lies_in(std::get<Delivery>(mail.what).message, mail_bytes));
}

TEST(MailWire, WhatFollowsALargeMessageDoesNotMoveIt) {
  const std::string body(8u << 20, 'x');
  Parcel parcel{.queue = GroupId(65), .from = kExampleSession, .first = 1};
  parcel.commands.push_back(Publish{.message = make_message("", "q", {}, as_bytes(body)), .seq = PublishSeq(1)});
  parcel.commands.push_back(Settle{.consumer = kExampleConsumer, .ids = {{.first = 1, .last = 1}}});
  std::vector<std::byte> out;
  encode(parcel, out);
  EXPECT_LT(out.capacity(), 2 * body.size()) << "it was copied to a buffer of twice the size";
}

TEST(MailWire, ATopologyStaysAtHome) {
  const Deleted deleted{.count = 7, .topology = std::make_shared<const cluster::Topology>()};
  SessionMail out;
  ASSERT_TRUE(decode(Bytes::copy_of(bytes_of(mail_with(deleted))), out));
  EXPECT_EQ(std::get<Deleted>(out.what).count, 7u);
  EXPECT_EQ(std::get<Deleted>(out.what).topology, nullptr);
}

// --- the numbers of the grammar ---

const SessionId kSmall{.node = NodeId(1), .epoch = Epoch(2), .serial = 3};

std::vector<std::byte> parcel_head() { return octets(1, 9, 1, 2, 3, 4, 5, 4); }
Parcel small_parcel() { return {.queue = GroupId(9), .from = kSmall, .term = Term(4), .first = 5, .heard = 4}; }
std::byte kind_of_command(QueueMailBody command) {
  Parcel parcel = small_parcel();
  parcel.commands.push_back(std::move(command));
  return bytes_of(parcel).at(parcel_head().size() + 1);
}

std::vector<std::byte> mail_head() { return octets(1, 1, 2, 3, 9, 0); }
std::byte kind_of_mail(SessionMailBody what) {
  const SessionMail mail{.to = kSmall, .queue = GroupId(9), .what = std::move(what)};
  return bytes_of(mail).at(mail_head().size() + 1);
}

TEST(MailWire, KindsAreTheseNumbersForEver) {
  const Message message = example_message();
  EXPECT_EQ(kind_of_command(Publish{.message = message}), std::byte{1});
  EXPECT_EQ(kind_of_command(Attach{}), std::byte{2});
  EXPECT_EQ(kind_of_command(Cancel{}), std::byte{3});
  EXPECT_EQ(kind_of_command(Settle{}), std::byte{4});
  EXPECT_EQ(kind_of_command(Return{}), std::byte{5});
  EXPECT_EQ(kind_of_command(Discard{}), std::byte{6});
  EXPECT_EQ(kind_of_command(Credit{}), std::byte{7});
  EXPECT_EQ(kind_of_command(Get{}), std::byte{8});
  EXPECT_EQ(kind_of_command(Purge{}), std::byte{9});
  EXPECT_EQ(kind_of_command(Down{}), std::byte{10});

  EXPECT_EQ(kind_of_mail(Delivery{.message = message}), std::byte{1});
  EXPECT_EQ(kind_of_mail(Taken{}), std::byte{2});
  EXPECT_EQ(kind_of_mail(Attached{}), std::byte{3});
  EXPECT_EQ(kind_of_mail(Cancelled{}), std::byte{4});
  EXPECT_EQ(kind_of_mail(GetOk{.delivery = {.message = message}}), std::byte{5});
  EXPECT_EQ(kind_of_mail(GetEmpty{}), std::byte{6});
  EXPECT_EQ(kind_of_mail(Purged{}), std::byte{7});
  EXPECT_EQ(kind_of_mail(Counted{}), std::byte{8});
  EXPECT_EQ(kind_of_mail(Deleted{}), std::byte{9});
  EXPECT_EQ(kind_of_mail(Gone{}), std::byte{10});
  EXPECT_EQ(kind_of_mail(Through{}), std::byte{11});
  EXPECT_EQ(kind_of_mail(Refused{}), std::byte{12});
  EXPECT_EQ(kind_of_mail(Forgotten{}), std::byte{13});
}

TEST(MailWire, TheExamplesOfThePage) {
  Parcel parcel = small_parcel();
  parcel.commands = {
      Publish{.message = make_message("", "jobs", as_bytes({"\x10\x00\x02", 3}), as_bytes("hello")),
              .body_size = 5,
              .persistent = true,
              .seq = PublishSeq(7)},
      Settle{.consumer = {.session = kSmall, .link = 1}, .ids = {{.first = 3, .last = 5}}},
  };
  parcel.resumes = {{.link = 1, .received = 300}};
  parcel.questions = {{.number = 5, .what = Count{}}, {.number = 6, .what = DeleteIf{.empty = true}}};
  const std::vector<std::byte> message = octets(0x0f, 0, 4, 'j', 'o', 'b', 's', 3, 0x10, 0, 2, 'h', 'e', 'l', 'l', 'o');
  EXPECT_EQ(bytes_of(parcel), parcel_head() + octets(2, 1, 1, 0, 7) + message + octets(4, 1, 2, 3, 1, 1, 3, 2) +
                                  octets(1, 1, 0xac, 2) + octets(2, 5, 1, 6, 2, 2));

  const SessionMail delivery{
      .to = kSmall,
      .queue = GroupId(9),
      .what = Delivery{.link = 1,
                       .id = 6,
                       .message = make_message("", "jobs", as_bytes({"\x10\x00\x02", 3}), as_bytes("hello")),
                       .redelivered = true,
                       .counts = true,
                       .delivery_count = 1,
                       .acquired_count = 2},
      .tracked = true};
  EXPECT_EQ(bytes_of(delivery), mail_head() + octets(1, 1, 5, 1, 6, 1, 2) + message);
  EXPECT_EQ(bytes_of(Leadership{.queue = GroupId(9), .leader = NodeId(3), .term = Term(4)}), octets(1, 9, 4, 1, 3));
  EXPECT_EQ(bytes_of(WhoLeads{.queue = GroupId(300)}), octets(1, 0xac, 2));
}

// --- what is no letter is refused ---

TEST(MailWire, ALetterIsRefusedWhenCutAtAnyByteOrTooLong) {
  for_every_letter([]<class Letter>(const Letter& letter) {
    const std::vector<std::byte> whole = bytes_of(letter);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(decodes<Letter>(ByteView(whole).first(size))) << whole.size() << " bytes cut at " << size;
    }
    EXPECT_FALSE(decodes<Letter>(whole + octets(0)));
  });
}

TEST(MailWire, AnotherFormatIsRefused) {
  for_every_letter([]<class Letter>(const Letter& letter) {
    std::vector<std::byte> bytes = bytes_of(letter);
    bytes.front() = std::byte{2};
    EXPECT_FALSE(decodes<Letter>(bytes));
  });
}

TEST(MailWire, NothingButACommandOfASessionIsOneOfAParcel) {
  const auto holds = [](const Command& command) {
    std::vector<std::byte> bytes = parcel_head() + octets(1);
    encode_command(command, bytes);
    return decodes<Parcel>(bytes + octets(0, 0));
  };
  EXPECT_TRUE(holds(Purge{}));
  EXPECT_FALSE(holds(NodeUp{}));                              // only the log of a queue has it
  EXPECT_FALSE(holds(Attach{}));                              // on the link of getters
  const std::vector<std::byte> message = octets(3, 0, 0, 0);  // exchange, key and properties: all empty
  const auto publish = [&](unsigned flags) {
    return parcel_head() + octets(1, 1, flags, 0, 0) + message + octets(0, 0);
  };
  EXPECT_TRUE(decodes<Parcel>(publish(1)));
  EXPECT_TRUE(decodes<Parcel>(publish(3)));
  EXPECT_FALSE(decodes<Parcel>(publish(4)));
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + octets(1, 1, 0, 0, 0, 0, 0, 0)));           // no message
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + octets(1, 1, 0, 0, 0, 2, 5, 0, 0, 0)));     // its exchange is cut
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + octets(1, 0, 1, 2, 3, 0, 0)));              // kind 0
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + octets(1, 5, 1, 2, 3, 1, 0xff, 0, 0, 0)));  // reason 255
}

TEST(MailWire, UnknownQuestionsAndFlagsAreRefused) {
  const std::vector<std::byte> front = parcel_head() + octets(0, 0, 1, 9);  // question 9
  EXPECT_TRUE(decodes<Parcel>(front + octets(1)));
  EXPECT_TRUE(decodes<Parcel>(front + octets(2, 3)));
  EXPECT_FALSE(decodes<Parcel>(front + octets(0)));
  EXPECT_FALSE(decodes<Parcel>(front + octets(3)));
  EXPECT_FALSE(decodes<Parcel>(front + octets(2, 4)));
}

TEST(MailWire, UnknownMailAndFlagsAreRefused) {
  const std::vector<std::byte> front = mail_head();
  EXPECT_TRUE(decodes<SessionMail>(front + octets(1, 13)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(2, 13)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(0, 0)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(0, 14)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(0, 255)));

  EXPECT_TRUE(decodes<SessionMail>(front + octets(0, 1, 7, 1, 1, 0, 0, 3, 0, 0, 0)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(0, 1, 8, 1, 1, 0, 0, 3, 0, 0, 0)));
  EXPECT_TRUE(decodes<SessionMail>(front + octets(0, 2, 1, 1, 1)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(0, 2, 2, 1, 1)));
  EXPECT_TRUE(decodes<SessionMail>(front + octets(0, 3, 1, 1)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(0, 3, 1, 2)));  // AttachResult
  EXPECT_TRUE(decodes<SessionMail>(front + octets(0, 9, 2, 1)));
  EXPECT_FALSE(decodes<SessionMail>(front + octets(0, 9, 3, 1)));  // DeleteOutcome

  EXPECT_TRUE(decodes<Leadership>(octets(1, 9, 4, 0)));
  EXPECT_FALSE(decodes<Leadership>(octets(1, 9, 4, 2)));
}

TEST(MailWire, ANumberThatFitsNowhereIsRefused) {
  // Node 2^32 + 3 would otherwise pass for node 3.
  const std::vector<std::byte> wide = octets(0x83, 0x80, 0x80, 0x80, 0x10);
  EXPECT_FALSE(decodes<Leadership>(octets(1, 9, 4, 1) + wide));
  EXPECT_FALSE(decodes<SessionMail>(octets(1) + wide + octets(2, 3, 9, 0, 13)));
  EXPECT_FALSE(decodes<SessionMail>(mail_head() + octets(0, 10) + wide));

  Parcel parcel{.first = std::uint64_t{1} << 62};
  EXPECT_TRUE(arrives(parcel));
  ++parcel.first;
  EXPECT_FALSE(arrives(parcel));
  EXPECT_FALSE(arrives(Parcel{.heard = kMost}));
}

TEST(MailWire, ACountBeyondTheBytesIsRefused) {
  // Before anything is allocated for it: 2^63 would be the end of the process.
  const std::vector<std::byte> huge = octets(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1);
  const std::vector<std::byte> some(100, std::byte{1});
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + huge + some));
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + octets(0) + huge + some));
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + octets(0, 0) + huge + some));
  EXPECT_FALSE(decodes<Parcel>(parcel_head() + octets(1, 4, 1, 2, 3, 1) + huge + some));  // ranges of ids
}

/// Whatever is accepted is a letter like any other.
template <class Letter>
void offer(ByteView bytes) {
  Letter letter;
  const bool is_letter = decode(Bytes::copy_of(bytes), letter);
  EXPECT_TRUE(!is_letter || arrives(letter));
}

TEST(MailWire, GarbageIsRefusedOrMakesALetter) {
  const std::uint64_t seed = from_environment("QUORATE_SEED", kSeed);
  SCOPED_TRACE("rerun: QUORATE_SEED=" + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 200 && !testing::Test::HasFailure(); ++round) {
    std::vector<std::byte> noise = octets(1);
    for (std::uint64_t size = random.below(60); size > 0; --size) noise.push_back(std::byte(random.below(256)));
    offer<Parcel>(noise);
    offer<SessionMail>(noise);
    offer<Leadership>(noise);
    offer<WhoLeads>(noise);
    for_every_letter([&]<class Letter>(const Letter& letter) {
      std::vector<std::byte> bytes = bytes_of(letter);
      bytes[random.below(bytes.size())] = std::byte(random.below(256));
      offer<Letter>(bytes);
    });
  }
}

}  // namespace
}  // namespace quorate::queue

// Sessions that number their commands: each has its effect once and in order, and what was answered is answered again.
#include "broker/queue/senders.h"

#include <gtest/gtest.h>

#include "tests/broker/queue/machine_fixture.h"

namespace quorate::queue {
namespace {

class NumberedCommands : public MachineFixture {
 protected:
  Attach attach_as(unsigned number, std::uint32_t prefetch = 0) {
    return {.consumer = consumer_of(number), .prefetch = prefetch, .window = kWide};
  }
  Get get_as(std::uint64_t session, bool no_ack = false) { return {.session = session_of(session), .no_ack = no_ack}; }
};

// --- once and in order ---

TEST_F(NumberedCommands, ARunCountsOnFromItsFirstNumber) {
  send_letters(1, 1, "abc");
  EXPECT_EQ(events(), "through 1#3");
  send_letters(1, 4, "d");
  EXPECT_EQ(events(), "through 1#4-4");
  EXPECT_EQ(machine_.ready_count(), 4u);
}

TEST_F(NumberedCommands, WhatIsRepeatedHasNoSecondEffect) {
  send_letters(1, 1, "ab");
  send_letters(1, 1, "ab");
  EXPECT_EQ(events(), "through 1#2, dead 2, through 1#2");
  EXPECT_EQ(machine_.ready_count(), 2u);
}

TEST_F(NumberedCommands, WhatFollowsARepetitionIsNew) {
  send_letters(1, 1, "ab");
  send_letters(1, 2, "bc");
  attach(21);
  EXPECT_EQ(events(), "through 1#2, through 1#2-3, attached 21, 21:a, 21:b, 21:c");
}

TEST_F(NumberedCommands, BehindAGapNothingHasAnEffectUntilItIsFilled) {
  send_letters(1, 1, "a");
  send_letters(1, 3, "cd");
  EXPECT_EQ(events(), "through 1#1, dead 2, through 1#2-1");
  send_letters(1, 2, "bcd");
  attach(21);
  EXPECT_EQ(events(), "through 1#2-4, attached 21, 21:a, 21:b, 21:c, 21:d");
}

TEST_F(NumberedCommands, RunsOfSeveralSessionsShareAnEntry) {
  apply({From{.session = session_of(1), .first = 1}, Purge{.session = session_of(1)},
         From{.session = session_of(2), .first = 1}, Attach{.consumer = consumer_of(21), .window = kWide},
         From{.session = session_of(1), .first = 2}, Purge{.session = session_of(1)}});
  EXPECT_EQ(events(), "purged 0, attached 21, purged 0, through 1#2, through 2#1");
}

TEST_F(NumberedCommands, ARunFromZeroIsNotNumbered) {
  apply({From{.session = session_of(1), .first = 1}, Purge{.session = session_of(1)}, From{},
         Purge{.session = session_of(2)}, Purge{.session = session_of(2)}});
  EXPECT_EQ(events(), "purged 0, purged 0, purged 0, through 1#1");
  EXPECT_FALSE(machine_.knows(session_of(2)));
}

TEST_F(NumberedCommands, ARunEndsWithItsEntry) {
  send(1, 1, {Purge{.session = session_of(1)}});
  purge();
  EXPECT_EQ(events(), "purged 0, through 1#1, purged 0");
}

TEST_F(NumberedCommands, ThroughCountsOnlyWhatItsEntryAnswers) {
  send_letters(1, 1, "abcdef");
  forget_events();
  send_letters(1, 2, "bc");
  EXPECT_EQ(events(), "dead 2, through 1#2-3");
  const auto echo = [&](std::uint64_t first, std::size_t count) {
    std::vector<Command> run(count + 1, Enqueue{});
    run.front() = From{.session = session_of(1), .first = first};
    return run;
  };
  const auto together = [&](const std::vector<std::vector<Command>>& runs) {
    std::vector<Command> entry;
    for (const auto& run : runs) entry.insert(entry.end(), run.begin(), run.end());
    apply(entry);
    const std::string all = events();
    return all.substr(all.find("through"));
  };
  EXPECT_EQ(together({echo(1, 2), echo(3, 2)}), "through 1#4");
  EXPECT_EQ(together({echo(4, 2), echo(2, 3)}), "through 1#2-5");
  EXPECT_EQ(together({echo(1, 2), echo(5, 2)}), "through 1#5-6") << "3 and 4 are not answered here";
  EXPECT_EQ(together({echo(3, 0)}), "through 1#7-6");
}

// --- who is known ---

TEST_F(NumberedCommands, ASessionIsKnownFromItsFirstCommandToItsDown) {
  EXPECT_FALSE(machine_.knows(session_of(1)));
  send_letters(1, 1, "a");
  EXPECT_TRUE(machine_.knows(session_of(1)));
  send(1, 2, {Down{.session = session_of(1)}});
  EXPECT_EQ(events(), "through 1#1, through 1#2-2");
  EXPECT_FALSE(machine_.knows(session_of(1)));
}

TEST_F(NumberedCommands, AnUnknownSessionThatHasHeardSomethingIsForgotten) {
  send_letters(1, 4, "ab", 3);
  EXPECT_EQ(events(), "forgotten 1, dead 1");
  EXPECT_EQ(machine_.ready_count(), 0u);
  EXPECT_FALSE(machine_.knows(session_of(1)));
}

TEST_F(NumberedCommands, ASessionWhoseFirstCommandsWereLostBeginsAgain) {
  send_letters(1, 3, "c");
  EXPECT_EQ(events(), "dead 1, through 1#0");
  send_letters(1, 1, "abc");
  EXPECT_EQ(events(), "through 1#3");
}

TEST_F(NumberedCommands, ARepeatedDownIsForgotten) {
  send_letters(1, 1, "a");
  send(1, 2, {Down{.session = session_of(1)}});
  forget_events();
  send(1, 2, {Down{.session = session_of(1)}}, 1);
  EXPECT_EQ(events(), "forgotten 1");
}

TEST_F(NumberedCommands, BehindItsDownNothingOfASessionHasAnEffect) {
  send(1, 1, {Down{.session = session_of(1)}, Attach{.consumer = consumer_of(11), .window = kWide}});
  EXPECT_EQ(events(), "through 1#1");
  EXPECT_EQ(machine_.consumer_count(), 0u);
}

TEST_F(NumberedCommands, SessionsAreThoseWhoNumberAndThoseWhoConsumeEachOnce) {
  send(3, 1, {Attach{.consumer = consumer_of(31), .window = kWide}});
  send_letters(2, 1, "a");
  attach(11);
  attach(12);
  EXPECT_EQ(machine_.sessions(), (std::vector{session_of(1), session_of(2), session_of(3)}));
}

// --- answers ---

TEST_F(NumberedCommands, AnAttachIsAnsweredAgainAndServedOnce) {
  publish("ab");
  send(1, 1, {attach_as(11, 1)});
  send(1, 1, {attach_as(11, 1)});
  EXPECT_EQ(events(), "attached 11, 11:a, through 1#1, attached 11, through 1#1");
  EXPECT_EQ(machine_.consumer_count(), 1u);
}

TEST_F(NumberedCommands, AnAttachOfAnExclusiveConsumerDoesNotExcludeItself) {
  Attach exclusive = attach_as(11);
  exclusive.exclusive = true;
  apply({exclusive});
  apply({exclusive});
  EXPECT_EQ(events(), "attached 11, attached 11");
}

TEST_F(NumberedCommands, ARefusedAttachStaysRefusedWhenTheReasonHasGone) {
  attach({.exclusive = true}, 21);
  send(1, 1, {attach_as(11)});
  cancel(21);
  forget_events();
  send(1, 1, {attach_as(11)});
  EXPECT_EQ(events(), "refused 11, through 1#1");
}

TEST_F(NumberedCommands, ACancelIsAnsweredAgain) {
  send(1, 1, {attach_as(11)});
  send(1, 2, {Cancel{.consumer = consumer_of(11)}});
  forget_events();
  send(1, 2, {Cancel{.consumer = consumer_of(11)}});
  EXPECT_EQ(events(), "cancelled 11, through 1#2-2");
}

TEST_F(NumberedCommands, APurgeIsAnsweredWithTheCountItHad) {
  publish("ab");
  send(1, 1, {Purge{.session = session_of(1)}});
  publish("c");
  forget_events();
  send(1, 1, {Purge{.session = session_of(1)}});
  EXPECT_EQ(events(), "purged 2, through 1#1");
  EXPECT_EQ(machine_.ready_count(), 1u);
}

TEST_F(NumberedCommands, AGetIsAnsweredWithTheSameMessageWhileTheGetterHoldsIt) {
  publish("abc");
  send(1, 1, {get_as(1)});
  get(2);
  forget_events();
  send(1, 1, {get_as(1)});
  EXPECT_EQ(events(), "got 10:a left 2, through 1#1");
  settle(10, "a");
  forget_events();
  send(1, 1, {get_as(1)});
  EXPECT_EQ(events(), "empty, through 1#1");
}

TEST_F(NumberedCommands, AnEmptyGetStaysEmpty) {
  send(1, 1, {get_as(1)});
  publish("a");
  forget_events();
  send(1, 1, {get_as(1)});
  EXPECT_EQ(events(), "empty, through 1#1");
}

TEST_F(NumberedCommands, OnlyTheLastAnswerIsGivenAgain) {
  send(1, 1, {Purge{.session = session_of(1)}, get_as(1)});
  forget_events();
  send(1, 1, {Purge{.session = session_of(1)}, get_as(1)});
  EXPECT_EQ(events(), "empty, through 1#2");
}

TEST_F(NumberedCommands, AnotherCommandUnderTheNumberOfTheLastAnswerGetsNone) {
  send(1, 1, {Purge{.session = session_of(1)}});
  forget_events();
  send(1, 1, {get_as(1)});
  EXPECT_EQ(events(), "through 1#1");
}

TEST_F(NumberedCommands, AnAnswerCarriesTheNumberOfItsCommand) {
  publish("a");
  const auto numbers = [&](const std::vector<Command>& commands) {
    Effects effects;
    EXPECT_TRUE(machine_.apply(++index_, now_, packed(commands), effects));
    std::vector<std::uint64_t> found;
    for (const Effect& effect : effects) {
      if (const auto* reply = std::get_if<effect::Attached>(&effect)) found.push_back(reply->number);
      if (const auto* reply = std::get_if<effect::Cancelled>(&effect)) found.push_back(reply->number);
      if (const auto* reply = std::get_if<effect::GetOk>(&effect)) found.push_back(reply->number);
      if (const auto* reply = std::get_if<effect::GetEmpty>(&effect)) found.push_back(reply->number);
      if (const auto* reply = std::get_if<effect::Purged>(&effect)) found.push_back(reply->number);
    }
    return found;
  };
  using Numbers = std::vector<std::uint64_t>;
  const From from{.session = session_of(1), .first = 1};
  const Cancel cancel{.consumer = consumer_of(11)};
  const Purge purge{.session = session_of(1)};
  EXPECT_EQ(numbers({from, get_as(1), get_as(1), purge, attach_as(11), cancel}), (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(numbers({from, get_as(1), get_as(1), purge, attach_as(11), cancel}), (Numbers{5}));
  EXPECT_EQ(numbers({get_as(2), cancel}), (Numbers{0, 0}));
}

// --- what was lost on the way to a consumer ---

TEST_F(NumberedCommands, WhatAConsumerHoldsIsToldFromAnIdOn) {
  publish("abcd");
  attach({.prefetch = 4}, 11);
  settle(11, "c");
  give_back(11, "b");  // and gets it again, as its fifth
  std::string held;
  machine_.held_by(consumer_of(11), 1, [&](const effect::Deliver& delivery) {
    held += std::to_string(delivery.id) + (delivery.message.redelivered ? "! " : " ");
  });
  EXPECT_EQ(held, "4 5! ");
  machine_.held_by(consumer_of(77), 0, [](const effect::Deliver&) { FAIL(); });
}

// --- nodes ---

TEST_F(NumberedCommands, AConsumerOfASuspectedNodeGetsNothingNewAndKeepsWhatItHolds) {
  attach(11);
  publish("a");
  apply({NodeSuspected{.node = NodeId(1), .epoch = Epoch(1)}});
  forget_events();
  publish("b");
  credit(11, 10);
  EXPECT_EQ(events(), "");
  EXPECT_EQ(machine_.unsettled_count(), 1u);
  apply({NodeTrusted{.node = NodeId(1), .epoch = Epoch(1)}});
  EXPECT_EQ(events(), "11:b");
  settle(11, "a");
  EXPECT_EQ(events(), "dead 2");
}

TEST_F(NumberedCommands, SuspicionIsAboutOneEpochOfOneNode) {
  attach(11);
  apply({NodeSuspected{.node = NodeId(1), .epoch = Epoch(2)}, NodeSuspected{.node = NodeId(2), .epoch = Epoch(1)}});
  forget_events();
  publish("a");
  EXPECT_EQ(events(), "11:a");
}

TEST_F(NumberedCommands, SuspicionSurvivesASnapshot) {
  attach(11);
  apply({NodeSuspected{.node = NodeId(1), .epoch = Epoch(1)}});
  machine_ = restored(machine_.serialize());
  forget_events();
  publish("a");
  EXPECT_EQ(events(), "");
}

TEST_F(NumberedCommands, SessionsOfAnOlderEpochEndAsByDown) {
  send_letters(1, 1, "ab");
  send(1, 3, {attach_as(11, 1)});
  forget_events();
  apply({SessionsGone{.node = NodeId(1), .below = Epoch(1)}});
  EXPECT_EQ(events(), "");
  apply({SessionsGone{.node = NodeId(1), .below = Epoch(2)}});
  EXPECT_EQ(events(), "unused");
  EXPECT_TRUE(machine_.sessions().empty());
  get(2);
  EXPECT_EQ(events(), "got 20:a! left 1");
}

TEST_F(NumberedCommands, WhoWasGoneForTooLongHasNotFailed) {
  std::map<bool, unsigned> failures;
  for (const bool expired : {false, true}) {
    publish("a");
    attach({.prefetch = 1}, 11);
    apply({SessionsGone{.node = NodeId(1), .below = Epoch(2), .expired = expired}});
    attach({.prefetch = 1}, 21);
    machine_.held_by(consumer_of(21), 0, [&](const effect::Deliver& delivery) {
      EXPECT_TRUE(delivery.message.redelivered);
      failures[expired] = delivery.message.delivery_count;
    });
    settle(21, "a");
    down(2);
  }
  EXPECT_EQ(failures, (std::map<bool, unsigned>{{false, 1}, {true, 0}}));
}

TEST_F(NumberedCommands, WhoWasGoneForTooLongStaysForgottenUntilItsNodeStartsAgain) {
  send_letters(1, 1, "ab");
  apply({SessionsGone{.node = NodeId(1), .below = Epoch(2), .expired = true}});
  machine_ = restored(machine_.serialize());
  forget_events();
  send_letters(1, 1, "ab");  // it has not heard that these were taken
  EXPECT_EQ(events(), "forgotten 1, dead 3");
  EXPECT_FALSE(machine_.knows(session_of(1)));
  EXPECT_TRUE(machine_.sessions().empty());
  send_letters(2, 1, "c");  // the node is back, and others may come
  EXPECT_EQ(events(), "through 2#1");
  const std::size_t with_memory = machine_.serialize().size();
  apply({SessionsGone{.node = NodeId(1), .below = Epoch(2)}});
  EXPECT_LT(machine_.serialize().size(), with_memory);
}

// --- as bytes ---

TEST_F(NumberedCommands, WhoIsKnownSurvivesASnapshot) {
  publish("ab");
  send(1, 1, {get_as(1)});
  send(2, 1, {Purge{.session = session_of(2)}});
  const Bytes snapshot = machine_.serialize();
  machine_ = restored(snapshot);
  EXPECT_EQ(machine_.serialize(), snapshot);
  forget_events();
  send(1, 1, {get_as(1), Purge{.session = session_of(1)}});
  send(2, 1, {Purge{.session = session_of(2)}});
  EXPECT_EQ(events(), "got 10:a left 1, purged 0, through 1#2, purged 1, through 2#1");
}

}  // namespace
}  // namespace quorate::queue

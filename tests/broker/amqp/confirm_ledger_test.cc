// A ConfirmLedger answers each publication once and folds what it can: each test tells one such fact.
#include "broker/amqp/confirm_ledger.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace quorate::amqp {
namespace {

constexpr auto kStored = Verdict::stored;
constexpr auto kRefused = Verdict::refused;

std::vector<Answer> answers_of(ConfirmLedger& ledger) {
  std::vector<Answer> answers;
  ledger.take_answers(answers);
  return answers;
}
Answer single(std::uint64_t seq, Verdict verdict = kStored) { return {.seq = PublishSeq(seq), .verdict = verdict}; }
Answer up_to(std::uint64_t seq, Verdict verdict = kStored) {
  return {.seq = PublishSeq(seq), .verdict = verdict, .multiple = true};
}

TEST(ConfirmLedger, CountsPublicationsFromOne) {
  ConfirmLedger ledger;
  EXPECT_EQ(ledger.expect(1), PublishSeq(1));
  EXPECT_EQ(ledger.expect(1), PublishSeq(2));
}

TEST(ConfirmLedger, WaitsForEveryQueue) {
  ConfirmLedger ledger;
  const PublishSeq seq = ledger.expect(2);
  ledger.settle(seq, kStored);
  EXPECT_FALSE(ledger.has_answers());
  EXPECT_EQ(answers_of(ledger), std::vector<Answer>{});
  ledger.settle(seq, kStored);
  EXPECT_TRUE(ledger.has_answers());
  EXPECT_EQ(answers_of(ledger), std::vector{single(1)});
  EXPECT_FALSE(ledger.has_answers());
}

TEST(ConfirmLedger, ASlowQueueHoldsNobodyUp) {
  ConfirmLedger ledger;
  const PublishSeq slow = ledger.expect(1);
  ledger.settle(ledger.expect(1), kStored);
  EXPECT_EQ(answers_of(ledger), std::vector{single(2)});
  ledger.settle(slow, kStored);
  EXPECT_EQ(answers_of(ledger), std::vector{single(1)});
  EXPECT_EQ(ledger.unanswered_count(), 0u);
}

TEST(ConfirmLedger, FoldsNeighboursIntoOneMultiple) {
  ConfirmLedger ledger;
  for (int i = 0; i < 3; ++i) ledger.settle(ledger.expect(1), kStored);
  EXPECT_EQ(answers_of(ledger), std::vector{up_to(3)});
}

TEST(ConfirmLedger, FoldsInWhateverOrderTheVerdictsCame) {
  ConfirmLedger ledger;
  for (int i = 0; i < 3; ++i) ledger.expect(1);
  for (const std::uint64_t seq : {3, 1, 2}) ledger.settle(PublishSeq(seq), kStored);
  EXPECT_EQ(answers_of(ledger), std::vector{up_to(3)});
}

TEST(ConfirmLedger, AMultipleNeverCoversAnUndecidedPublication) {
  ConfirmLedger ledger;
  for (int i = 0; i < 4; ++i) ledger.expect(1);
  for (const std::uint64_t seq : {1, 2, 4}) ledger.settle(PublishSeq(seq), kStored);
  EXPECT_EQ(answers_of(ledger), (std::vector{up_to(2), single(4)}));
  ledger.settle(PublishSeq(3), kStored);
  EXPECT_EQ(answers_of(ledger), std::vector{single(3)});
}

TEST(ConfirmLedger, OneRefusalRefusesTheMessage) {
  ConfirmLedger ledger;
  ledger.settle(ledger.expect(1), kStored);
  const PublishSeq seq = ledger.expect(2);
  ledger.settle(seq, kRefused);
  ledger.settle(seq, kStored);
  EXPECT_EQ(answers_of(ledger), (std::vector{single(1), single(2, kRefused)}));
}

TEST(ConfirmLedger, RefusalsFoldAmongThemselves) {
  ConfirmLedger ledger;
  for (const Verdict verdict : {kRefused, kRefused, kStored, kStored}) ledger.settle(ledger.expect(1), verdict);
  EXPECT_EQ(answers_of(ledger), (std::vector{up_to(2, kRefused), up_to(4)}));
}

TEST(ConfirmLedger, AnUnroutedMessageIsStoredAtOnce) {
  ConfirmLedger ledger;
  ledger.expect(0);
  EXPECT_EQ(answers_of(ledger), std::vector{single(1)});
  EXPECT_EQ(ledger.unanswered_count(), 0u);
}

TEST(ConfirmLedger, AnswersEachPublicationExactlyOnceWhateverHappens) {
  Random random(7);
  ConfirmLedger ledger;
  std::vector<std::pair<PublishSeq, bool>> open;  // once per verdict that is still to come
  std::set<std::uint64_t> unanswered;
  for (int i = 0; i < 20'000; ++i) {
    if (random.below(2) == 0) {
      const auto queues = static_cast<std::uint32_t>(random.below(4));
      const PublishSeq seq = ledger.expect(queues);
      unanswered.insert(seq.value());
      for (std::uint32_t q = 0; q < queues; ++q) open.emplace_back(seq, random.below(9) == 0);
    } else if (!open.empty()) {
      std::swap(open[random.below(open.size())], open.back());
      ledger.settle(open.back().first, open.back().second ? kRefused : kStored);
      open.pop_back();
    }
    if (random.below(5) != 0) continue;
    for (const Answer& answer : answers_of(ledger)) {
      ASSERT_TRUE(unanswered.contains(answer.seq.value()));
      if (answer.multiple) {
        unanswered.erase(unanswered.begin(), unanswered.upper_bound(answer.seq.value()));
      } else {
        unanswered.erase(answer.seq.value());
      }
    }
    for (const auto& [seq, refused] : open) ASSERT_TRUE(unanswered.contains(seq.value()));
  }
  EXPECT_LE(unanswered.size(), open.size() + 20);
}

}  // namespace
}  // namespace quorate::amqp

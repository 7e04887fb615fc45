// An UnackedLedger knows what each delivery tag of a channel stands for: each test tells one such fact.
#include "broker/amqp/unacked_ledger.h"

#include <gtest/gtest.h>

namespace quorate::amqp {
namespace {

constexpr GroupId kQueue{5};

class UnackedLedgerTest : public ::testing::Test {
 protected:
  UnackedLedgerTest() {
    for (std::uint64_t id = 1; id <= 4; ++id) ledger_.add(kQueue, 1, 100 + id);
  }
  /// The tags that were taken out; "refused" as {0}.
  std::vector<std::uint64_t> settle(std::uint64_t tag, bool multiple = false) {
    std::vector<Unacked> out;
    if (!ledger_.settle(DeliveryTag(tag), multiple, out))
      return out.empty() ? std::vector<std::uint64_t>{0} : tags(out);
    return tags(out);
  }
  static std::vector<std::uint64_t> tags(const std::vector<Unacked>& unacked) {
    std::vector<std::uint64_t> out;
    for (const Unacked& one : unacked) out.push_back(one.tag.value());
    return out;
  }
  using Tags = std::vector<std::uint64_t>;
  static inline const Tags kRefused{0};

  UnackedLedger ledger_;  // with the tags 1 to 4
};

TEST_F(UnackedLedgerTest, ATagLeadsToItsDelivery) {
  std::vector<Unacked> out;
  ASSERT_TRUE(ledger_.settle(DeliveryTag(2), false, out));
  EXPECT_EQ(out, (std::vector<Unacked>{{.tag = DeliveryTag(2), .queue = kQueue, .link = 1, .id = 102}}));
  EXPECT_EQ(ledger_.count(), 3u);
}

TEST_F(UnackedLedgerTest, ATagIsSettledOnce) {
  EXPECT_EQ(settle(2), Tags{2});
  EXPECT_EQ(settle(2), kRefused);
  EXPECT_EQ(settle(2, true), kRefused);
  EXPECT_EQ(ledger_.count(), 3u);
}

TEST_F(UnackedLedgerTest, MultipleTakesEverythingUpToTheTag) {
  settle(2);
  EXPECT_EQ(settle(3, true), (Tags{1, 3}));
  EXPECT_EQ(settle(4), Tags{4});
}

TEST_F(UnackedLedgerTest, ZeroWithMultipleTakesEverything) {
  EXPECT_EQ(settle(0, true), (Tags{1, 2, 3, 4}));
  EXPECT_EQ(settle(0, true), Tags{});
  EXPECT_EQ(settle(0), kRefused);
}

TEST_F(UnackedLedgerTest, WhatWasGivenBackIsSettledOnceToNoEffect) {
  for (const std::uint64_t tag : {1, 2, 4}) ledger_.give_back(DeliveryTag(tag));
  EXPECT_EQ(ledger_.count(), 1u);
  EXPECT_EQ(ledger_.oldest(), DeliveryTag(3));
  EXPECT_EQ(settle(1), Tags{});
  EXPECT_EQ(settle(1), Tags{0});
  EXPECT_EQ(settle(3, true), Tags{3});
  EXPECT_EQ(settle(4, true), Tags{});
}

TEST_F(UnackedLedgerTest, UnknownTagsAreRefused) {
  EXPECT_EQ(settle(5), kRefused);
  EXPECT_EQ(settle(5, true), kRefused);
  EXPECT_EQ(settle(UINT64_MAX, true), kRefused);
  EXPECT_EQ(ledger_.count(), 4u);
}

TEST_F(UnackedLedgerTest, ADeliveryWithoutAckHasATagThatCannotBeSettled) {
  EXPECT_EQ(ledger_.skip(), DeliveryTag(5));
  EXPECT_EQ(ledger_.add(kQueue, 1, 105), DeliveryTag(6));
  EXPECT_EQ(settle(5), kRefused);
  EXPECT_EQ(settle(6, true), (Tags{1, 2, 3, 4, 6}));
}

TEST_F(UnackedLedgerTest, TagsGoOnAfterEverythingIsSettled) {
  std::vector<Unacked> out;
  ledger_.settle_all(out);
  EXPECT_EQ(tags(out), (Tags{1, 2, 3, 4}));
  EXPECT_EQ(ledger_.count(), 0u);
  EXPECT_EQ(ledger_.add(kQueue, 1, 1), DeliveryTag(5));
}

TEST_F(UnackedLedgerTest, WhatARolledBackTransactionTookIsPutBackInItsPlace) {
  std::vector<Unacked> out;
  ledger_.settle(DeliveryTag(1), false, out);
  ledger_.settle(DeliveryTag(3), false, out);
  ledger_.add(kQueue, 1, 105);
  ledger_.restore(out);
  EXPECT_EQ(ledger_.count(), 5u);
  EXPECT_EQ(settle(0, true), (Tags{1, 2, 3, 4, 5}));
}

TEST_F(UnackedLedgerTest, OneTagThatIsNeverSettledDoesNotMakeTheLedgerGrow) {
  for (std::uint64_t tag = 5; tag < 100'000; ++tag) {
    ledger_.add(kQueue, 1, tag);
    ASSERT_EQ(settle(tag), Tags{tag});
  }
  EXPECT_EQ(ledger_.count(), 4u);
  EXPECT_EQ(settle(4, true), (Tags{1, 2, 3, 4}));
}

}  // namespace
}  // namespace quorate::amqp

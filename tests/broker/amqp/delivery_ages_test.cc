// The ages of deliveries: never too high, and too low by a tick at most.
#include "broker/amqp/delivery_ages.h"

#include <gtest/gtest.h>

namespace quorate::amqp {
namespace {

using namespace std::chrono_literals;

class Ages : public ::testing::Test {
 protected:
  void tick(std::uint64_t oldest, std::uint64_t last) {
    now_ += 1min;
    ages_.tick(now_, DeliveryTag(oldest), DeliveryTag(last));
  }
  std::uint64_t older_than(Duration age) const { return ages_.older_than(age, now_).value(); }

  DeliveryAges ages_;
  Instant now_{};
};

TEST_F(Ages, OfNothingAreUnknown) {
  EXPECT_EQ(older_than(0min), 0u);
  tick(1, 0);
  EXPECT_EQ(older_than(0min), 0u);
}

TEST_F(Ages, CountFromTheFirstTickAfterADelivery) {
  tick(1, 5);
  EXPECT_EQ(older_than(0min), 5u);
  EXPECT_EQ(older_than(1min), 0u);
  tick(1, 8);
  EXPECT_EQ(older_than(1min), 5u);
  tick(1, 8);
  EXPECT_EQ(older_than(1min), 8u);
  EXPECT_EQ(older_than(2min), 5u);
  EXPECT_EQ(older_than(3min), 0u);
}

TEST_F(Ages, OfWhatIsSettledAreForgotten) {
  tick(1, 5);
  tick(4, 8);
  EXPECT_EQ(older_than(1min), 5u);
  tick(6, 8);
  EXPECT_EQ(older_than(2min), 0u);
  EXPECT_EQ(older_than(1min), 8u);
  tick(9, 8);
  EXPECT_EQ(older_than(0min), 0u);
}

}  // namespace
}  // namespace quorate::amqp

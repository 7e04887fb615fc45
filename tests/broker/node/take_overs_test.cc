// What an operator reads of the leaders that a silent node had.
#include "broker/node/take_overs.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

using namespace std::chrono_literals;

constexpr NodeId kTwo{2};
constexpr NodeId kThree{3};

class TakeOversTest : public testing::Test {
 protected:
  std::string beat(Duration after) {
    now_ += after;
    std::vector<std::string> lines;
    take_overs_.on_beat(now_, lines);
    std::string said;
    for (const std::string& line : lines) said += (said.empty() ? "" : ", ") + line;
    return said;
  }

  TakeOvers take_overs_;
  Instant now_{};
};

TEST_F(TakeOversTest, AreToldOnceWhenTheyHaveComeToRest) {
  take_overs_.on_taken(kThree, now_);  // before its silence was noticed
  take_overs_.on_silent(kThree, "rabbit@n3", now_ + 1s);
  EXPECT_EQ(beat(2s), "");
  take_overs_.on_taken(kThree, now_);
  EXPECT_EQ(beat(TakeOvers::kRest - 1ms), "");
  EXPECT_EQ(beat(1ms), "leaders.taken_over from=rabbit@n3 count=2");
  EXPECT_EQ(beat(TakeOvers::kRest), "");
}

TEST_F(TakeOversTest, AreToldOfEachNodeAlsoWhenThereAreNone) {
  take_overs_.on_silent(kTwo, "rabbit@n2", now_);
  take_overs_.on_silent(kThree, "rabbit@n3", now_);
  take_overs_.on_taken(kThree, now_);
  EXPECT_EQ(beat(TakeOvers::kRest),
            "leaders.taken_over from=rabbit@n2 count=0, leaders.taken_over from=rabbit@n3 count=1");
}

TEST_F(TakeOversTest, OfANodeThatIsThereAreTransfers) {
  take_overs_.on_taken(kTwo, now_);
  EXPECT_EQ(beat(TakeOvers::kRest), "");
  take_overs_.on_silent(kTwo, "rabbit@n2", now_);
  EXPECT_EQ(beat(TakeOvers::kRest), "leaders.taken_over from=rabbit@n2 count=0");
}

}  // namespace
}  // namespace quorate

// What the operating system tells about this process.
#include "broker/node/process_facts.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace quorate {
namespace {

TEST(ProcessFacts, APinnedProcessMayUseTheCoresItIsPinnedTo) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  ASSERT_EQ(usable_cores(), static_cast<std::size_t>(CPU_COUNT(&before)));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(usable_cores(), 1u);
  ::sched_setaffinity(0, sizeof(before), &before);
}

}  // namespace
}  // namespace quorate

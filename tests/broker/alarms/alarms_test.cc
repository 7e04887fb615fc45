#include "broker/alarms/alarms.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "broker/alarms/alarm_text.h"
#include "broker/alarms/shortage_wire.h"

namespace quorate::alarms {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1u << 20;
constexpr NodeId kHere{1};
constexpr NodeId kThere{2};

/// A node called rabbit@a with 1000 MiB, of which it may use 600, and the default limit of its disk.
class AlarmsTest : public testing::Test {
 protected:
  Changes sample(Sample values) {
    now_ += 1s;
    Changes changes;
    alarms_.on_sample(values, now_, changes);
    return changes;
  }
  Changes use_memory(std::uint64_t bytes) {
    return sample({.memory_used_bytes = bytes, .memory_available_bytes = 1000 * kMiB, .disk_free_bytes = {}});
  }
  Changes leave_disk(std::uint64_t bytes) {
    return sample({.memory_used_bytes = {}, .memory_available_bytes = {}, .disk_free_bytes = bytes});
  }
  Changes set_limits(const Limits& limits) {
    now_ += 1s;
    Changes changes;
    alarms_.set_limits(limits, now_, changes);
    return changes;
  }
  Changes set_remote(NodeId node, const std::string& name, Shortage shortage) {
    now_ += 1s;
    Changes changes;
    alarms_.set_remote(node, name, shortage, now_, changes);
    return changes;
  }

  Alarms alarms_{kHere, "rabbit@a", Limits{}};
  Instant now_{};
};

TEST(Limits, AreToldAsTheyWereSet) {
  EXPECT_EQ(describe_memory_limit({}), "0.6 of available memory");
  EXPECT_EQ(describe_memory_limit({.memory_absolute = 2'000'000'000}), "2000000000 bytes");
}

TEST_F(AlarmsTest, MemoryIsShortOnlyAboveItsLimitAndEachChangeIsToldOnce) {
  EXPECT_TRUE(use_memory(600 * kMiB).empty()) << "at the limit";
  const Changes on = use_memory(600 * kMiB + 1);
  ASSERT_EQ(on.size(), 1u);
  EXPECT_TRUE(on[0].is_on && on[0].is_own);
  EXPECT_EQ(on[0].alarm.resource, Resource::memory);
  EXPECT_EQ(on[0].bytes, 600 * kMiB + 1);
  EXPECT_EQ(on[0].limit_bytes, 600 * kMiB);
  EXPECT_EQ(alarms_.own(), (Shortage{.memory = true, .disk = false}));
  EXPECT_TRUE(use_memory(900 * kMiB).empty()) << "still on";
  const Changes off = use_memory(600 * kMiB);
  ASSERT_EQ(off.size(), 1u);
  EXPECT_FALSE(off[0].is_on);
  EXPECT_EQ(off[0].alarm.since, on[0].alarm.since);
  EXPECT_TRUE(alarms_.in_force().empty());
}

TEST_F(AlarmsTest, DiskIsShortOnlyBelowItsLimitWhichIs50MbByDefault) {
  EXPECT_TRUE(leave_disk(50'000'000).empty());
  ASSERT_EQ(leave_disk(49'999'999).size(), 1u);
  EXPECT_EQ(alarms_.reason(), "low on disk (rabbit@a)");
  ASSERT_EQ(leave_disk(50'000'000).size(), 1u);
  EXPECT_EQ(alarms_.reason(), "");
}

TEST_F(AlarmsTest, WhatCannotBeMeasuredStaysAsItWas) {
  EXPECT_TRUE(sample({}).empty()) << "nothing was ever measured";
  EXPECT_TRUE(sample({.memory_used_bytes = 900 * kMiB, .memory_available_bytes = {}, .disk_free_bytes = {}}).empty())
      << "a share of an unknown whole";
  ASSERT_EQ(use_memory(900 * kMiB).size(), 1u);
  EXPECT_TRUE(sample({}).empty());
  EXPECT_TRUE(alarms_.own().memory);
}

TEST_F(AlarmsTest, NewLimitsJudgeTheLastSampleAtOnce) {
  use_memory(100 * kMiB);
  leave_disk(100 * kMiB);
  EXPECT_EQ(set_limits({.memory_relative = 0}).size(), 1u) << "a watermark of 0 blocks at once";
  EXPECT_EQ(set_limits({.memory_absolute = 100 * kMiB}).size(), 1u) << "the absolute limit wins over 0.6";
  EXPECT_EQ(set_limits({.memory_absolute = 99 * kMiB}).size(), 1u);
  EXPECT_EQ(set_limits({.total_memory = 100 * kMiB}).size(), 0u) << "60 of 100 MiB";
  EXPECT_EQ(set_limits({}).size(), 1u);
  EXPECT_EQ(set_limits({.disk_relative = 0.2}).size(), 1u) << "200 MiB";
  EXPECT_EQ(set_limits({.disk_relative = 0.2, .disk_absolute = 0}).size(), 1u) << "the absolute limit wins";
}

TEST_F(AlarmsTest, AnAlarmOfAnyNodeBlocksUntilTheLastIsOver) {
  use_memory(900 * kMiB);
  EXPECT_EQ(set_remote(kThere, "rabbit@b", {.memory = true, .disk = true}).size(), 2u);
  EXPECT_EQ(set_remote(kThere, "rabbit@b", {.memory = true, .disk = true}).size(), 0u);
  EXPECT_EQ(alarms_.reason(), "low on memory & disk (rabbit@a, rabbit@b)");
  EXPECT_EQ(alarms_.own(), (Shortage{.memory = true, .disk = false})) << "the others' are not ours to tell";
  ASSERT_EQ(alarms_.in_force().size(), 3u);
  EXPECT_EQ(alarms_.in_force()[2],
            (Alarm{.node = kThere, .node_name = "rabbit@b", .resource = Resource::disk, .since = now_ - 1s}));
  use_memory(1);
  EXPECT_EQ(alarms_.reason(), "low on memory & disk (rabbit@b)");
  EXPECT_EQ(set_remote(kThere, "rabbit@b", {}).size(), 2u) << "as when that node went down";
  EXPECT_EQ(alarms_.reason(), "");
}

TEST_F(AlarmsTest, NoOtherNodeSpeaksForThisOne) {
  EXPECT_TRUE(set_remote(kHere, "rabbit@a", {.memory = true, .disk = true}).empty());
}

TEST_F(AlarmsTest, AReasonWithManyNodesFitsAShortString) {
  for (std::uint32_t node = 2; node < 12; ++node) {
    set_remote(NodeId(node), "rabbit@" + std::string(40, 'x') + std::to_string(node), {.memory = false, .disk = true});
  }
  EXPECT_LE(alarms_.reason().size(), 255u);
  EXPECT_TRUE(
      alarms_.reason().ends_with("3, rabbit@" + std::string(40, 'x') + "4, rabbit@" + std::string(40, 'x') + "5, …)"))
      << alarms_.reason();
  set_remote(NodeId(2), "rabbit@" + std::string(300, 'x'), {.memory = true, .disk = true});
  EXPECT_LE(alarms_.reason().size(), 255u);
}

TEST_F(AlarmsTest, TheNextLookComesSoonerNearALimit) {
  EXPECT_EQ(alarms_.next_look(), limits::kAlarmLookMax);
  leave_disk(50'000'000 + limits::kAlarmApproachBytesPerSecond * 10);
  EXPECT_EQ(alarms_.next_look(), limits::kAlarmLookMax);
  leave_disk(50'000'000 + limits::kAlarmApproachBytesPerSecond / 4);
  EXPECT_EQ(alarms_.next_look(), 250ms);
  leave_disk(50'000'000);
  EXPECT_EQ(alarms_.next_look(), limits::kAlarmLookMin);
  leave_disk(0);
  EXPECT_EQ(alarms_.next_look(), limits::kAlarmLookMax) << "blocked already";
}

TEST_F(AlarmsTest, TheLogSaysWhatWhereHowMuchAndWhatToDo) {
  const Changes on = use_memory(812 * kMiB + kMiB / 2);
  ASSERT_EQ(on.size(), 1u);
  EXPECT_EQ(describe(on[0], alarms_, "/data"),
            "memory resource limit alarm set on node rabbit@a used=\"812.5 MiB\" limit=\"600.0 MiB\" "
            "effect=\"publishers are blocked on every node, consumers go on\" "
            "do=\"let consumers catch up or purge the longest queues, or raise vm_memory_high_watermark\"");
  const Changes disk = leave_disk(999);
  ASSERT_EQ(disk.size(), 1u);
  EXPECT_EQ(describe(disk[0], alarms_, "/data"),
            "disk resource limit alarm set on node rabbit@a free=\"999 B\" limit=\"47.7 MiB\" "
            "effect=\"publishers are blocked on every node, consumers go on\" "
            "do=\"free space on the volume of /data, or lower disk_free_limit\"");
  const Changes one_off = use_memory(kMiB);
  ASSERT_EQ(one_off.size(), 1u);
  EXPECT_EQ(describe(one_off[0], alarms_, "/data"),
            "memory resource limit alarm cleared on node rabbit@a used=\"1.0 MiB\" limit=\"600.0 MiB\" "
            "effect=\"publishers stay blocked: low on disk (rabbit@a)\"");
  const Changes remote = set_remote(kThere, "rabbit@b", {.memory = true, .disk = false});
  ASSERT_EQ(remote.size(), 1u);
  EXPECT_EQ(describe(remote[0], alarms_, "/data"),
            "memory resource limit alarm set on node rabbit@b "
            "effect=\"publishers are blocked on every node, consumers go on\" do=\"see the log of rabbit@b\"");
  EXPECT_EQ(describe_limits(alarms_, "MemTotal"),
            "resource limits memory=\"600.0 MiB\" available=\"1000.0 MiB\" available_by=\"MemTotal\" "
            "disk_free=\"47.7 MiB\"");
}

TEST(ShortageWire, EveryShortageArrivesAndNothingElseDoes) {
  for (const Shortage shortage : {Shortage{}, {.memory = true}, {.disk = true}, {.memory = true, .disk = true}}) {
    std::vector<std::byte> bytes;
    encode(shortage, bytes);
    EXPECT_EQ(decode_shortage(bytes), shortage);
    EXPECT_FALSE(decode_shortage(ByteView(bytes).first(0)));
    EXPECT_FALSE(decode_shortage(ByteView(bytes).first(1)));
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode_shortage(bytes));
  }
  EXPECT_FALSE(decode_shortage(std::vector{std::byte{1}, std::byte{4}}));
  EXPECT_FALSE(decode_shortage(std::vector{std::byte{2}, std::byte{0}}));
}

}  // namespace
}  // namespace quorate::alarms
